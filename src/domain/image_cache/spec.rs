//! What a team asks for: the parsed input of a create; of an update in [`changes`], the limits in [`limits`].
//!
//! The limits are those of CreateImageCache and UpdateImageCache (version 2018-08-08) and are checked here,
//! before the cloud is called. A field error names the field as REST spells it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::region::Region;

pub mod changes;
mod limits;

pub use changes::ImageCacheChanges;

/// The most images one cache holds (ECI, "image cache overview").
pub const MAX_IMAGES: usize = 20;
/// The most tags.
pub const MAX_TAGS: usize = 20;
/// The most ACR Enterprise registries. The cloud names no limit; one per image is enough for any use.
pub const MAX_ACR_REGISTRIES: usize = 20;
/// The most domains of one of them.
pub const MAX_ACR_DOMAINS: usize = 20;
/// The most plain-HTTP or insecure registries.
pub const MAX_REGISTRIES: usize = 20;
/// The allowed snapshot copies: one serves about 1,000 instances created at once. The cloud names no limit.
pub const COPY_COUNT: std::ops::RangeInclusive<i32> = 1..=100;
/// The longest comment.
pub const MAX_ANNOTATIONS: usize = 1024;
/// The most vSwitches, of which the cloud picks one.
pub const MAX_VSWITCHES: usize = 10;
/// The most registry logins. The cloud names no limit; one per image is enough for any use.
pub const MAX_REGISTRY_CREDENTIALS: usize = 20;
/// The allowed sizes in GiB.
pub const SIZE_GIB: std::ops::RangeInclusive<i32> = 20..=32_768;
/// The allowed retention in days.
pub const RETENTION_DAYS: std::ops::RangeInclusive<i32> = 1..=65_536;
/// What the gateway's own tags begin with; no team may use it.
pub const GATEWAY_TAGS: &str = "eci-cache-gateway:";
/// The tag that ties a cloud cache to our operation: the surest way to find a create whose answer was lost.
/// Where a team uses all 20 tags there is no room for it, and the name with exactly those tags has to do.
pub const OPERATION_TAG: &str = "eci-cache-gateway:operation";

/// What an image cache shall be. Holds no secret, so it may be stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCacheSpec {
    /// `ImageCacheName`: 1 to 128 characters.
    pub name: String,
    /// `RegionId`. Cannot be changed later.
    pub region: Region,
    /// `Image.N`: 1 to 20 image references.
    pub images: Vec<String>,
    /// `VSwitchId`: up to 10, joined by commas on the wire.
    #[serde(default)]
    pub vswitch_ids: Vec<String>,
    /// `SecurityGroupId`.
    #[serde(default)]
    pub security_group_id: Option<String>,
    /// `EipInstanceId`, for pulling over the public network.
    #[serde(default)]
    pub eip_instance_id: Option<String>,
    /// `ImageCacheSize` in GiB; the cloud takes 20 where none is given.
    #[serde(default)]
    pub size_gib: Option<i32>,
    /// `RetentionDays`; absent means never to expire.
    #[serde(default)]
    pub retention_days: Option<i32>,
    /// `Flash`: usable as soon as a local snapshot exists.
    #[serde(default)]
    pub flash: Option<bool>,
    /// `AutoMatchImageCache`: reuse the layers of existing caches while building.
    #[serde(default)]
    pub reuse_layers: Option<bool>,
    /// `Tag.N`: up to 20.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// `ZoneId`. Cannot be changed later.
    #[serde(default)]
    pub zone_id: Option<String>,
    /// `ResourceGroupId`.
    #[serde(default)]
    pub resource_group_id: Option<String>,
    /// `AcrRegistryInfo.N`: ACR Enterprise registries that are read without a login.
    #[serde(default)]
    pub acr_registries: Vec<AcrRegistry>,
    /// `PlainHttpRegistry`: registries (host, or host and port) read over HTTP. Cannot be changed later.
    #[serde(default)]
    pub plain_http_registries: Vec<String>,
    /// `InsecureRegistry`: registries whose certificate is not checked. Cannot be changed later.
    #[serde(default)]
    pub insecure_registries: Vec<String>,
    /// `Annotations`: a comment. Cannot be changed later.
    #[serde(default)]
    pub annotations: Option<String>,
    /// `OsType`. Cannot be changed later.
    #[serde(default)]
    pub os_type: Option<OsType>,
    /// `StandardCopyCount`: regular snapshots.
    #[serde(default)]
    pub standard_copy_count: Option<i32>,
    /// `FlashCopyCount`: temporary local snapshots.
    #[serde(default)]
    pub flash_copy_count: Option<i32>,
    /// `EliminationStrategy`: whether it may be dropped at the quota.
    #[serde(default)]
    pub elimination_strategy: Option<EliminationStrategy>,
}

/// An ACR Enterprise registry (`AcrRegistryInfo.N`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcrRegistry {
    /// `InstanceId`.
    pub instance_id: String,
    /// `InstanceName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_name: Option<String>,
    /// `RegionId`; the cache's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_id: Option<String>,
    /// `Domain.M`; all of the instance's where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// `ArnService`: the role that reads it for the service. Cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn_service: Option<String>,
    /// `ArnUser`: the role of the account that owns it. Cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn_user: Option<String>,
}

/// For which instances (`OsType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OsType {
    /// The cloud's default.
    Linux,
    /// Windows containers.
    Windows,
}

impl OsType {
    /// The cloud's word.
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
        }
    }

    /// Reads the cloud's word, in any case.
    pub fn from_wire(word: &str) -> Option<Self> {
        [Self::Linux, Self::Windows].into_iter().find(|os| os.as_wire().eq_ignore_ascii_case(word))
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

impl EliminationStrategy {
    /// The cloud's word.
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::Keep => "",
            Self::Lru => "LRU",
        }
    }

    /// Reads the cloud's word.
    pub fn from_wire(word: &str) -> Option<Self> {
        [Self::Keep, Self::Lru].into_iter().find(|strategy| strategy.as_wire() == word)
    }
}

/// A login to a registry (`ImageRegistryCredential.N`). The password never reaches a log or an answer.
#[derive(Debug, Clone)]
pub struct RegistryCredential {
    /// The registry's host, without `http://` or `https://`.
    pub server: String,
    /// The user.
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
