//! What whoever commits an event must know of this process's deliverer: is there one, and for whom does it take?

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::app::base::Base;
use crate::domain::clock::Uptime;
use crate::store::Dispatch;

/// Shared by the deliverer, which writes it, and every transaction with an event, which reads it.
#[derive(Debug, Default)]
pub(in crate::app) struct Dispatcher(Mutex<DispatchState>);

#[derive(Debug, Default)]
struct DispatchState {
    worker: Option<(Uuid, Uptime)>,
    closed: Arc<Vec<Uuid>>,
}

impl Dispatcher {
    /// Deliveries may be handed to `worker` until that time, but not for the `closed` endpoints.
    pub(in crate::app) fn open(&self, worker: Uuid, until: Uptime, closed: Vec<Uuid>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.worker = Some((worker, until));
        if *state.closed != closed {
            state.closed = Arc::new(closed);
        }
    }

    /// Everything goes through the queue from now on.
    pub(in crate::app) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).worker = None;
    }
}

impl Base {
    /// How the deliveries of one event get to the deliverer, for whoever writes one.
    pub fn dispatch(&self) -> Dispatch {
        let (now, state) = (self.uptime(), self.dispatcher().0.lock().unwrap_or_else(PoisonError::into_inner));
        let worker = state.worker.filter(|(_, until)| now < *until).map(|(worker, _)| worker);
        Dispatch::new(worker, Arc::clone(&state.closed), Arc::clone(self.outlet()))
    }
}
