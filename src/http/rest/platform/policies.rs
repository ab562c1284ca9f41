//! Policies: of a team, the default one, and the caller's own.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::app::view::{PolicyView, TeamPolicyView};
use crate::domain::identity::caller::TeamId;
use crate::domain::policy::Policy;
use crate::http::extract::{Authorized, Id, Json};
use crate::http::headers;
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

/// Get the policy of the caller's team
///
/// Returns what the team may do, and its usage of everything that is limited.
#[utoipa::path(get, path = "/v1/policy", tag = "policies",
    responses((status = 200, description = "The policy that applies to the team.", body = PolicyView)),
)]
pub(in crate::http::rest) async fn get_policy(
    State(door): State<DoorState>,
    who: Authorized,
) -> Result<Response, ProblemResponse> {
    Ok(answer::json(StatusCode::OK, &door.gateway.platform().get_policy(&who.caller).await?))
}

/// Get a team's policy
///
/// Returns the policy that applies to the team: its own, or else the default policy.
#[utoipa::path(get, path = "/v1/teams/{team_id}/policy", tag = "policies",
    params(("team_id" = String, Path, description = "The id of the team, as it appears in tokens.")),
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn get_team_policy(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.platform().get_team_policy(&who.caller, &id).await?;
    Ok(answer::versioned(&request, &view, view.version))
}

/// Replace a team's policy
///
/// The body is the complete policy. It replaces the previous one and also the default policy, of which nothing
/// applies to the team any longer. Requests that arrive after this response are subject to it, on every gateway.
#[utoipa::path(put, path = "/v1/teams/{team_id}/policy", tag = "policies",
    params(("team_id" = String, Path, description = "The id of the team, as it appears in tokens.")),
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn put_team_policy(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
    body: Json<Policy>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let view = door.gateway.platform().put_team_policy(&who.caller, &who.call, &id, body.value, &precondition).await?;
    Ok(answer::with_version(StatusCode::OK, &view, view.version))
}

/// Delete a team's policy
///
/// The default policy applies to the team from now on.
#[utoipa::path(delete, path = "/v1/teams/{team_id}/policy", tag = "policies",
    params(("team_id" = String, Path, description = "The id of the team, as it appears in tokens.")),
    responses((status = 204, description = "The team has no policy of its own.")),
)]
pub(in crate::http::rest) async fn delete_team_policy(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<TeamId>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    door.gateway.platform().delete_team_policy(&who.caller, &who.call, &id, &precondition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Get the default policy
///
/// The default policy applies to teams that have no policy of their own. Until one is written, it is empty, which
/// means closed.
#[utoipa::path(get, path = "/v1/default-policy", tag = "policies",
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn get_default_policy(
    State(door): State<DoorState>,
    who: Authorized,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.platform().get_default_policy(&who.caller).await?;
    Ok(answer::versioned(&request, &view, view.version))
}

/// Replace the default policy
///
/// The body is the complete policy and replaces the previous one.
#[utoipa::path(put, path = "/v1/default-policy", tag = "policies",
    responses((status = 200, description = "The policy.", body = TeamPolicyView)),
)]
pub(in crate::http::rest) async fn put_default_policy(
    State(door): State<DoorState>,
    who: Authorized,
    request: HeaderMap,
    body: Json<Policy>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let view = door.gateway.platform().put_default_policy(&who.caller, &who.call, body.value, &precondition).await?;
    Ok(answer::with_version(StatusCode::OK, &view, view.version))
}
