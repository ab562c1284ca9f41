//! The actions of the cloud that we call and serve. Each stands once, in the table, with all that is known of it beside
//! what it asks and answers: the client, the rights, the stand-in and the RPC front read it.
//!
//! Sources: the published API metadata (ECI 2018-08-08, STS 2015-04-01), and for the rights the pages "RAM
//! authorization" of each action. `CreateImageCache` has no further action that it depends on: what the builder does to
//! the network is done under the service-linked role of ECI.

use std::fmt;

/// The only page size that was ever documented.
pub(super) const PAGE: &str = "20";

/// An id as the cloud makes them, and none of its: those begin with letters for their region.
const NO_IMAGE_CACHE: &str = "imc-00000000000000000000";

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

/// What a right is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RamResource {
    /// An image cache where one is named, else all of a region.
    ImageCaches,
    /// Nothing in particular: the cloud takes `*` alone.
    Everything,
    /// The role that is assumed.
    Role,
}

/// What an action does to image caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it only looks.
    Looks,
    /// It makes, changes or removes one.
    Changes,
}

/// What is known of an action: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The cloud's name for it.
    pub name: &'static str,
    /// Whose it is.
    pub product: Product,
    /// What it does.
    pub effect: Effect,
    /// The parameters that it takes beside `RegionId` and the fields of an image cache; `N` is a position in a list.
    pub takes: &'static [&'static str],
    /// Whether parameters of other actions may stand beside them: nothing that they say can change what is done.
    pub lenient: bool,
    /// What makes a call of it, in some region, one of which nothing can come. That it is a dry run is said, too, for
    /// whoever reads it.
    pub probe: &'static [(&'static str, &'static str)],
    /// What the right to it is on, and what the gateway needs that for; none: nobody needs one.
    pub right: Option<(RamResource, &'static str)>,
}

macro_rules! actions {
    ($( $(#[$doc:meta])* $action:ident = $name:literal { $($facts:tt)+ } )+) => {
        /// An action, as the parameter `Action` (signature V1) or the header `x-acs-action` (V3) names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $( $(#[$doc])* $action, )+
        }

        impl Action {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$action),+];

            /// All that is known of it: its row of the table.
            pub const fn facts(self) -> &'static Facts {
                match self {
                    $( Self::$action => &Facts { name: $name, $($facts)+ }, )+
                }
            }
        }
    };
}

actions! {
    /// Makes an image cache: its fields are those of a spec.
    Create = "CreateImageCache" {
        product: Product::Eci,
        effect: Effect::Changes,
        takes: &["ClientToken"],
        lenient: false,
        // It names neither an image nor a cache.
        probe: &[("DryRun", "true")],
        right: Some((RamResource::ImageCaches, "create image caches")),
    }
    /// Lists image caches, a page at a time, or shows one.
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
    /// Changes what an image cache is made of: its fields are those of an update.
    Update = "UpdateImageCache" {
        product: Product::Eci,
        effect: Effect::Changes,
        takes: &["ImageCacheId", "ClientToken"],
        lenient: false,
        probe: &[("ImageCacheId", NO_IMAGE_CACHE), ("DryRun", "true")],
        right: Some((RamResource::ImageCaches, "change image caches")),
    }
    /// Removes an image cache.
    Delete = "DeleteImageCache" {
        product: Product::Eci,
        effect: Effect::Changes,
        takes: &["ImageCacheId", "ClientToken"],
        lenient: true,
        probe: &[("ImageCacheId", NO_IMAGE_CACHE), ("DryRun", "true")],
        right: Some((RamResource::ImageCaches, "delete image caches, and what a lost create left behind")),
    }
    /// Shows an account's quotas and what of them is used.
    Usage = "ListUsage" {
        product: Product::Eci,
        effect: Effect::Looks,
        takes: &[],
        lenient: true,
        probe: &[],
        right: Some((RamResource::Everything, "show quotas and how much of them is used")),
    }
    /// Gives the temporary credentials of a role. It is not probed: the session assumes it.
    AssumeRole = "AssumeRole" {
        product: Product::Sts,
        effect: Effect::Looks,
        takes: &[],
        lenient: true,
        probe: &[],
        right: Some((RamResource::Role, "assume the role of the account")),
    }
    /// Says whose the credentials are.
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
    /// The cloud's name for it.
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// Whose it is.
    pub const fn product(self) -> Product {
        self.facts().product
    }

    /// Whether it only looks, and changes no image cache.
    pub const fn is_look(self) -> bool {
        matches!(self.facts().effect, Effect::Looks)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
