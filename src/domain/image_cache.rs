//! One image cache with all its fields, as `store` reads and writes it.

use serde::{Deserialize, Serialize};

use super::clock::Instant;
use super::failure::CloudError;
use super::identity::caller::TeamId;
use super::ids::{CacheId, OperationId, TransitionId};
use drift::Reconciled;
use spec::ImageCacheSpec;
use status::Status;

pub mod content;
pub mod difference;
pub mod drift;
pub mod observation;
pub mod spec;
pub mod status;

/// Why a cache failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The cloud's code or event reason, or a code of the gateway.
    pub code: String,
    /// The cloud's own message, redacted.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The cloud's RequestId, if a call was refused.
    pub provider_request_id: Option<String>,
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        let CloudError { code, message, request_id, http_status: _, denied: _ } = error;
        Self { code, message, retryable: false, provider_request_id: request_id }
    }
}

/// One image cache of one team.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageCache {
    /// The gateway's id of the image cache.
    pub id: CacheId,
    /// The team that owns it.
    pub team: TeamId,
    /// The cloud account that it is in.
    pub account: String,
    /// What was requested, including all updates.
    pub spec: ImageCacheSpec,
    /// Where it stands; only [`Status::Ready`] is usable.
    pub status: Status,
    /// The status in the cloud's own word.
    pub provider_status: Option<String>,
    /// Counts the builds: create is 1, each update adds 1.
    pub generation: i32,
    /// Counts the changes of the row: compare-and-set, `ETag`.
    pub version: i64,
    /// How many transitions it has had: the `sequence` of the newest.
    pub sequence: i64,
    /// The newest operation on it.
    pub operation: OperationId,
    /// The cloud's id, once known.
    pub eci_cache_id: Option<String>,
    /// The instance that builds it.
    pub container_group_id: Option<String>,
    /// The standard snapshot.
    pub snapshot_id: Option<String>,
    /// The local snapshot of a Flash cache, while it exists.
    pub flash_snapshot_id: Option<String>,
    /// How far the cloud says the build is. Ready may be below 100 (Flash).
    pub progress_percent: Option<i32>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it was requested.
    pub created_at: Instant,
    /// When the row last changed.
    pub updated_at: Instant,
    /// When the current generation became usable.
    pub ready_at: Option<Instant>,
    /// When the cloud will drop it; none means never.
    pub expires_at: Option<Instant>,
    /// What the current generation was built over: an update's Ready counts only with a snapshot other than this.
    pub evidence: BuildEvidence,
    /// When an instance last used it.
    pub last_matched_at: Option<Instant>,
    /// The cloud's own object, complete, as last seen: it preserves fields that we do not know.
    pub provider: Option<serde_json::Value>,
    /// How many lookups in a row did not find it.
    pub misses: i32,
    /// What the comparison with the cloud has found.
    pub reconciled: Reconciled,
    /// The bucket in its tag since its create, so that builds that started together can be read together.
    pub poll_bucket: Option<String>,
}

/// What distinguishes a new build's Ready from the old one's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildEvidence {
    /// The snapshot before the update.
    pub snapshot_before: Option<String>,
    /// The Flash snapshot before the update.
    pub flash_snapshot_before: Option<String>,
    /// The cloud has reported Updating since.
    pub build_seen: bool,
    /// The update before this one had failed, so an UpdateFailed may be the old one's.
    pub failed_before: bool,
    /// When the cloud accepted the update.
    pub accepted_at: Option<Instant>,
}

/// An observed change of status, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The gateway's id of the transition.
    pub id: TransitionId,
    /// The image cache that changed.
    pub cache: CacheId,
    /// Numbers the transitions of one cache from 1, without gaps.
    pub sequence: i64,
    /// The build that it belongs to.
    pub generation: i32,
    /// The status before; none for the first transition.
    pub from: Option<Status>,
    /// The status after.
    pub to: Status,
    /// The cloud's status at that moment.
    pub provider_status: Option<String>,
    /// The reason: `requested`, `accepted`, `refused`, `observed`, `vanished`, `adopted`, `retention_ended`,
    /// `evicted_at_quota`, `deleted_elsewhere`, `shown_again`.
    pub reason: String,
    /// When we learned of it.
    pub at: Instant,
}
