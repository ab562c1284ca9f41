//! Teams: register, list, get, change.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::bodies::{NewTeamBody, TeamChangesBody};
use crate::app::view::TeamView;
use crate::domain::identity::caller::TeamId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::headers;
use crate::http::problem::Refusal;
use crate::http::rest::lists::TeamList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// Register a team
///
/// A team needs no registration to be used, unless the operator wants it so; a registered one has a name, contacts, a
/// cost centre, perhaps a policy of its own, and what is created for it carries its tags.
#[utoipa::path(post, path = "/v1/teams", tag = "teams",
    responses((status = 201, description = "The team.", body = TeamView)),
)]
pub(in crate::http::rest) async fn create_team(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewTeamBody>,
) -> Result<Response, Refusal> {
    let new = body.value.try_into().map_err(Refusal::invalid)?;
    let view = door.gateway.platform().create_team(&who.caller, &who.call, new).await?;
    Ok(answer::kept(StatusCode::CREATED, &view, view.version))
}

/// List teams
///
/// The registered ones, by id.
#[utoipa::path(get, path = "/v1/teams", tag = "teams",
    responses((status = 200, description = "One page of the list.", body = TeamList)),
)]
pub(in crate::http::rest) async fn list_teams(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Refusal> {
    let slice = door.gateway.platform().list_teams(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, TeamList>(&uri, slice))
}

/// Get a team
#[utoipa::path(get, path = "/v1/teams/{team_id}", tag = "teams",
    params(("team_id" = String, Path, description = "The id, as tokens name it.")),
    responses((status = 200, description = "The team.", body = TeamView)),
)]
pub(in crate::http::rest) async fn get_team(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.platform().get_team(&who.caller, &id).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}

/// Update a team
///
/// Only what is given is changed. The requests of a team that is `disabled` are refused with 403 `team_disabled`, at the
/// other gateways within a second; what it has goes on living. `disabled` alone may also be said of a team that nobody
/// registered, if anything of it was ever here: it is registered with that, under its id.
#[utoipa::path(patch, path = "/v1/teams/{team_id}", tag = "teams",
    params(("team_id" = String, Path, description = "The id, as tokens name it.")),
    responses((status = 200, description = "The team as it is now.", body = TeamView)),
)]
pub(in crate::http::rest) async fn update_team(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
    body: Json<TeamChangesBody>,
) -> Result<Response, Refusal> {
    let precondition = headers::precondition(&request)?;
    let view =
        door.gateway.platform().update_team(&who.caller, &who.call, &id, body.value.into(), &precondition).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}
