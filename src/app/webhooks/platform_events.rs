//! Events about what the platform changes for everybody, for callers with `platform:security`: within seconds, at their
//! webhook endpoints and in their feed.
//!
//! What must stay true: an event is written in the transaction of the change, whether or not anybody has an endpoint;
//! it names what was changed and by whom, but no content; nobody else sees it. A team with an endpoint has an event of
//! its own, under the id that its deliveries have; all others who may see it share one.

use crate::app::Error;
use crate::app::base::Base;
use crate::app::view::{EventBody, PlatformChangeView};
use crate::domain::audit::AuditEntry;
use crate::domain::event::EventType;
use crate::domain::ids::EventId;
use crate::store::{NewEvent, PlatformEvent};

/// Creates the events about platform changes.
#[derive(Debug, Clone)]
pub(in crate::app) struct PlatformEvents {
    base: Base,
}

impl PlatformEvents {
    pub(in crate::app) fn new(base: &Base) -> Self {
        Self { base: base.clone() }
    }
}

impl PlatformEvents {
    /// The events for the change with this audit entry: one for each team with an endpoint, and one for all others.
    pub(in crate::app) async fn platform_events(
        &self,
        kind: EventType,
        entry: &AuditEntry,
    ) -> Result<Vec<PlatformEvent>, Error> {
        let teams = self.base.store().platform_teams().await?;
        let change = PlatformChangeView::from(entry);
        let body = EventBody::of_platform(kind, change, entry.at).to_json();
        let told = teams.into_iter().map(Some).chain([None]).map(|team| {
            let event = NewEvent {
                id: EventId::new(entry.at, self.base.entropy()),
                kind,
                dedupe_key: PlatformEvent::dedupe_key(entry.id, team.as_ref(), kind),
                body: body.clone(),
                at: entry.at,
                dispatch: self.base.dispatch(),
            };
            PlatformEvent { team, event }
        });
        Ok(told.collect())
    }
}
