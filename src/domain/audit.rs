//! Audit entries: who did what, when, with what outcome.
//!
//! An entry is written once and never changed. A request that changes something has its entry in the
//! transaction of the change (`accepted`); what became of it is an entry of its own, tied to it by the
//! operation and the request id. Parameters come from an allow-list ([`parameters`]): nothing secret can get in.
//! [`record`] has the canonical bytes that are sealed, [`retention`] what was dropped after its time.

pub mod checkpoint;
pub mod parameters;
pub mod record;
pub mod retention;

use std::collections::BTreeMap;

use super::clock::Instant;
use super::identity::caller::{Caller, Door, Origin, Recognized, TeamId};
use super::ids::{AuditId, OperationId};

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Recorded and under way; a later entry tells the end.
    Accepted,
    /// Done.
    Succeeded,
    /// Not allowed, not found, invalid: the caller's side.
    Refused,
    /// Could not be done: ours or the cloud's side.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Succeeded, Self::Refused, Self::Failed];

    /// The word in REST and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Ours.
    pub id: AuditId,
    /// When it was written.
    pub at: Instant,
    /// Whose; none where the caller could not be told.
    pub team: Option<TeamId>,
    /// Who: a token's subject, `anonymous`, or a worker's name.
    pub subject: String,
    /// Which credential, never the credential itself.
    pub credential: Option<String>,
    /// Through which door.
    pub door: String,
    /// The request, or the worker's pass.
    pub request_id: String,
    /// The client's address.
    pub address: Option<std::net::IpAddr>,
    /// What: the operation id of the API (`create_image_cache`), or a worker's act (`observe_image_cache`).
    pub action: String,
    /// On what: an id of ours.
    pub resource: Option<String>,
    /// How it went.
    pub outcome: Outcome,
    /// The HTTP status that was answered, where one was.
    pub http_status: Option<i32>,
    /// The code of a refusal or failure.
    pub code: Option<String>,
    /// From the request's arrival to the entry, in milliseconds.
    pub duration_ms: Option<i32>,
    /// From the signing of the last call to the cloud to its outcome, in milliseconds.
    pub cloud_ms: Option<i32>,
    /// The intent behind it.
    pub operation: Option<OperationId>,
    /// The cloud's RequestId of the call it is about.
    pub provider_request_id: Option<String>,
    /// What was asked, from the allow-list.
    pub parameters: BTreeMap<String, String>,
}

/// Who an entry is about: what stays the same across all entries of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Whose.
    pub team: Option<TeamId>,
    /// Who.
    pub subject: String,
    /// Which credential.
    pub credential: Option<String>,
    /// From where.
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

    /// Someone whose credential was recognized and refused.
    pub fn recognized(whose: &Recognized, origin: &Origin) -> Self {
        Self {
            team: whose.team.clone(),
            subject: whose.subject.clone(),
            credential: Some(whose.credential.clone()),
            origin: origin.clone(),
        }
    }

    /// Someone of whom nothing is known: without a credential, or with one that could not be told.
    pub fn anonymous(origin: &Origin) -> Self {
        Self { team: None, subject: "anonymous".into(), credential: None, origin: origin.clone() }
    }

    /// One of our own workers, acting on a team's cache.
    pub fn worker(name: &str, team: TeamId, pass: String) -> Self {
        let origin = Origin { door: Door::Worker, request_id: pass, address: None };
        Self { team: Some(team), subject: format!("worker:{name}"), credential: None, origin }
    }

    /// An entry about this actor, to be completed by its maker.
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
