//! One observation of an image cache at the cloud, in parsed form.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;

/// One of the cloud's events about a cache, as DescribeImageCaches returns them (the newest 50).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderEvent {
    /// `Name`, unique within the cache.
    pub name: String,
    /// `Type`: `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `Reason`, for example `Started`.
    pub reason: String,
    /// `Message`.
    pub message: String,
    /// `Count`.
    pub count: i64,
    /// `FirstTimestamp`.
    pub first_at: Option<Instant>,
    /// `LastTimestamp`.
    pub last_at: Option<Instant>,
}

/// An image cache as the cloud reports it, reduced to what we decide by and store.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// `ImageCacheId`, imc-….
    pub eci_cache_id: String,
    /// `Status`, in the cloud's own word.
    pub status: String,
    /// `Progress` in percent, from `"100%"`.
    pub progress_percent: Option<i32>,
    /// `ContainerGroupId` of the instance that builds it.
    pub container_group_id: Option<String>,
    /// `SnapshotId` of the standard snapshot.
    pub snapshot_id: Option<String>,
    /// `FlashSnapshotId` of the local snapshot, while it exists.
    pub flash_snapshot_id: Option<String>,
    /// `CreationTime`.
    pub created_at: Option<Instant>,
    /// `ExpireDateTime`; none means never.
    pub expires_at: Option<Instant>,
    /// `Images`.
    pub images: Vec<String>,
    /// `Tags`, in the cloud's order.
    pub tags: Vec<(String, String)>,
    /// `ImageCacheName`.
    pub name: String,
    /// `ImageCacheSize` in GiB.
    pub size_gib: Option<i32>,
    /// `ResourceGroupId`.
    pub resource_group_id: Option<String>,
    /// `EliminationStrategy`.
    pub elimination_strategy: Option<String>,
    /// `LastMatchedTime`.
    pub last_matched_at: Option<Instant>,
    /// The complete object as the cloud sent it, including fields that we do not know.
    pub raw: serde_json::Value,
    /// `Events`, newest last.
    pub events: Vec<ProviderEvent>,
}
