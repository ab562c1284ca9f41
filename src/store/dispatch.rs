//! Direct dispatch of deliveries that can go at once: what a transaction has written for this process's deliverer is
//! passed on in memory as soon as it has committed.
//!
//! What must stay true: nothing is dispatched before it is committed. What is committed but did not arrive (because the
//! answer of the commit was lost) is found by its worker, which compares what it holds with the database.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::FromRow;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::StoreError;
use super::claims::{Claim, ClaimRow};
use crate::domain::ids::EndpointId;

/// The way from transactions to the deliverer.
#[derive(Debug)]
pub struct Outlet {
    /// To the deliverer of this process.
    pub to: mpsc::UnboundedSender<Dispatched>,
    /// Wakes it to look at the queue.
    pub look: Notify,
}

/// What a committed transaction has for the deliverer.
#[derive(Debug, Default)]
pub struct Dispatched {
    /// Deliveries that the deliverer now holds.
    pub claims: Vec<Claim>,
    /// Closed endpoints that have something in the queue: looking at once would find them still closed.
    pub behind: Vec<EndpointId>,
}

/// How one event's deliveries reach the deliverer.
#[derive(Debug, Clone)]
pub struct Dispatch {
    worker: Option<Uuid>,
    closed: Arc<Vec<Uuid>>,
    outlet: Arc<Outlet>,
    outbox: Arc<Mutex<Outbox>>,
}

/// What a transaction has written but not committed yet.
#[derive(Debug, Default)]
struct Outbox {
    handed: Dispatched,
    waiting: bool,
}

impl Dispatch {
    /// To the deliverer `worker` of this process, or to the queue if there is none. Nothing is dispatched for the
    /// endpoints in `closed`.
    pub fn new(worker: Option<Uuid>, closed: Arc<Vec<Uuid>>, outlet: Arc<Outlet>) -> Self {
        Self { worker, closed, outlet, outbox: Arc::default() }
    }

    /// Whether deliveries of both reach the deliverer in the same way.
    pub(in crate::store) fn is_like(&self, other: &Self) -> bool {
        self.worker == other.worker
            && (Arc::ptr_eq(&self.closed, &other.closed) || self.closed == other.closed)
            && Arc::ptr_eq(&self.outlet, &other.outlet)
    }

    /// The deliverer of this process, if it is to receive any.
    pub(in crate::store) fn worker(&self) -> Option<Uuid> {
        self.worker
    }

    /// The endpoints that receive nothing directly.
    pub(in crate::store) fn closed(&self) -> &[Uuid] {
        &self.closed
    }

    /// Puts what a transaction has written but not committed yet into the outbox.
    pub(in crate::store) fn put(
        &self,
        deliveries: impl IntoIterator<Item = WrittenDelivery>,
    ) -> Result<(), StoreError> {
        let mut outbox = Outbox::default();
        for put in deliveries {
            let endpoint = put.row.endpoint();
            match self.worker {
                Some(worker) if put.state == 1 => outbox.handed.claims.push(put.row.of(worker)?),
                Some(_) if self.closed.contains(&endpoint) => outbox.handed.behind.push(endpoint.into()),
                _ => outbox.waiting |= put.awake,
            }
        }
        *self.outbox.lock().unwrap_or_else(PoisonError::into_inner) = outbox;
        Ok(())
    }

    /// Called once the transaction has committed.
    pub(in crate::store) fn committed(&self) {
        let outbox = std::mem::take(&mut *self.outbox.lock().unwrap_or_else(PoisonError::into_inner));
        if !outbox.handed.claims.is_empty() || !outbox.handed.behind.is_empty() {
            // If the deliverer has ended in the meantime, its worker is gone too, and others find what it held.
            let _ended = self.outlet.to.send(outbox.handed);
        }
        if outbox.waiting {
            self.outlet.look.notify_one();
        }
    }
}

/// A delivery that was written: a row of [`written`](super::writes::dispatch::written).
#[derive(FromRow)]
pub(in crate::store) struct WrittenDelivery {
    #[sqlx(flatten)]
    row: ClaimRow,
    state: i16,
    awake: bool,
}
