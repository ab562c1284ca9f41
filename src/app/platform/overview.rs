//! Operations in progress and costs: a team's own operations, and for the platform the operations and costs of all
//! teams.

use super::policy::AccountChoice;
use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::platform::Platform;
use crate::app::view::{AmountsView, OperationView, TeamCostView};
use crate::app::{Error, access};
use crate::domain::clock::Instant;
use crate::domain::filter::{AuditReach, Page, Slice};
use crate::domain::identity::caller::{Caller, Scope, TeamId};
use crate::domain::ids::OperationId;

impl Platform {
    /// The operations that have not ended, oldest first: those of the caller's own team, unless the platform asks for
    /// another team or for all.
    pub async fn list_operations(
        &self,
        caller: &Caller,
        asked: Option<AuditReach>,
        page: &Page,
    ) -> Result<Slice<OperationView>, Error> {
        access::check(caller, "list_operations")?;
        let reach = operations_of(caller, asked)?;
        let list = CursorList::new(&self.base, caller, "operations", &reach);
        let place = list.place(page)?.map(|place| read_place(&place).ok_or_else(unreadable)).transpose()?;
        let found = self.base.store().open_operations(&reach, place, one_more(page)).await?;
        let mut views = Vec::with_capacity(found.len());
        for operation in found {
            let waits_for = self.cloud_accounts.waits_for(&operation).await?.map(str::to_owned);
            views.push((operation.created_at, OperationView { waits_for, ..operation.into() }));
        }
        let slice = list.slice(views, page, |(at, view)| format!("{} {}", at.timestamp_micros(), view.id));
        let items = slice.items.into_iter().map(|(_, view)| view).collect();
        Ok(Slice { items, next_cursor: slice.next_cursor })
    }

    /// What each team has, and what it costs.
    pub async fn list_team_costs(&self, caller: &Caller, page: &Page) -> Result<Slice<TeamCostView>, Error> {
        access::check(caller, "list_team_costs")?;
        let list = CursorList::new(&self.base, caller, "team_costs", &());
        let after = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let teams = self.base.store().known_teams(after.as_ref(), one_more(page)).await?;
        let mut views = Vec::with_capacity(teams.len());
        for (team, is_registered) in teams {
            views.push(self.cost_of(team, is_registered).await?);
        }
        Ok(list.slice(views, page, |view| view.team.clone()))
    }

    async fn cost_of(&self, team: TeamId, is_registered: bool) -> Result<TeamCostView, Error> {
        let ruling = self.policies.ruling(&team, None, AccountChoice::Of(&self.base.settings().account)).await?;
        let prices = &self.base.settings().prices;
        let usage = self.base.store().holdings(&team, ruling.since()).await?.usage(prices);
        Ok(TeamCostView {
            team: team.to_string(),
            is_registered,
            used: AmountsView::used(&usage, prices),
            limits: AmountsView::limits(&ruling.policy),
            currency: prices.is_set().then(|| prices.currency.clone()),
        })
    }
}

/// Whose operations to list.
fn operations_of(caller: &Caller, asked: Option<AuditReach>) -> Result<AuditReach, Error> {
    let own = AuditReach::Team(caller.team.clone());
    let asked = asked.unwrap_or_else(|| own.clone());
    let other = asked != own && !caller.may(Scope::PlatformRead);
    if other { Err(Error::Forbidden(&[Scope::PlatformRead])) } else { Ok(asked) }
}

fn read_place(place: &str) -> Option<(Instant, OperationId)> {
    let (at, id) = place.split_once(' ')?;
    Some((Instant::from_timestamp_micros(at.parse().ok()?)?, id.parse().ok()?))
}
