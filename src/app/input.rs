//! What the application's methods take and return beside domain types: requests as callers sent them, and answers.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::precondition::Precondition;
use super::view::{EventView, FailureView, GateView, ImageCacheView};
use crate::domain::audit::Outcome;
use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::identity::caller::{Scope, TeamId};
use crate::domain::ids::CacheId;
use crate::domain::image_cache::content::Ensured;
use crate::domain::image_cache::status::Status;
use crate::domain::policy::Policy;
use crate::domain::region::Region;
use crate::domain::webhooks::endpoint::{EndpointOptions, EventFormat};

mod adoption;

pub use adoption::{AdoptionOrder, AdoptionTarget};

/// An idempotency key, and the request that it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the caller sent it: 1 to 255 printable ASCII characters.
    pub key: String,
    /// The request's meaning in a canonical form. Only a keyed hash of it is stored.
    pub meaning: Vec<u8>,
    /// The exact body, where it can differ from `meaning`: earlier versions of the gateway bound keys to the body.
    pub exact: Option<Vec<u8>>,
}

/// Options that apply to every change of an image cache.
#[derive(Debug, Clone, Default)]
pub struct ChangeOptions {
    /// Which version of the image cache the change requires.
    pub precondition: Precondition,
    /// How long to wait for the cloud's answer.
    pub wait: Duration,
    /// The idempotency key, if the caller sent one.
    pub key: Option<IdempotencyKey>,
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The image cache as it is now.
    pub image_cache: ImageCacheView,
    /// Whether the cloud has answered. If not, the operation continues in the background.
    pub settled: bool,
    /// Whether this is the stored answer of an earlier request with the same key.
    pub replayed: bool,
    /// For a replayed answer only: the status of the image cache now.
    pub status_now: Option<Status>,
}

/// The result of asking for a cache with given content.
#[derive(Debug, Clone, PartialEq)]
pub struct EnsuredCache {
    /// Whether an existing cache was found or a new one was created.
    pub outcome: Ensured,
    /// The image cache and, if it was created, the result of the create.
    pub changed: Changed,
}

/// The result of waiting for an image cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Waited {
    /// Whether the image cache became ready before the timeout.
    pub condition_met: bool,
    /// Whether it is settled, so that waiting longer is pointless.
    pub done: bool,
    /// The image cache as it is now.
    pub image_cache: ImageCacheView,
}

/// One page of a team's event feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedPage {
    /// The events, oldest first.
    pub items: Vec<EventView>,
    /// Whether more events are available now.
    pub has_more: bool,
    /// The cursor to continue from, now or later.
    pub next_cursor: String,
}

/// A gate check as a pipeline sent it, not yet validated.
#[derive(Debug, Clone)]
pub struct GateQuestion {
    /// The region where its pods will run.
    pub region: Option<String>,
    /// The images of its pods: 1 to 20 references.
    pub images: Vec<String>,
    /// The pods' ephemeral storage in GiB, if the image cache must fit it.
    pub ephemeral_storage_gib: Option<i32>,
}

/// The result of a gate check.
#[derive(Debug, Clone, PartialEq)]
pub enum GateAnswer {
    /// A usable image cache holds all the images: the pipeline can go on.
    Usable(Box<GateView>),
    /// An image cache with these images is being built.
    NotYet {
        /// The image cache being built.
        id: CacheId,
        /// Its current status.
        status: Status,
        /// When it is expected to be usable.
        expected_at: Instant,
        /// How many seconds to wait before asking again: 1 to 60.
        retry_after_seconds: u32,
    },
    /// Every image cache with these images has failed.
    Failed {
        /// The newest failed image cache.
        id: CacheId,
        /// Its current status.
        status: Status,
        /// Why it failed, if known.
        failure: Option<Box<FailureView>>,
    },
    /// No image cache holds all the images.
    Nothing,
}

/// A webhook endpoint to create, as requested.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// The URL to deliver to: http or https, at most 2,048 characters.
    pub url: String,
    /// A description for people: at most 256 characters.
    pub description: Option<String>,
    /// Which events it receives, and how they are delivered.
    pub options: EndpointOptions,
    /// Custom headers by name, sent with every delivery.
    pub headers: BTreeMap<String, SecretString>,
    /// Whether to sign with ed25519 as well.
    pub ed25519: bool,
    /// The secret to sign with, `whsec_…`. A new one is generated if none is given.
    pub secret: Option<SecretString>,
    /// Whether to accept the endpoint without a challenge.
    pub skip_challenge: bool,
    /// Whether to send the challenge later. Until the endpoint passes it, it receives no events.
    pub verify_later: bool,
}

/// Changes to a webhook endpoint. A field that is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct EndpointChanges {
    /// The new URL.
    pub url: Option<String>,
    /// The new description; empty removes it.
    pub description: Option<String>,
    /// The new event types; empty means all types.
    pub event_types: Option<Vec<EventType>>,
    /// The new name pattern; empty removes it.
    pub name_pattern: Option<String>,
    /// The new tags, replacing all current ones.
    pub tags: Option<BTreeMap<String, String>>,
    /// The new rate limit in deliveries per second; 0 removes it.
    pub rate_per_second: Option<i32>,
    /// Whether to deliver events in order.
    pub ordered: Option<bool>,
    /// The new payload format.
    pub format: Option<EventFormat>,
    /// The new timeout in seconds; 0 means the gateway's default.
    pub timeout_seconds: Option<i32>,
    /// The new retry schedule; empty means the gateway's default.
    pub retry_schedule: Option<Vec<i32>>,
    /// The new custom headers, replacing all current ones.
    pub headers: Option<BTreeMap<String, SecretString>>,
    /// Whether to sign with ed25519 as well.
    pub ed25519: Option<bool>,
    /// Whether to accept a new URL without a challenge.
    pub skip_challenge: bool,
}

/// An access key to create, as requested.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// A description for people: at most 256 characters.
    pub description: Option<String>,
    /// The scopes that the key grants.
    pub scopes: Vec<Scope>,
    /// When the key expires; `None` leaves it to the policy and the caller's own credential.
    pub expires_at: Option<Instant>,
}

/// An API key to create, as requested.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// A name for people: 1 to 128 characters.
    pub name: String,
    /// The team that the key acts for; `None` means the caller's team.
    pub team: Option<TeamId>,
    /// The scopes that the key grants.
    pub scopes: Vec<Scope>,
    /// When the key expires; `None` leaves it to the policy and the caller's own credential.
    pub expires_at: Option<Instant>,
}

/// A revocation of tokens to create, as requested.
#[derive(Debug, Clone)]
pub struct NewRevocation {
    /// Revokes only tokens that act for this team.
    pub team: Option<TeamId>,
    /// Whether keys that were created with these tokens stay valid.
    pub keep_keys: bool,
    /// Revokes the token with this `jti`.
    pub jti: Option<String>,
    /// Revokes the tokens of this subject.
    pub subject: Option<String>,
    /// Revokes only tokens that were issued before this time.
    pub issued_before: Option<Instant>,
    /// The reason, for people: 1 to 256 characters.
    pub reason: Option<String>,
}

/// A team to register, as requested.
#[derive(Debug, Clone)]
pub struct NewTeam {
    /// The team's id, as tokens name it.
    pub id: TeamId,
    /// A name for people: 1 to 128 characters.
    pub display_name: String,
    /// The people to contact about this team.
    pub contacts: Vec<String>,
    /// The cost centre that pays for this team's caches.
    pub cost_centre: Option<String>,
    /// A policy for this team, if it has its own.
    pub policy: Option<Policy>,
    /// Whether all requests of this team are refused.
    pub disabled: bool,
}

/// Changes to a team. A field that is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct TeamChanges {
    /// The new display name.
    pub display_name: Option<String>,
    /// The new contacts, replacing all current ones.
    pub contacts: Option<Vec<String>>,
    /// The new cost centre; empty removes it.
    pub cost_centre: Option<String>,
    /// Whether all requests of this team are refused.
    pub disabled: Option<bool>,
}

/// A cloud account to add or replace, as requested.
#[derive(Debug, Clone)]
pub struct NewCloudAccount {
    /// The `AccessKeyId` at the cloud.
    pub access_key_id: String,
    /// Its secret; `None` keeps the stored one.
    pub access_key_secret: Option<SecretString>,
    /// The role that the key assumes, if any.
    pub role: Option<NewAccountRole>,
    /// The regions where the account may be used; empty means all that the gateway may use, `None` keeps the current.
    pub regions: Option<Vec<Region>>,
    /// The address of the cloud's API for this account.
    pub api_endpoint: Option<String>,
    /// Whether the account is disabled, so that nothing is sent with it.
    pub disabled: bool,
}

/// The role that a cloud account assumes, as requested.
#[derive(Debug, Clone)]
pub struct NewAccountRole {
    /// The role's ARN: `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// The name of the role's session.
    pub session_name: Option<String>,
    /// How long the session's credentials last, in seconds.
    pub duration_seconds: Option<i32>,
    /// The external id that the role's owner requires. `None` keeps the stored one; empty removes it.
    pub external_id: Option<SecretString>,
}

/// How a request ended, for its audit entry.
#[derive(Debug, Clone)]
pub struct RequestEnd {
    /// The API's operation id, or `unknown_route`.
    pub action: String,
    /// The resource id in the path, if any.
    pub resource: Option<String>,
    /// The outcome that the audit entry records.
    pub outcome: Outcome,
    /// The HTTP status of the response.
    pub http_status: i32,
    /// The problem code of the response, if it is an error.
    pub code: Option<String>,
    /// The cloud's RequestId, if the cloud refused the request.
    pub provider_request_id: Option<String>,
}

/// Whether the gateway can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The database answers and accepts writes.
    pub database: bool,
    /// All migrations of this binary are applied.
    pub migrations: bool,
    /// A worker has sent a heartbeat in the last 30 s.
    pub workers: bool,
    /// What is wrong with a database that answers but cannot be used.
    pub ailment: Option<&'static str>,
    /// The tasks of this process that panicked in their last run.
    pub ailing_tasks: Vec<&'static str>,
    /// What does not work as it should although requests are served: one sentence each.
    pub degraded: Vec<String>,
}

/// The instance to find matching image caches for, as requested.
#[derive(Debug, Clone)]
pub struct MatchQuestion {
    /// Searches only image caches of this cloud account; `None` searches all accounts.
    pub account: Option<String>,
    /// The region where the instance runs.
    pub region: String,
    /// The instance's images: 1 to 100 references.
    pub images: Vec<String>,
    /// The instance's ephemeral storage in GiB; `None` means 30.
    pub ephemeral_storage_gib: Option<i32>,
    /// Whether all images must match exactly.
    pub full_match: bool,
    /// How many of the images must match exactly.
    pub minimum_matches: Option<i32>,
}
