//! Teams: register, list, get, change.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::bodies::{NewTeamBody, TeamChangesBody};
use crate::app::view::TeamView;
use crate::domain::identity::caller::TeamId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::headers;
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::TeamList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// Register a team
///
/// Teams do not have to be registered, unless the operator requires it. A registered team has a name, contacts, a
/// cost centre and optionally its own policy, and the image caches created for it carry its tags.
#[utoipa::path(post, path = "/v1/teams", tag = "teams",
    responses((status = 201, description = "The team.", body = TeamView)),
)]
pub(in crate::http::rest) async fn create_team(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewTeamBody>,
) -> Result<Response, ProblemResponse> {
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let view = door.gateway.platform().create_team(&who.caller, &who.call, new).await?;
    Ok(answer::with_version(StatusCode::CREATED, &view, view.version))
}

/// List teams
///
/// Returns the registered teams, sorted by id.
#[utoipa::path(get, path = "/v1/teams", tag = "teams",
    responses((status = 200, description = "One page of the list.", body = TeamList)),
)]
pub(in crate::http::rest) async fn list_teams(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.platform().list_teams(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, TeamList>(&uri, slice))
}

/// Get a team
///
/// Returns the team's display name, its contacts and cost centre, and whether it is disabled.
#[utoipa::path(get, path = "/v1/teams/{team_id}", tag = "teams",
    params(("team_id" = String, Path, description = "The id of the team, as it appears in tokens.")),
    responses((status = 200, description = "The team.", body = TeamView)),
)]
pub(in crate::http::rest) async fn get_team(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.platform().get_team(&who.caller, &id).await?;
    Ok(answer::versioned(&request, &view, view.version))
}

/// Update a team
///
/// Fields that are left out are not changed. Requests of a team that is `disabled` are refused with 403
/// `team_disabled`, and within a second on other gateways; its image caches are kept. `disabled` alone can also be
/// set for an unregistered team, if the gateway has ever had anything of that team: the team is then registered under
/// its id.
#[utoipa::path(patch, path = "/v1/teams/{team_id}", tag = "teams",
    params(("team_id" = String, Path, description = "The id of the team, as it appears in tokens.")),
    responses((status = 200, description = "The updated team.", body = TeamView)),
)]
pub(in crate::http::rest) async fn update_team(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
    body: Json<TeamChangesBody>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let view =
        door.gateway.platform().update_team(&who.caller, &who.call, &id, body.value.into(), &precondition).await?;
    Ok(answer::with_version(StatusCode::OK, &view, view.version))
}
