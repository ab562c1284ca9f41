//! Operations: what became of a change that was answered with 202, what goes on, and what all of it costs.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use utoipa::IntoParams;

use super::lists::list;
use super::query::PageQuery;
use crate::app::view::{OperationView, TeamCostView};
use crate::domain::filter::{AuditReach, Page};
use crate::domain::ids::OperationId;
use crate::http::extract::{Authorized, FromQuery, Id, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

list!(
    /// Operations that have not ended, oldest first.
    OperationList of OperationView
);
list!(
    /// The costs of teams, sorted by team id.
    TeamCostList of TeamCostView
);

/// Whose operations.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationQuery {
    /// Only operations of this team; `*` means all teams. A value other than the caller's team requires the scope
    /// `platform:read`. Defaults to the caller's team.
    #[param(value_type = Option<String>, nullable = false)]
    team: Option<AuditReach>,
    #[param(ignore)]
    page: Page,
}

impl FromQuery for OperationQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { team: pairs.word("team", AuditReach::from_word, "a team's id, or *"), page: pairs.page() }
    }
}

/// List operations that have not ended
///
/// Returns the operations, oldest first, so that those that take long are at the top. To find an operation that has
/// ended, read it by its id; its outcome is also in the transitions of the image cache.
#[utoipa::path(get, path = "/v1/operations", tag = "operations", params(OperationQuery),
    responses((status = 200, description = "One page of the list.", body = OperationList)),
)]
pub(super) async fn list_operations(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<OperationQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.platform().list_operations(&who.caller, query.team, &query.page).await?;
    Ok(answer::listed::<_, OperationList>(&uri, slice))
}

/// List the costs of teams
///
/// Returns every team that is registered, or that has or had image caches, with its usage, its limits and its monthly
/// cost.
#[utoipa::path(get, path = "/v1/team-costs", tag = "teams",
    responses((status = 200, description = "One page of the list.", body = TeamCostList)),
)]
pub(super) async fn list_team_costs(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.platform().list_team_costs(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, TeamCostList>(&uri, slice))
}

/// Get an operation
///
/// The operation must belong to the caller's team, unless the caller has the scope `platform:read`.
#[utoipa::path(get, path = "/v1/operations/{operation_id}", tag = "operations",
    params(("operation_id" = String, Path, description = "The id of the operation, `op_…`.")),
    responses((status = 200, description = "The operation.", body = OperationView)),
)]
pub(super) async fn get_operation(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<OperationId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.operations().get_operation(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
