//! What the platform changes for everybody, told to whoever holds `platform:security`: as events, within seconds, to the
//! webhook endpoints that they keep, and in their feed.
//!
//! What must stay true: an event is written in the transaction of the change; it names what was changed and by whom,
//! nothing of what it says; nobody else sees it.

use super::view::{EventBody, PlatformChangeView};
use super::{Error, Gateway};
use crate::domain::audit::AuditEntry;
use crate::domain::event::EventType;
use crate::domain::ids::EventId;
use crate::store::{NewEvent, PlatformEvent};

impl Gateway {
    /// The events that tell of the change with this entry, one for each team that is told.
    pub(super) async fn platform_events(
        &self,
        kind: EventType,
        entry: &AuditEntry,
    ) -> Result<Vec<PlatformEvent>, Error> {
        let teams = self.store().platform_teams().await?;
        let change = PlatformChangeView::from(entry);
        let body = EventBody::of_platform(kind, change, entry.at).to_json();
        let told = teams.into_iter().map(|team| {
            let event = NewEvent {
                id: EventId::new(entry.at, self.entropy()),
                kind,
                dedupe_key: format!("{}:{team}:{}", entry.id, kind.as_str()),
                body: body.clone(),
                at: entry.at,
                hand_over: self.hand_over(),
            };
            PlatformEvent { team, event }
        });
        Ok(told.collect())
    }
}
