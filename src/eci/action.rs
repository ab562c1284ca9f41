//! The cloud's actions that we call and serve. Each appears once, in the table, with everything known about it apart
//! from its request and its response. The client, the RAM rights, the stand-in and the RPC front read the table.
//!
//! Sources: the published API metadata (ECI 2018-08-08, STS 2015-04-01); for the rights, the "RAM authorization" page
//! of each action. `CreateImageCache` depends on no other action: what the builder does to the network is done under
//! ECI's service-linked role.

use std::fmt;

/// The only page size that was ever documented.
pub(super) const PAGE: &str = "20";

/// Formatted like the cloud's ids, but never one of them: those begin with letters for their region.
const NO_IMAGE_CACHE: &str = "imc-00000000000000000000";

/// The product that an action belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Elastic Container Instance.
    Eci,
    /// Security Token Service.
    Sts,
}

impl Product {
    /// The version of its API that we use.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Eci => "2018-08-08",
            Self::Sts => "2015-04-01",
        }
    }

    /// Its name in rights: `eci` in `eci:CreateImageCache`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eci => "eci",
            Self::Sts => "sts",
        }
    }
}

/// The resource that a right applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RamResource {
    /// The image cache that the request names; all image caches of the region if it names none.
    ImageCaches,
    /// No particular resource: the cloud accepts only `*`.
    Everything,
    /// The role to assume.
    Role,
}

/// What an action does to image caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Looks,
    /// It creates, changes or deletes one.
    Changes,
}

/// Everything known about an action: one row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The cloud's name of the action.
    pub name: &'static str,
    /// The product it belongs to.
    pub product: Product,
    /// What it does to image caches.
    pub effect: Effect,
    /// The parameters that it takes besides `RegionId` and the fields of an image cache; `N` is a position in a list.
    pub takes: &'static [&'static str],
    /// Whether parameters of other actions are accepted: none of them can change what is done.
    pub lenient: bool,
    /// The parameters that make a call of it harmless in any region. Where there is `DryRun`, it is for the reader; the
    /// call would be harmless without it.
    pub probe: &'static [(&'static str, &'static str)],
    /// The resource of the right to it, and what the gateway needs the right for. `None` if no right is needed.
    pub right: Option<(RamResource, &'static str)>,
}

macro_rules! actions {
    ($( $(#[$doc:meta])* $action:ident = $name:literal { $($facts:tt)+ } )+) => {
        /// An action, named by the parameter `Action` (signature V1) or the header `x-acs-action` (V3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $( $(#[$doc])* $action, )+
        }

        impl Action {
            /// All actions, in the order of the table.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$action),+];

            /// The action's row of the table.
            pub const fn facts(self) -> &'static Facts {
                match self {
                    $( Self::$action => &Facts { name: $name, $($facts)+ }, )+
                }
            }
        }
    };
}

actions! {
    /// Creates an image cache, with the fields of a spec.
    Create = "CreateImageCache" {
        product: Product::Eci,
        effect: Effect::Changes,
        takes: &["ClientToken"],
        lenient: false,
        // It has neither an image nor a name.
        probe: &[("DryRun", "true")],
        right: Some((RamResource::ImageCaches, "create image caches")),
    }
    /// Lists image caches page by page, or returns one.
    Describe = "DescribeImageCaches" {
        product: Product::Eci,
        effect: Effect::Looks,
        takes: &[
            "ImageCacheId",
            "SnapshotId",
            "Tag.N.Key",
            "Tag.N.Value",
            "MatchImage.N",
            "ImageFullMatch",
            "ImageMatchCountRequest",
            "Limit",
            "NextToken",
        ],
        lenient: false,
        probe: &[("Limit", PAGE)],
        right: Some((RamResource::ImageCaches, "follow image caches and compare the cloud with the record")),
    }
    /// Changes what an image cache is built from, with the fields of an update.
    Update = "UpdateImageCache" {
        product: Product::Eci,
        effect: Effect::Changes,
        takes: &["ImageCacheId", "ClientToken"],
        lenient: false,
        probe: &[("ImageCacheId", NO_IMAGE_CACHE), ("DryRun", "true")],
        right: Some((RamResource::ImageCaches, "change image caches")),
    }
    /// Deletes an image cache.
    Delete = "DeleteImageCache" {
        product: Product::Eci,
        effect: Effect::Changes,
        takes: &["ImageCacheId", "ClientToken"],
        lenient: true,
        probe: &[("ImageCacheId", NO_IMAGE_CACHE), ("DryRun", "true")],
        right: Some((RamResource::ImageCaches, "delete image caches, and what a lost create left behind")),
    }
    /// Returns an account's quotas and their usage.
    Usage = "ListUsage" {
        product: Product::Eci,
        effect: Effect::Looks,
        takes: &[],
        lenient: true,
        probe: &[],
        right: Some((RamResource::Everything, "show quotas and how much of them is used")),
    }
    /// Returns temporary credentials of a role. It is not probed this way: the session assumes the role.
    AssumeRole = "AssumeRole" {
        product: Product::Sts,
        effect: Effect::Looks,
        takes: &[],
        lenient: true,
        probe: &[],
        right: Some((RamResource::Role, "assume the role of the account")),
    }
    /// Returns the identity that the credentials belong to.
    GetCallerIdentity = "GetCallerIdentity" {
        product: Product::Sts,
        effect: Effect::Looks,
        takes: &[],
        lenient: true,
        probe: &[],
        right: None,
    }
}

impl Action {
    /// The cloud's name of the action.
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// The action with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// The product it belongs to.
    pub const fn product(self) -> Product {
        self.facts().product
    }

    /// Whether it only reads and changes no image cache.
    pub const fn is_look(self) -> bool {
        matches!(self.facts().effect, Effect::Looks)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
