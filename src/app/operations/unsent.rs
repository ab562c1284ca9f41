//! Creates of which it was not known in time whether they were recorded, because the request's deadline came first or
//! the database did not answer. Such a create may still be recorded, together with its first attempt, so whoever
//! resumes it has to assume that it was sent, and cannot let go of it for as long as a copy could arrive. Only this
//! process knows that nothing was sent.
//!
//! What must stay true: this process never sends anything for a create that it has left this way; what it records about
//! it concerns only the attempt that was recorded with it, under the lease of that time.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::persist::{LONGEST, PAUSE};
use crate::app::operations::Operations;
use crate::domain::failure::CallError;
use crate::domain::ids::OperationId;
use crate::domain::operation::{self as rule, OperationInput, OperationKind, Progress};
use crate::store::{Claimed, NewOperation, Postponed};

/// How long the create may still come to be recorded: statements queued before it may be waiting for locks.
const WITHIN: Duration = Duration::from_mins(1);

/// A create that is being recorded together with its first attempt. If it is dropped before the result is known, it
/// records that the attempt was not sent.
pub(in crate::app) struct Recording {
    operations: Operations,
    attempt: Option<(OperationId, Uuid, Progress)>,
}

impl Recording {
    pub(in crate::app) fn of(operations: &Operations, intent: &NewOperation) -> Self {
        let attempt = intent.noted.map(|signed| (intent.operation.id, intent.lease_token, signed));
        Self { operations: operations.clone(), attempt }
    }

    /// The database has answered.
    pub(in crate::app) fn recorded(mut self, begun: Claimed) -> Claimed {
        self.attempt = None;
        begun
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some((id, lease_token, signed)) = self.attempt.take() {
            let operations = self.operations.clone();
            self.operations.base.tasks().spawn(async move {
                // After that, the create is looked up like one that was sent.
                let _late = timeout(WITHIN, operations.note_unsent(id, lease_token, signed)).await;
            });
        }
    }
}

impl Operations {
    async fn note_unsent(&self, id: OperationId, lease_token: Uuid, signed: Progress) {
        let fault = CallError::NotSent("could not confirm in time that the create was recorded".to_owned());
        let answer = rule::CallOutcome::of_fault(&fault, OperationKind::Create, self.base.clock().is_sure());
        let (progress, _) = self.decide(signed, OperationInput::Answered(answer));
        // At once: nothing asked for a pause.
        let due_at = self.base.now();
        let how = Postponed { outcome: "not_sent", detail: fault.to_string(), progress, error: None, due_at };
        let mut pause = PAUSE;
        loop {
            let noted = self.base.store().postpone(id, lease_token, Some(signed.attempts), self.base.now(), &how).await;
            if noted.is_ok_and(|noted| noted) {
                tracing::info!(operation = %id, "a create was recorded too late for its caller: nothing has been \
                                                 sent yet");
                return self.base.signals().operations.notify_one();
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }
}
