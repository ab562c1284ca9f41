//! Events of the platform: what changes for everybody is told, in the transaction of the change, to each team that keeps
//! an endpoint for it.

use super::events::{self, About, NewEvent};
use super::rows::word;
use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::store::pool::Connection;

/// An event of the platform, as it is told to one team.
#[derive(Debug, Clone)]
pub struct PlatformEvent {
    /// Whose endpoints get it.
    pub team: TeamId,
    /// The event.
    pub event: NewEvent,
}

impl Store {
    /// The teams that keep an endpoint for what the platform tells.
    pub async fn platform_teams(&self) -> Result<Vec<TeamId>, Error> {
        let sql = "SELECT DISTINCT team FROM webhook_endpoints WHERE platform AND NOT deleted ORDER BY team";
        let teams: Vec<String> = sqlx::query_scalar(sql).fetch_all(&self.requests).await?;
        teams.into_iter().map(|team| word(team.parse().ok(), "webhook_endpoints", "team")).collect()
    }
}

/// Tells them, with the change that they are about.
pub(super) async fn tell(connection: &mut Connection, told: &[PlatformEvent]) -> Result<(), Error> {
    for one in told {
        events::insert(connection, About::Platform(&one.team), &one.event).await?;
    }
    Ok(())
}

/// The change has committed: what is to be delivered may go.
pub(super) fn committed(told: &[PlatformEvent]) {
    for one in told {
        one.event.hand_over.committed();
    }
}
