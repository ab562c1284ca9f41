//! Platform events: what changes for everybody is written, in the transaction of the change, as an event of each team
//! that has an endpoint for it, and once as an event of no team, which whoever may see it finds in the feed, with or
//! without an endpoint.

use crate::store::input::NOBODYS;
use crate::store::writes::events;
use std::fmt::Display;

use crate::domain::event::EventType;
use crate::domain::identity::caller::TeamId;
use crate::store::database::pool::PooledConnection;
use crate::store::input::{About, NewEvent};
use crate::store::values::word;
use crate::store::{Store, StoreError};

/// Whether an event `p` of no team was not also written for the team that is put between these two parts.
pub(in crate::store) const UNTOLD: (&str, &str) =
    ("NOT EXISTS (SELECT FROM events own WHERE own.dedupe_key = replace(p.dedupe_key, ':*:', ':' || ", " || ':'))");

/// An event of the platform, for one team or for none.
#[derive(Debug, Clone)]
pub struct PlatformEvent {
    /// The team whose endpoints get it; `None` for the one in the feed of whoever may see it.
    pub team: Option<TeamId>,
    /// The event itself, which has its own id for each team.
    pub event: NewEvent,
}

impl PlatformEvent {
    /// The deduplication key for one team: that of another team differs only in its name.
    pub fn dedupe_key(change: impl Display, team: Option<&TeamId>, kind: EventType) -> String {
        format!("{change}:{}:{}", team.map_or(NOBODYS, TeamId::as_str), kind.as_str())
    }
}

impl Store {
    /// The teams that have an endpoint for platform events.
    pub async fn platform_teams(&self) -> Result<Vec<TeamId>, StoreError> {
        let sql = "SELECT DISTINCT team FROM webhook_endpoints WHERE platform AND NOT deleted ORDER BY team";
        let teams: Vec<String> = sqlx::query_scalar(sql).fetch_all(&self.requests).await?;
        teams.into_iter().map(|team| word(team.parse().ok(), "webhook_endpoints", "team")).collect()
    }
}

/// Writes the events together with the change that they are about.
pub(in crate::store) async fn tell(
    connection: &mut PooledConnection,
    told: &[PlatformEvent],
) -> Result<(), StoreError> {
    for one in told {
        events::insert(connection, About::Platform(one.team.as_ref()), &one.event).await?;
    }
    Ok(())
}

/// The change has committed: its deliveries may go.
pub(in crate::store) fn committed(told: &[PlatformEvent]) {
    for one in told {
        one.event.dispatch.committed();
    }
}
