//! What a request owes to the caller of a create through the cloud's own API: the ids in this answer, or never.
//!
//! What must stay true: the ids are sent only after it is stored that they may have been sent; however else the request
//! ends (the caller disconnects, the answer cannot be written, it takes too long, it panics), the create is abandoned.
//! If this process ends before either is recorded, the janitor finds the open answer in the database.
//!
//! A [`Receipt`] in memory belongs to one request, lives as long as it, and is of no use to other processes.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::app::operations::Operations;
use crate::app::{Call, Error};
use crate::domain::ids::OperationId;
use crate::store::{NewOperation, Waiter};

/// How long to wait between two tries to record the result of an answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How often to try. The janitor finds a create whose ids were certainly not sent in any case.
const TRIES: u32 = 900;

/// What a request owes to its caller.
#[derive(Debug)]
pub(in crate::app) enum CallerDebt {
    /// Nothing: the caller can find the cache by its key, or in the lists.
    Nothing,
    /// The ids of what it is about to create.
    Ids,
    /// The ids of what it creates, for a caller without a key.
    Told(Receipt),
}

impl CallerDebt {
    /// The create is about to be recorded: from now on it is abandoned unless its caller gets the ids.
    pub(in crate::app) fn begin(
        &mut self,
        operations: &Operations,
        call: &Call,
        new: &NewOperation,
    ) -> Option<Arc<Waiter>> {
        if matches!(self, Self::Nothing) {
            return None;
        }
        let waiter = Arc::new(Waiter::until(call.left().clone()));
        *self = if new.key.is_some() {
            Self::Nothing
        } else {
            let open = OwedAnswerGuard {
                operations: operations.clone(),
                operation: new.operation.id,
                waiter: Arc::clone(&waiter),
            };
            Self::Told(Receipt(Some(Box::new(open))))
        };
        Some(waiter)
    }

    /// Nothing was created, or the result is already recorded.
    pub(in crate::app) fn settle(&mut self) {
        if let Self::Told(receipt) = std::mem::replace(self, Self::Nothing) {
            receipt.settle();
        }
    }

    /// What to record about the answer with the ids. `None` if the ids may no longer be sent.
    pub(in crate::app) async fn into_receipt(self) -> Result<Option<Option<Receipt>>, Error> {
        let Self::Told(receipt) = self else { return Ok(Some(None)) };
        Ok(receipt.may_answer().await?.then_some(Some(receipt)))
    }
}

/// For an answer with the ids of a create. Call [`written`](Receipt::written) once it is sent; dropping it means that
/// it was not.
#[derive(Debug)]
pub struct Receipt(Option<Box<OwedAnswerGuard>>);

#[derive(Debug)]
struct OwedAnswerGuard {
    operations: Operations,
    operation: OperationId,
    waiter: Arc<Waiter>,
}

impl Receipt {
    /// The whole answer was written to the caller's connection. Records that in the background.
    pub fn written(mut self) {
        let Some(open) = self.0.take() else { return };
        let OwedAnswerGuard { operations, operation, .. } = *open;
        let tasks = operations.base.tasks().clone();
        tasks.spawn(async move {
            // If it cannot be recorded, the answer still counts as sent.
            if let Err(error) = operations.base.store().answered(operation).await {
                tracing::debug!(%operation, error = &error as &dyn std::error::Error, "could not record that the \
                    answer to a create was given");
            }
        });
    }

    /// The result is already recorded.
    fn settle(mut self) {
        drop(self.0.take());
    }

    async fn may_answer(&self) -> Result<bool, Error> {
        let Some(open) = &self.0 else { return Ok(true) };
        if open.waiter.is_sending() {
            return Ok(true);
        }
        Ok(open.operations.base.store().begin_answer(open.operation).await?)
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let Some(open) = self.0.take() else { return };
        let OwedAnswerGuard { operations, operation, waiter } = *open;
        waiter.give_up();
        // Without a runtime this process is ending.
        if Handle::try_current().is_ok() {
            let tasks = operations.base.tasks().clone();
            tasks.spawn(async move { operations.give_up(operation).await });
        }
    }
}

impl Operations {
    /// Records that the caller did not get the ids and never will.
    async fn give_up(&self, operation: OperationId) {
        for _ in 0..TRIES {
            match self.base.store().abandon(operation).await {
                Ok(()) => return tracing::info!(%operation, "the answer to a create was not delivered"),
                Err(error) if error.is_away() => {
                    tracing::debug!(%operation, error = &error as &dyn std::error::Error, "once more");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    return tracing::error!(%operation, error = &error as &dyn std::error::Error, "could not give up \
                        a create");
                }
            }
        }
    }
}
