//! Turns a [`Change`] into what `store` writes: the transition, the event with its exact body, and the audit entry.

use super::view::EventBody;
use crate::app::base::Base;
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::event::EventType;
use crate::domain::ids::{EventId, TransitionId};
use crate::domain::image_cache::difference::{FieldChange, differences};
use crate::domain::image_cache::status::Status;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::domain::transition::change::Change;
use crate::store::{CacheWrite, NewEvent};

/// Builds the writes of a change.
#[derive(Debug, Clone)]
pub struct Transitions {
    base: Base,
}

impl Transitions {
    pub(super) fn new(base: &Base) -> Self {
        Self { base: base.clone() }
    }
}

impl Transitions {
    /// The write of a change; `audit` is the entry to write with it.
    pub(super) fn write_of(&self, change: &Change, audit: Option<AuditEntry>) -> CacheWrite {
        self.write_with(change, Vec::new(), audit)
    }

    /// The same for a change by an operation: its event names the fields that differ from `before`.
    pub(super) fn write_from(&self, before: &ImageCache, change: &Change, audit: AuditEntry) -> CacheWrite {
        self.write_with(change, differences(&before.spec, &change.next.spec), Some(audit))
    }

    fn write_with(&self, change: &Change, fields: Vec<FieldChange>, audit: Option<AuditEntry>) -> CacheWrite {
        CacheWrite {
            next: change.next.clone(),
            transition: change.moved.map(|(from, _)| self.transition(&change.next, Some(from), change.reason)),
            event: change.event.map(|kind| self.event(kind, change, fields)),
            audit,
        }
    }

    /// The cache's newest transition.
    pub(super) fn transition(&self, cache: &ImageCache, from: Option<Status>, reason: &str) -> Transition {
        Transition {
            id: TransitionId::new(self.base.now(), self.base.entropy()),
            cache: cache.id,
            sequence: cache.sequence,
            generation: cache.generation,
            from,
            to: cache.status,
            provider_status: cache.provider_status.clone(),
            reason: reason.to_owned(),
            at: cache.updated_at,
        }
    }

    fn event(&self, kind: EventType, change: &Change, fields: Vec<FieldChange>) -> NewEvent {
        let cache = &change.next;
        // The write increments the row's version: consumers see the version that a later GET returns.
        let shown = ImageCache { version: cache.version + 1, ..cache.clone() };
        NewEvent {
            id: EventId::new(self.base.now(), self.base.entropy()),
            kind,
            dedupe_key: kind.dedupe_key_of(cache),
            body: EventBody::of_cache(kind, &shown, (change.moved, change.reason), fields).to_json(),
            at: cache.updated_at,
            dispatch: self.base.dispatch(),
        }
    }

    /// A worker's audit entry for a change of status.
    pub(super) fn observed(&self, worker: &str, change: &Change) -> Option<AuditEntry> {
        let (from, to) = change.moved?;
        let actor = Actor::worker(worker, change.next.team.clone(), self.base.new_request_id());
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), "observe_image_cache", Outcome::Succeeded);
        entry.resource = Some(change.next.id.to_string());
        entry.parameters.insert("from".into(), from.as_str().into());
        entry.parameters.insert("to".into(), to.as_str().into());
        entry.parameters.insert("generation".into(), change.next.generation.to_string());
        Some(entry)
    }
}
