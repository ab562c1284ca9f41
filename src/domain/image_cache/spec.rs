//! What a team asks for: the parsed input of a create; of an update in [`changes`]. What is known of each field stands
//! once, in [`fields`].
//!
//! The limits ([`limits`]) are those of CreateImageCache and UpdateImageCache (version 2018-08-08) and are checked
//! here, before the cloud is called. A field error names the field as REST spells it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::region::Region;

pub mod changes;
pub mod fields;
pub(in crate::domain) mod limits;
pub mod values;

pub use changes::ImageCacheChanges;
use fields::objects::{ACR_REGISTRY, ACR_REGISTRY_MEMBERS, Member, acr_registry_members};
use fields::table::spec_fields;
use fields::{FIELDS, Field};
use values::{FieldValue, SpecValue, Text, Texts, ValueSource, Word};

/// The most images one cache holds (ECI, "image cache overview").
pub const MAX_IMAGES: usize = FIELDS.images.most();
/// The most tags.
pub const MAX_TAGS: usize = FIELDS.tags.most();
/// The size in GiB that the cloud takes where none is asked for.
pub const DEFAULT_SIZE_GIB: i32 = FIELDS.size_gib.usual();
/// The allowed sizes in GiB.
pub const SIZE_GIB: std::ops::RangeInclusive<i32> = FIELDS.size_gib.range();
/// The allowed retention in days.
pub const RETENTION_DAYS: std::ops::RangeInclusive<i32> = FIELDS.retention_days.range();
/// What the gateway's own tags begin with; no team may use it.
pub const GATEWAY_TAGS: &str = "eci-cache-gateway:";
/// The tag that ties a cloud cache to our operation: the surest way to find a create whose answer was lost.
/// Where a team uses all 20 tags there is no room for it, and the name with exactly those tags has to do.
pub const OPERATION_TAG: &str = "eci-cache-gateway:operation";

macro_rules! spec {
    ( {} { $( $must:tt )* } { $( $may:tt )* } $logins:tt ) => {
        spec! { @struct { $( $must )* } { $( $may )* } }
        spec! { @all $( $must )* $( $may )* }
    };
    ( @struct
        { $( $must:ident: $must_type:ty as $must_json:ty, $must_wire:literal, $must_schema:tt, $must_rules:tt,
            $must_purpose:literal $( like $example:literal )?, $must_update:tt, $must_shown:tt; )* }
        { $( $may:ident: $may_type:ty as $may_json:ty, $may_wire:literal, $may_schema:tt, $may_rules:tt,
            $may_purpose:literal, $may_update:tt, $may_shown:tt; )* }
    ) => {
        /// What an image cache shall be. Holds no secret, so it may be stored and shown. Its fields are those of the
        /// table ([`fields`]).
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct ImageCacheSpec {
            $( #[doc = $must_purpose] pub $must: $must_type, )*
            $( #[doc = $may_purpose] #[serde(default)] pub $may: $may_type, )*
        }

        impl ImageCacheSpec {
            /// One of which only that is said which must be.
            pub fn bare($( $must: $must_type ),*) -> Self {
                Self { $( $must, )* $( $may: Default::default(), )* }
            }
        }
    };
    ( @all $( $field:ident: $type:ty as $json:ty, $wire:literal, $schema:tt, $rules:tt,
        $purpose:literal $( like $example:literal )?, $update:tt, $shown:tt; )* ) => {
        impl ImageCacheSpec {
            /// Every field with its value, in the order of the table.
            pub fn given(&self) -> [(&'static Field, FieldValue<'_>); [$( stringify!($field) ),*].len()] {
                [$( (&FIELDS.$field, self.$field.given()) ),*]
            }

            /// Reads every field, in the order of the table.
            pub fn read<S: ValueSource>(source: &S) -> Result<Self, S::Error> {
                Ok(Self { $( $field: SpecValue::read(source, &FIELDS.$field)?, )* })
            }
        }
    };
}
spec_fields!(spec! {});

macro_rules! acr_registry {
    (
        {}
        { $( $must:ident: $must_type:ty as $must_json:ty, $must_wire:literal, $must_schema:tt, $must_in_update:tt,
            $must_purpose:literal $( like $example:literal )?, $must_shown:tt; )* }
        { $( $may:ident: $may_type:ty as $may_json:ty, $may_wire:literal, $may_schema:tt, $may_in_update:tt,
            $may_purpose:literal, $may_shown:tt; )* }
    ) => {
        /// An ACR Enterprise registry. Its members are those of the table ([`fields::objects`]).
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct AcrRegistry {
            $( #[doc = $must_purpose] pub $must: $must_type, )*
            $( #[doc = $may_purpose] #[serde(default, skip_serializing_if = "Text::is_unset")] pub $may: $may_type, )*
        }

        impl AcrRegistry {
            /// Every member with its value, in the order of the table.
            pub fn given(&self) -> [(&'static Member, FieldValue<'_>); ACR_REGISTRY_MEMBERS.len()] {
                [$( (&ACR_REGISTRY.$must, self.$must.seen()), )* $( (&ACR_REGISTRY.$may, self.$may.seen()), )*]
            }

            /// Reads every member, in the order of the table.
            pub fn read<S: Texts>(source: &S) -> Result<Self, S::Error> {
                Ok(Self {
                    $( $must: Text::take(source, &ACR_REGISTRY.$must)?, )*
                    $( $may: Text::take(source, &ACR_REGISTRY.$may)?, )*
                })
            }
        }
    };
}
acr_registry_members!(acr_registry! {});

/// For which instances (`OsType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OsType {
    /// The cloud's default.
    Linux,
    /// Windows containers.
    Windows,
}

impl Word for OsType {
    const ALL: &'static [Self] = &[Self::Linux, Self::Windows];

    fn as_wire(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
        }
    }

    /// In any case.
    fn from_wire(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|os| os.as_wire().eq_ignore_ascii_case(word))
    }
}

/// What happens at the quota (`EliminationStrategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EliminationStrategy {
    /// It is kept: the cloud's default, an empty word.
    Keep,
    /// The least recently used one is dropped first.
    Lru,
}

impl Word for EliminationStrategy {
    const ALL: &'static [Self] = &[Self::Keep, Self::Lru];

    fn as_wire(self) -> &'static str {
        match self {
            Self::Keep => "",
            Self::Lru => "LRU",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Lru => "lru",
        }
    }
}

/// A login to a registry (`ImageRegistryCredential.N`). The password never reaches a log or an answer.
#[derive(Debug, Clone)]
pub struct RegistryCredential {
    /// The registry's host, without `http://` or `https://`.
    pub server: String,
    /// The user name.
    pub user_name: String,
    /// The password; [`SecretString`] prints as `[REDACTED]`.
    pub password: SecretString,
}

/// A create as it was asked for.
#[derive(Debug, Clone)]
pub struct NewImageCache {
    /// In which cloud account; where nothing is said, the one that the team usually uses.
    pub cloud_account: Option<String>,
    /// Everything that may be stored in the open.
    pub spec: ImageCacheSpec,
    /// Everything that may not.
    pub registry_credentials: Vec<RegistryCredential>,
}
