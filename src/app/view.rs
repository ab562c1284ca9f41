//! Everything callers and webhook consumers see, as JSON: one shape for REST, events and stored answers.
//!
//! No nulls: what is unset is absent. Times are RFC 3339 in UTC. The doc comments are the OpenAPI text.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::identity::caller::Caller;
use crate::domain::image_cache::Transition;
use crate::domain::image_cache::status::Status;
use crate::domain::operation::Operation;

mod access_keys;
mod acr;
mod adoption;
mod api_keys;
mod audit;
mod cloud_accounts;
mod cloud_event;
mod convert;
mod discovery;
mod drift;
mod dry_run;
mod event;
mod failure;
#[cfg(test)]
pub(crate) mod fixtures;
mod form;
mod found;
mod gate;
mod image_cache;
mod issuers;
mod matches;
mod me;
mod one_time_secret;
mod policies;
mod provider;
mod webhooks;
mod webhooks_convert;

pub use access_keys::AccessKeyView;
pub use acr::AcrRegistryView;
pub use adoption::{AdoptedCacheView, AdoptionView, SkippedCacheView};
pub use api_keys::{ApiKeyView, RevocationView};
pub(super) use audit::JudgedEntry;
pub use audit::{AuditEntryView, CheckpointView, ConsistencyProofView, InclusionProofView};
pub use cloud_accounts::{AccountRoleView, CloudAccountView};
pub use cloud_event::{CLOUD_EVENTS, CloudEventView, cloud_event};
pub use discovery::{RegionListView, RegionView};
pub use drift::DriftView;
pub use dry_run::{CostView, DryRunView, PlannedImageCacheView, PolicyRefusalView};
pub use event::{ChangedView, FieldChangeView, MAX_BODY, StatusChangeView};
pub use failure::FailureView;
pub use form::IMAGE_CACHE_FORM;
pub use found::FoundCacheView;
pub use gate::GateView;
pub use image_cache::ImageCacheView;
pub use issuers::IssuerView;
pub use matches::{AnnotationsView, MatchAnnotationsView, MatchCandidateView, MatchView, NearMissView};
pub use me::Me;
pub use policies::{AmountsView, PolicyView, RegionProfileView, TeamCostView, TeamPolicyView, TeamView};
pub use provider::{AccountUsage, ProviderEventView, ProviderRecordView, UsageView};
pub use webhooks::*;

/// The status of an image cache. Only `ready` means that it is usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImageCacheStatus)]
pub enum StatusView {
    /// Asked for; the cloud has not confirmed it yet.
    Pending,
    /// The cloud is preparing the build.
    Preparing,
    /// The cloud is pulling images and taking the snapshot.
    Creating,
    /// Usable.
    Ready,
    /// Will never be usable.
    Failed,
    /// A new build is running.
    Updating,
    /// The last update failed.
    UpdateFailed,
    /// Its removal was asked for.
    Deleting,
    /// Removed.
    Deleted,
    /// Gone after its retention ended.
    Expired,
    /// Dropped by the cloud to make room at the quota.
    Evicted,
    /// Gone without the gateway's doing.
    Lost,
    /// The cloud shows a word that the gateway does not know; see `provider_status`.
    // In an event of a later version: a status that this one does not know.
    #[serde(other)]
    Unknown,
}

/// A durable request to change something in the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Operation)]
pub struct OperationView {
    /// The id of the operation, `op_…`.
    pub id: String,
    /// The team that requested the operation.
    pub team: String,
    /// The kind of operation: `create`, `update` or `delete`.
    pub kind: String,
    /// The status of the operation: `waiting` (a delete that waits for the operation in progress on the same image
    /// cache), `running`, `quarantined` (the cloud knows the request's token with different parameters; nothing more
    /// is sent, and the outcome is known within 17 minutes), `succeeded` or `refused`.
    pub status: String,
    /// The image cache that the operation is about.
    pub image_cache_id: String,
    /// What the operation waits for, if known: `cloud_account` (nothing can currently be sent with the account,
    /// because an administrator disabled it or its credentials cannot be decrypted) or `cloud_credentials` (the cloud
    /// does not let the account assume its role). The gateway's administrators can resolve either. New values may be
    /// added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub waits_for: Option<String>,
    /// The number of attempts that were signed.
    pub attempts: i32,
    /// Why the cloud refused the operation. If it is present on an operation that has not ended, an earlier attempt
    /// may still have been carried out: the operation then ends within 17 minutes, either with this failure or with
    /// success.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<FailureView>,
    /// When the operation was requested.
    pub created_at: DateTime<Utc>,
    /// When the operation ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// A change of status that the gateway observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Transition)]
pub struct TransitionView {
    /// The id of the transition, `tr_…`.
    pub id: String,
    /// The number of the transition, counted from 1 within the image cache, without gaps.
    pub sequence: i64,
    /// The generation of the image cache, which counts its builds.
    pub generation: i32,
    /// The previous status. Absent for the first transition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from: Option<StatusView>,
    /// The new status.
    pub to: StatusView,
    /// The cloud's own name for the status at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_status: Option<String>,
    /// The reason for the transition: `requested`, `accepted`, `refused`, `observed`, `vanished`, `adopted`,
    /// `retention_ended`, `evicted_at_quota` or `deleted_elsewhere`. New values may be added.
    pub reason: String,
    /// When the gateway learned of the transition.
    pub created_at: DateTime<Utc>,
}
