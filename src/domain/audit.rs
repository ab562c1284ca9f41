//! Audit entries: who did what, when, with what outcome.
//!
//! An entry is written once and never changed. A request that changes something has its entry in the transaction of the
//! change (`accepted`); the result is an entry of its own, linked to it by the operation and the request id. Parameters
//! come from an allow-list ([`parameters`]), so no secret can get in. [`record`] has the canonical bytes that are
//! sealed, [`retention`] what was dropped at the end of its retention.

pub mod checkpoint;
pub mod parameters;
pub mod record;
pub mod retention;

use std::collections::BTreeMap;

use super::clock::Instant;
use super::identity::caller::{Caller, Door, Origin, Recognized, TeamId};
use super::ids::{AuditId, OperationId};

/// The outcome of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Recorded and in progress; a later entry has the result.
    Accepted,
    /// Done.
    Succeeded,
    /// Not allowed, not found or invalid: an error of the caller.
    Refused,
    /// Could not be done: an error of the gateway or the cloud.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Succeeded, Self::Refused, Self::Failed];

    /// The word for it in REST and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The outcome with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// One audit entry.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// The gateway's id of the entry.
    pub id: AuditId,
    /// When it was written.
    pub at: Instant,
    /// The team; none if the caller could not be identified.
    pub team: Option<TeamId>,
    /// Who acted: a token's subject, `anonymous`, or a worker's name.
    pub subject: String,
    /// Identifies the credential, never the credential itself.
    pub credential: Option<String>,
    /// The interface through which the request came.
    pub door: String,
    /// The id of the request, or of the worker's pass.
    pub request_id: String,
    /// The client's address.
    pub address: Option<std::net::IpAddr>,
    /// The operation id of the API (`create_image_cache`), or a worker's action (`observe_image_cache`).
    pub action: String,
    /// The resource: an id of the gateway.
    pub resource: Option<String>,
    /// What became of the request, or of the operation that it began.
    pub outcome: Outcome,
    /// The HTTP status of the answer, if there was one.
    pub http_status: Option<i32>,
    /// The code of a refusal or failure.
    pub code: Option<String>,
    /// From the request's arrival to the entry, in milliseconds.
    pub duration_ms: Option<i32>,
    /// From the signing of the last call to the cloud to its outcome, in milliseconds.
    pub cloud_ms: Option<i32>,
    /// The operation that it belongs to.
    pub operation: Option<OperationId>,
    /// The cloud's RequestId of the call that it is about.
    pub provider_request_id: Option<String>,
    /// The parameters of the request, from the allow-list.
    pub parameters: BTreeMap<String, String>,
}

/// Who acts: what stays the same across all entries of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The team, if known.
    pub team: Option<TeamId>,
    /// Who acted: a token's subject, a key, or a worker's name.
    pub subject: String,
    /// Identifies the credential, if there is one.
    pub credential: Option<String>,
    /// Where the request came from.
    pub origin: Origin,
}

impl Actor {
    /// An authenticated caller.
    pub fn caller(caller: &Caller, origin: &Origin) -> Self {
        Self {
            team: Some(caller.team.clone()),
            subject: caller.subject.clone(),
            credential: Some(caller.credential.clone()),
            origin: origin.clone(),
        }
    }

    /// Someone whose credential was recognized but refused.
    pub fn recognized(whose: &Recognized, origin: &Origin) -> Self {
        Self {
            team: whose.team.clone(),
            subject: whose.subject.clone(),
            credential: Some(whose.credential.clone()),
            origin: origin.clone(),
        }
    }

    /// Someone unknown: without a credential, or with one that could not be identified.
    pub fn anonymous(origin: &Origin) -> Self {
        Self { team: None, subject: "anonymous".into(), credential: None, origin: origin.clone() }
    }

    /// One of our own workers, acting on a team's cache.
    pub fn worker(name: &str, team: TeamId, pass: String) -> Self {
        let origin = Origin { door: Door::Worker, request_id: pass, address: None };
        Self { team: Some(team), subject: format!("worker:{name}"), credential: None, origin }
    }

    /// An entry about this actor; the caller fills in the rest.
    pub fn entry(&self, id: AuditId, at: Instant, action: &str, outcome: Outcome) -> AuditEntry {
        AuditEntry {
            id,
            at,
            team: self.team.clone(),
            subject: self.subject.clone(),
            credential: self.credential.clone(),
            door: self.origin.door.as_str().to_owned(),
            request_id: self.origin.request_id.clone(),
            address: self.origin.address,
            action: action.to_owned(),
            resource: None,
            outcome,
            http_status: None,
            code: None,
            duration_ms: None,
            cloud_ms: None,
            operation: None,
            provider_request_id: None,
            parameters: BTreeMap::new(),
        }
    }
}
