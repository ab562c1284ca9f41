//! What a transaction with an event needs to know about this process's deliverer: whether there is one, and for which
//! endpoints it accepts deliveries. The deliverer refreshes it every few milliseconds.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::app::base::Base;
use crate::domain::clock::Uptime;
use crate::store::Dispatch;

/// Written by the deliverer, and read by every transaction with an event.
#[derive(Debug, Default)]
pub(in crate::app) struct Dispatcher(Mutex<DispatchState>);

#[derive(Debug, Default)]
struct DispatchState {
    worker: Option<(Uuid, Uptime)>,
    closed: Arc<Vec<Uuid>>,
}

impl Dispatcher {
    /// Deliveries may be dispatched to `worker` until this time, except for the `closed` endpoints.
    pub(in crate::app) fn open(&self, worker: Uuid, until: Uptime, closed: Vec<Uuid>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.worker = Some((worker, until));
        if *state.closed != closed {
            state.closed = Arc::new(closed);
        }
    }

    /// From now on all deliveries go through the queue.
    pub(in crate::app) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).worker = None;
    }
}

impl Base {
    /// How the deliveries of an event that is being written reach the deliverer.
    pub fn dispatch(&self) -> Dispatch {
        let (now, state) = (self.uptime(), self.dispatcher().0.lock().unwrap_or_else(PoisonError::into_inner));
        let worker = state.worker.filter(|(_, until)| now < *until).map(|(worker, _)| worker);
        Dispatch::new(worker, Arc::clone(&state.closed), Arc::clone(self.outlet()))
    }
}
