//! What callers hand in and get back, beyond the domain's own words.

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
use crate::domain::reconcile::adoption::AdoptionFilter;
use crate::domain::region::Region;
use crate::domain::webhooks::endpoint::{EndpointOptions, EventFormat};

/// An idempotency key with what it was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the caller sent it: 1 to 255 printable ASCII characters.
    pub key: String,
    /// What the request means, in one form; only a keyed hash of it is kept.
    pub meaning: Vec<u8>,
    /// Its exact body, where that may differ: what keys of earlier versions of the gateway were bound to.
    pub exact: Option<Vec<u8>>,
}

/// How a change may be made.
#[derive(Debug, Clone, Default)]
pub struct ChangeOptions {
    /// In which version only.
    pub precondition: Precondition,
    /// How long to wait for the cloud's answer.
    pub wait: Duration,
    /// What the change is known by, should it be asked for again.
    pub key: Option<IdempotencyKey>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The image cache as it is now.
    pub image_cache: ImageCacheView,
    /// Whether the cloud has answered; if not, the operation goes on without us.
    pub settled: bool,
    /// Whether this is the stored answer of an earlier request with the same key.
    pub replayed: bool,
    /// Of such an answer: where the image cache stands by now.
    pub status_now: Option<Status>,
}

/// A cache of the content that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct EnsuredCache {
    /// How it came.
    pub outcome: Ensured,
    /// The image cache, and what became of its create where it was created.
    pub changed: Changed,
}

/// What became of a wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Waited {
    /// Whether it is ready.
    pub condition_met: bool,
    /// The image cache as it is now.
    pub image_cache: ImageCacheView,
}

/// A page of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedPage {
    /// The events, oldest first.
    pub items: Vec<EventView>,
    /// Whether there are more already.
    pub has_more: bool,
    /// What continues it, now or later.
    pub next_cursor: String,
}

/// What a pipeline asks the gate, as it was asked.
#[derive(Debug, Clone)]
pub struct GateQuestion {
    /// Where its pods will run.
    pub region: Option<String>,
    /// Its images: 1 to 20 references.
    pub images: Vec<String>,
    /// The pods' ephemeral storage in GiB, if the image cache must fit it.
    pub ephemeral_storage_gib: Option<i32>,
}

/// What the gate answers.
#[derive(Debug, Clone, PartialEq)]
pub enum GateAnswer {
    /// Go on.
    Usable(Box<GateView>),
    /// One is on its way.
    NotYet {
        /// Which.
        id: CacheId,
        /// Where it stands.
        status: Status,
        /// When it is expected to be usable.
        expected_at: Instant,
        /// When to ask again: 1 to 60.
        retry_after_seconds: u32,
    },
    /// What there is has failed.
    Failed {
        /// The newest.
        id: CacheId,
        /// Where it stands.
        status: Status,
        /// Why.
        failure: Option<Box<FailureView>>,
    },
    /// Nothing holds all the images.
    Nothing,
}

/// A webhook endpoint as it was asked for.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Where to: http or https, at most 2,048 characters.
    pub url: String,
    /// For people: at most 256 characters.
    pub description: Option<String>,
    /// Of what, and how.
    pub options: EndpointOptions,
    /// Headers of its own, by their names.
    pub headers: BTreeMap<String, SecretString>,
    /// Whether it signs with ed25519, too.
    pub ed25519: bool,
    /// What it shall sign with: `whsec_…`; a new secret where none is brought.
    pub secret: Option<SecretString>,
    /// Whether to take it without the echo of a challenge.
    pub skip_challenge: bool,
    /// Whether the challenge comes later: until then it gets no event.
    pub verify_later: bool,
}

/// What to change of a webhook endpoint; what is left out stays as it is.
#[derive(Debug, Clone, Default)]
pub struct EndpointChanges {
    /// Another URL.
    pub url: Option<String>,
    /// Another description; empty for none.
    pub description: Option<String>,
    /// Other types; empty for all.
    pub event_types: Option<Vec<EventType>>,
    /// Another pattern; empty for none.
    pub name_pattern: Option<String>,
    /// Other tags, all of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Another rate; 0 for none.
    pub rate_per_second: Option<i32>,
    /// Order, or none.
    pub ordered: Option<bool>,
    /// Another form.
    pub format: Option<EventFormat>,
    /// Another deadline; 0 for the gateway's own.
    pub timeout_seconds: Option<i32>,
    /// Another schedule; empty for the gateway's own.
    pub retry_schedule: Option<Vec<i32>>,
    /// Other headers, all of them.
    pub headers: Option<BTreeMap<String, SecretString>>,
    /// Ed25519, or not.
    pub ed25519: Option<bool>,
    /// Whether to take a new URL without the echo of a challenge.
    pub skip_challenge: bool,
}

/// An access key as it was asked for.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// For people: at most 256 characters.
    pub description: Option<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Until when.
    pub expires_at: Option<Instant>,
}

/// An API key as it was asked for.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// For people: 1 to 128 characters.
    pub name: String,
    /// For which team; none: for the caller's.
    pub team: Option<TeamId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Until when.
    pub expires_at: Option<Instant>,
}

/// A revocation of tokens as it was asked for.
#[derive(Debug, Clone)]
pub struct NewRevocation {
    /// As far as they act for this team.
    pub team: Option<TeamId>,
    /// Whether keys that were made with them stay.
    pub keep_keys: bool,
    /// Of one token.
    pub jti: Option<String>,
    /// Of a subject's.
    pub subject: Option<String>,
    /// Those of them that were issued before.
    pub issued_before: Option<Instant>,
    /// For people: 1 to 256 characters.
    pub reason: Option<String>,
}

/// A team as it was asked to be registered.
#[derive(Debug, Clone)]
pub struct NewTeam {
    /// As tokens name it.
    pub id: TeamId,
    /// For people: 1 to 128 characters.
    pub display_name: String,
    /// Whom to ask.
    pub contacts: Vec<String>,
    /// Who pays.
    pub cost_centre: Option<String>,
    /// A policy of its own.
    pub policy: Option<Policy>,
    /// Whether its requests are refused.
    pub disabled: bool,
}

/// What to change of a team; what is left out stays as it is.
#[derive(Debug, Clone, Default)]
pub struct TeamChanges {
    /// Another name.
    pub display_name: Option<String>,
    /// Other contacts, all of them.
    pub contacts: Option<Vec<String>>,
    /// Another cost centre; empty for none.
    pub cost_centre: Option<String>,
    /// Whether its requests are refused.
    pub disabled: Option<bool>,
}

/// A cloud account as it was asked for.
#[derive(Debug, Clone)]
pub struct NewCloudAccount {
    /// The `AccessKeyId`.
    pub access_key_id: String,
    /// Its secret; left out, the one that is stored.
    pub access_key_secret: Option<SecretString>,
    /// The role that the key assumes.
    pub role: Option<NewAccountRole>,
    /// Where it may be used; empty: wherever the gateway may. Left out, where it may be used now.
    pub regions: Option<Vec<Region>>,
    /// The cloud's address.
    pub api_endpoint: Option<String>,
    /// Whether nothing is sent with it.
    pub disabled: bool,
}

/// A role of a cloud account as it was asked for.
#[derive(Debug, Clone)]
pub struct NewAccountRole {
    /// `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// How the session is called.
    pub session_name: Option<String>,
    /// How long its credentials last.
    pub duration_seconds: Option<i32>,
    /// What its owner demands: left out, what is stored; empty, nothing.
    pub external_id: Option<SecretString>,
}

/// How a request ended, for its audit entry.
#[derive(Debug, Clone)]
pub struct RequestEnd {
    /// The API's operation id, or `unknown_route`.
    pub action: String,
    /// The id in the path, if any.
    pub resource: Option<String>,
    /// How it went.
    pub outcome: Outcome,
    /// The HTTP status of the answer.
    pub http_status: i32,
    /// The problem's code.
    pub code: Option<String>,
    /// The cloud's RequestId, where it refused.
    pub provider_request_id: Option<String>,
}

/// Whether the gateway can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The database answers, and can be written to.
    pub database: bool,
    /// Every migration of this binary is applied.
    pub migrations: bool,
    /// A worker has shown a sign of life within 30 s.
    pub workers: bool,
    /// What is the matter with a database that answers and cannot be used.
    pub ailment: Option<&'static str>,
    /// The tasks of this process whose last pass has panicked.
    pub ailing_tasks: Vec<&'static str>,
    /// What does not work as it should although requests are served, a sentence each.
    pub degraded: Vec<String>,
}

/// What an instance brings along, as it was asked.
#[derive(Debug, Clone)]
pub struct MatchQuestion {
    /// Only image caches of this cloud account; of all of them where nothing is said.
    pub account: Option<String>,
    /// Where it runs.
    pub region: String,
    /// Its images: 1 to 100 references.
    pub images: Vec<String>,
    /// Its ephemeral storage in GiB; 30 where nothing is said.
    pub ephemeral_storage_gib: Option<i32>,
    /// Whether all images must match exactly.
    pub full_match: bool,
    /// How many of the images must match exactly.
    pub minimum_matches: Option<i32>,
}

/// Which caches of the cloud to take over into the caller's team.
#[derive(Debug, Clone)]
pub struct AdoptionOrder {
    /// In which cloud account; where nothing is said, the one that the team creates in.
    pub account: Option<String>,
    /// Where they are.
    pub region: Region,
    /// Which.
    pub target: AdoptionTarget,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// One cache by its id, or all that match.
#[derive(Debug, Clone)]
pub enum AdoptionTarget {
    /// The cloud's id.
    Id(String),
    /// All that it lets through; an empty one lets all through.
    Filter(AdoptionFilter),
}
