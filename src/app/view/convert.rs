//! From the domain's types to what is shown.

use super::audit::JudgedEntry;
use super::{
    AuditEntryView, Caller, FailureView, Me, Operation, OperationView, Status, StatusView, Transition, TransitionView,
};
use crate::domain::identity::caller::Scope;

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Preparing => Self::Preparing,
            Status::Creating => Self::Creating,
            Status::Ready => Self::Ready,
            Status::Failed => Self::Failed,
            Status::Updating => Self::Updating,
            Status::UpdateFailed => Self::UpdateFailed,
            Status::Deleting => Self::Deleting,
            Status::Deleted => Self::Deleted,
            Status::Expired => Self::Expired,
            Status::Evicted => Self::Evicted,
            Status::Lost => Self::Lost,
            Status::Unknown => Self::Unknown,
        }
    }
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        Self {
            id: operation.id.to_string(),
            team: operation.team.to_string(),
            kind: operation.progress.kind.as_str().into(),
            status: operation.public_state().into(),
            image_cache_id: operation.cache.to_string(),
            waits_for: None,
            attempts: operation.progress.attempts,
            failure: operation.error.map(|error| FailureView::explained(error.into(), None)),
            created_at: operation.created_at,
            finished_at: operation.finished_at,
        }
    }
}

impl From<Transition> for TransitionView {
    fn from(transition: Transition) -> Self {
        Self {
            id: transition.id.to_string(),
            sequence: transition.sequence,
            generation: transition.generation,
            from: transition.from.map(Into::into),
            to: transition.to.into(),
            provider_status: transition.provider_status,
            reason: transition.reason,
            created_at: transition.at,
        }
    }
}

impl From<JudgedEntry> for AuditEntryView {
    fn from(judged: JudgedEntry) -> Self {
        let entry = judged.found.entry;
        Self {
            verified: judged.verified,
            id: entry.id.to_string(),
            recorded_at: entry.at,
            team: entry.team.map(Into::into),
            subject: entry.subject,
            credential_id: entry.credential,
            door: entry.door,
            request_id: entry.request_id,
            address: entry.address.map(|address| address.to_string()),
            action: entry.action,
            resource: entry.resource,
            outcome: entry.outcome.as_str().into(),
            http_status: entry.http_status,
            code: entry.code,
            duration_ms: entry.duration_ms,
            cloud_ms: entry.cloud_ms,
            operation_id: entry.operation.map(|id| id.to_string()),
            provider_request_id: entry.provider_request_id,
            parameters: entry.parameters,
        }
    }
}

impl From<&Caller> for Me {
    fn from(caller: &Caller) -> Self {
        Self {
            team: caller.team.to_string(),
            subject: caller.subject.clone(),
            credential_id: caller.credential.clone(),
            scopes: Scope::ALL.iter().filter(|scope| caller.may(**scope)).map(|scope| scope.as_str().into()).collect(),
        }
    }
}
