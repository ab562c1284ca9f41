//! Events of the platform: what changes for everybody is told, in the transaction of the change, to each team that
//! keeps an endpoint for it, and once more to no team: whoever may see them finds them in their feed, endpoint or not.

use crate::store::input::NOBODYS;
use crate::store::writes::events;
use std::fmt::Display;

use crate::domain::event::EventType;
use crate::domain::identity::caller::TeamId;
use crate::store::database::pool::PooledConnection;
use crate::store::input::{About, NewEvent};
use crate::store::values::word;
use crate::store::{Store, StoreError};

/// Whether an event `p` of no team was not told the team that stands between these as well.
pub(in crate::store) const UNTOLD: (&str, &str) =
    ("NOT EXISTS (SELECT FROM events own WHERE own.dedupe_key = replace(p.dedupe_key, ':*:', ':' || ", " || ':'))");

/// An event of the platform, as it is told to one team, or to none.
#[derive(Debug, Clone)]
pub struct PlatformEvent {
    /// Whose endpoints get it; none: it is in the feed of whoever may see it.
    pub team: Option<TeamId>,
    /// The event itself, with an id of its own for each team.
    pub event: NewEvent,
}

impl PlatformEvent {
    /// What makes it happen once for the team: that of another team differs in its name alone.
    pub fn dedupe_key(change: impl Display, team: Option<&TeamId>, kind: EventType) -> String {
        format!("{change}:{}:{}", team.map_or(NOBODYS, TeamId::as_str), kind.as_str())
    }
}

impl Store {
    /// The teams that keep an endpoint for what the platform tells.
    pub async fn platform_teams(&self) -> Result<Vec<TeamId>, StoreError> {
        let sql = "SELECT DISTINCT team FROM webhook_endpoints WHERE platform AND NOT deleted ORDER BY team";
        let teams: Vec<String> = sqlx::query_scalar(sql).fetch_all(&self.requests).await?;
        teams.into_iter().map(|team| word(team.parse().ok(), "webhook_endpoints", "team")).collect()
    }
}

/// Tells them, with the change that they are about.
pub(in crate::store) async fn tell(
    connection: &mut PooledConnection,
    told: &[PlatformEvent],
) -> Result<(), StoreError> {
    for one in told {
        events::insert(connection, About::Platform(one.team.as_ref()), &one.event).await?;
    }
    Ok(())
}

/// The change has committed: what is to be delivered may go.
pub(in crate::store) fn committed(told: &[PlatformEvent]) {
    for one in told {
        one.event.dispatch.committed();
    }
}
