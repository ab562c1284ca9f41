//! Webhooks: the endpoints that teams keep, what is delivered to them and how that went, and what the platform is told.

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
    /// Sends webhooks, where the operator lets them go.
    sender: Arc<Sender>,
    /// Where deliveries come out that a commit handed over: whoever holds it is the deliverer of this process.
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
