//! Policies: of a team, the default one, and the caller's own.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::app::view::{PolicyView, TeamPolicyView};
use crate::domain::identity::caller::TeamId;
use crate::domain::policy::Policy;
use crate::http::extract::{Authorized, Id, Json};
use crate::http::headers;
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// Get the caller's policy
///
/// What the team may do, and what it has of what is counted.
#[utoipa::path(get, path = "/v1/policy", tag = "policy",
    responses((status = 200, description = "The policy that holds for the team.", body = PolicyView)),
)]
pub(in crate::http::rest) async fn get_policy(
    State(door): State<DoorState>,
    who: Authorized,
) -> Result<Response, Refusal> {
    Ok(answer::json(StatusCode::OK, &door.gateway.platform().get_policy(&who.caller).await?))
}

/// Get a team's policy
///
/// The one that holds: its own, or else the default one.
#[utoipa::path(get, path = "/v1/teams/{team_id}/policy", tag = "teams",
    params(("team_id" = String, Path, description = "The id, as tokens name it.")),
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn get_team_policy(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.platform().get_team_policy(&who.caller, &id).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}

/// Put a team's policy
///
/// The whole policy, in place of the one before, and in place of the default policy, of which nothing holds for the team
/// any more; requests that come after this answer go by it, at every gateway.
#[utoipa::path(put, path = "/v1/teams/{team_id}/policy", tag = "teams",
    params(("team_id" = String, Path, description = "The id, as tokens name it.")),
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn put_team_policy(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
    body: Json<Policy>,
) -> Result<Response, Refusal> {
    let precondition = headers::precondition(&request)?;
    let view = door.gateway.platform().put_team_policy(&who.caller, &who.call, &id, body.value, &precondition).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}

/// Delete a team's policy
///
/// The default one holds for it from now on.
#[utoipa::path(delete, path = "/v1/teams/{team_id}/policy", tag = "teams",
    params(("team_id" = String, Path, description = "The id, as tokens name it.")),
    responses((status = 204, description = "The team has no policy of its own.")),
)]
pub(in crate::http::rest) async fn delete_team_policy(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
) -> Result<Response, Refusal> {
    let precondition = headers::precondition(&request)?;
    door.gateway.platform().delete_team_policy(&who.caller, &who.call, &id, &precondition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Get the default policy
///
/// It holds for teams without one of their own. While nobody wrote one, it is empty: closed.
#[utoipa::path(get, path = "/v1/default-policy", tag = "teams",
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn get_default_policy(
    State(door): State<DoorState>,
    who: Authorized,
) -> Result<Response, Refusal> {
    let view = door.gateway.platform().get_default_policy(&who.caller).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}

/// Put the default policy
///
/// The whole policy, in place of the one before.
#[utoipa::path(put, path = "/v1/default-policy", tag = "teams",
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn put_default_policy(
    State(door): State<DoorState>,
    who: Authorized,
    request: HeaderMap,
    body: Json<Policy>,
) -> Result<Response, Refusal> {
    let precondition = headers::precondition(&request)?;
    let view = door.gateway.platform().put_default_policy(&who.caller, &who.call, body.value, &precondition).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}
