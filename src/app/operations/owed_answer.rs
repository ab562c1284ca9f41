//! What a request owes to the caller of a create through the cloud's own API: the ids now, or never.
//!
//! What must stay true: the ids leave only once it is durable that they may have been told; however the request ends
//! otherwise (its caller leaves, its answer cannot be written, it takes too long, it panics), the create is given up.
//! Where this process ends before either is recorded, the janitor finds what is owed in the database.
//!
//! What is kept in memory, a [`Receipt`] for each such request, is of no use to another process, and as old as the
//! request.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::app::operations::Operations;
use crate::app::{Call, Error};
use crate::domain::ids::OperationId;
use crate::store::{NewOperation, Waiter};

/// Between two tries to record what became of an answer.
const PAUSE: Duration = Duration::from_secs(1);
/// For so long it is tried. A create that surely was not told is found by the janitor all the same.
const TRIES: u32 = 900;

/// What a request owes.
#[derive(Debug)]
pub(in crate::app) enum CallerDebt {
    /// Nothing: its caller finds the cache by its key, or in the lists.
    Nothing,
    /// The ids of what it is about to create.
    Ids,
    /// The ids of what it creates, to whoever asked without a key.
    Told(Receipt),
}

impl CallerDebt {
    /// The create is about to be recorded: from now on it is given up unless its caller is told.
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

    /// Nothing was created, or what became of it is recorded.
    pub(in crate::app) fn settle(&mut self) {
        if let Self::Told(receipt) = std::mem::replace(self, Self::Nothing) {
            receipt.settle();
        }
    }

    /// What is to be recorded of the answer that tells the ids. None: they may not be told any more.
    pub(in crate::app) async fn into_receipt(self) -> Result<Option<Option<Receipt>>, Error> {
        let Self::Told(receipt) = self else { return Ok(Some(None)) };
        Ok(receipt.may_answer().await?.then_some(Some(receipt)))
    }
}

/// Of an answer that tells the ids of a create: to be [`written`](Receipt::written), or dropped where it was not.
#[derive(Debug)]
pub struct Receipt(Option<Box<OwedAnswerGuard>>);

#[derive(Debug)]
struct OwedAnswerGuard {
    operations: Operations,
    operation: OperationId,
    waiter: Arc<Waiter>,
}

impl Receipt {
    /// The answer was written to the caller's connection, whole. Recorded behind it.
    pub fn written(mut self) {
        let Some(open) = self.0.take() else { return };
        let OwedAnswerGuard { operations, operation, .. } = *open;
        let tasks = operations.base.tasks().clone();
        tasks.spawn(async move {
            // What is not recorded counts as told all the same.
            if let Err(error) = operations.base.store().answered(operation).await {
                tracing::debug!(%operation, error = &error as &dyn std::error::Error, "could not record that the \
                    answer to a create was given");
            }
        });
    }

    /// What became of it is recorded already.
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
        // Without a runtime this process is at its end.
        if Handle::try_current().is_ok() {
            let tasks = operations.base.tasks().clone();
            tasks.spawn(async move { operations.give_up(operation).await });
        }
    }
}

impl Operations {
    /// Records that the caller was not told, and never will be.
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
