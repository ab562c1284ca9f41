//! The actions of the cloud that we call and serve, each spelled once.

use std::fmt;

/// An action, as the parameter `Action` (signature V1) or the header `x-acs-action` (V3) names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `CreateImageCache` of ECI.
    Create,
    /// `DescribeImageCaches` of ECI.
    Describe,
    /// `UpdateImageCache` of ECI.
    Update,
    /// `DeleteImageCache` of ECI.
    Delete,
    /// `ListUsage` of ECI.
    Usage,
    /// `AssumeRole` of STS.
    AssumeRole,
    /// `GetCallerIdentity` of STS.
    GetCallerIdentity,
}

/// Whose actions they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Elastic Container Instance.
    Eci,
    /// Security Token Service.
    Sts,
}

impl Product {
    /// The version of its API that we speak.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Eci => "2018-08-08",
            Self::Sts => "2015-04-01",
        }
    }

    /// As rights name it: `eci` in `eci:CreateImageCache`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eci => "eci",
            Self::Sts => "sts",
        }
    }
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Describe,
        Self::Update,
        Self::Delete,
        Self::Usage,
        Self::AssumeRole,
        Self::GetCallerIdentity,
    ];

    /// The cloud's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CreateImageCache",
            Self::Describe => "DescribeImageCaches",
            Self::Update => "UpdateImageCache",
            Self::Delete => "DeleteImageCache",
            Self::Usage => "ListUsage",
            Self::AssumeRole => "AssumeRole",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }

    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// Whose it is.
    pub const fn product(self) -> Product {
        match self {
            Self::AssumeRole | Self::GetCallerIdentity => Product::Sts,
            Self::Create | Self::Describe | Self::Update | Self::Delete | Self::Usage => Product::Eci,
        }
    }

    /// Whether it only looks, and changes no image cache.
    pub const fn is_look(self) -> bool {
        !matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
