//! Webhooks: the endpoints of teams, the deliveries to them and how those went, and the events about platform changes.

pub(super) mod deliverer;
pub(super) mod deliveries;
pub mod endpoints;
mod message;
pub(super) mod platform_events;

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::admission::Admission;
use super::base::Base;
use crate::store::Dispatched;
use crate::webhook::sender::Sender;

/// Webhook endpoints and deliveries; cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    base: Base,
    admission: Admission,
    /// Sends webhooks, to the destinations that the operator allows.
    sender: Arc<Sender>,
    /// Receives the deliveries that commits dispatch: whoever holds the lock is the deliverer of this process.
    inbox: Arc<Mutex<mpsc::UnboundedReceiver<Dispatched>>>,
}

impl Webhooks {
    pub(super) fn new(
        base: &Base,
        admission: &Admission,
        sender: Sender,
        inbox: mpsc::UnboundedReceiver<Dispatched>,
    ) -> Self {
        Self {
            base: base.clone(),
            admission: admission.clone(),
            sender: Arc::new(sender),
            inbox: Arc::new(Mutex::new(inbox)),
        }
    }
}
