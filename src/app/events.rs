//! Reads of events: page by page, as a stream, and through the database query that all waiters share.

pub(super) mod feed;
pub(super) mod look;
pub(super) mod stream;
pub(super) mod wait_limit;

use std::sync::Arc;

use super::base::Base;
use super::event_hub::EventHub;
use super::identity::Identity;
use stream::Streams;

/// Reads of events; cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    base: Base,
    identity: Identity,
    /// The feeds and image caches that are waited for.
    hub: Arc<EventHub>,
    streams: Arc<Streams>,
}

impl Events {
    pub(super) fn new(base: &Base, identity: &Identity, hub: Arc<EventHub>) -> Self {
        Self { base: base.clone(), identity: identity.clone(), hub, streams: Arc::default() }
    }
}
