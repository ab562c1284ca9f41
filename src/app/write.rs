//! From a [`Change`] to what `store` writes: the transition, the event with its exact body, the audit entry.

use super::Gateway;
use super::view::{EventBody, EventData, ImageCacheView};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::change::Change;
use crate::domain::event::EventType;
use crate::domain::ids::{EventId, TransitionId};
use crate::domain::image_cache::{ImageCache, Transition};
use crate::domain::status::Status;
use crate::store::{CacheWrite, NewEvent};

impl Gateway {
    /// The write of a change; `audit` says what is kept of it.
    pub(super) fn write_of(&self, change: &Change, audit: Option<AuditEntry>) -> CacheWrite {
        CacheWrite {
            next: change.next.clone(),
            transition: change.moved.map(|(from, _)| self.transition(&change.next, Some(from), change.reason)),
            event: change.event.map(|kind| self.event(kind, change)),
            audit,
        }
    }

    /// The cache's newest transition.
    pub(super) fn transition(&self, cache: &ImageCache, from: Option<Status>, reason: &str) -> Transition {
        Transition {
            id: TransitionId::new(self.now(), self.entropy()),
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

    fn event(&self, kind: EventType, change: &Change) -> NewEvent {
        let cache = &change.next;
        // The row's version rises with the write: consumers see the number that a later GET shows.
        let shown = ImageCache { version: cache.version + 1, ..cache.clone() };
        let body = EventBody {
            kind: kind.as_str().to_owned(),
            timestamp: cache.updated_at,
            data: EventData {
                sequence: cache.sequence,
                previous_status: change.moved.map(|(from, _)| from.into()),
                image_cache: ImageCacheView::from(shown),
                reason: Some(change.reason.to_owned()),
            },
        };
        NewEvent {
            id: EventId::new(self.now(), self.entropy()),
            kind,
            dedupe_key: kind.dedupe_key_of(cache),
            body: serde_json::to_string(&body).expect("a tree of strings and numbers always becomes JSON"),
            at: cache.updated_at,
            hand_over: self.hand_over(),
        }
    }

    /// A worker's audit entry about a status that moved.
    pub(super) fn observed(&self, worker: &str, change: &Change) -> Option<AuditEntry> {
        let (from, to) = change.moved?;
        let actor = Actor::worker(worker, change.next.team.clone(), self.new_request_id());
        let mut entry = actor.entry(self.audit_id(), self.now(), "observe_image_cache", Outcome::Succeeded);
        entry.resource = Some(change.next.id.to_string());
        entry.parameters.insert("from".into(), from.as_str().into());
        entry.parameters.insert("to".into(), to.as_str().into());
        entry.parameters.insert("generation".into(), change.next.generation.to_string());
        Some(entry)
    }
}
