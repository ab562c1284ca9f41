//! API keys: create and rotate (the only times the key is shown), list, get, revoke.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::{KEEP_OLD_HOURS, KeyRotationBody, NewApiKeyBody};
use crate::app::view::ApiKeyView;
use crate::domain::ids::ApiKeyId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::ApiKeyList;
use crate::http::rest::query::TeamQuery;
use crate::http::{DoorState, answer};

/// Create an API key
///
/// Creates a key for the caller's team, with scopes that the caller has. With `platform:security`, the key may be for
/// any `team`. Send the key as `Authorization: Bearer ecg_…`. The `key` is shown in this response and never again.
#[utoipa::path(post, path = "/v1/api-keys", tag = "api-keys", responses(
    (status = 201, description = "The API key, including the `key` itself.", body = ApiKeyView),
))]
pub(in crate::http::rest) async fn create_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewApiKeyBody>,
) -> Result<Response, ProblemResponse> {
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let view = door.gateway.identity().create_api_key(&who.caller, &who.call, new).await?;
    Ok(answer::json(StatusCode::CREATED, &view))
}

/// List API keys
///
/// Revoked keys are included.
#[utoipa::path(get, path = "/v1/api-keys", tag = "api-keys", params(TeamQuery),
    responses((status = 200, description = "One page of the list.", body = ApiKeyList)),
)]
pub(in crate::http::rest) async fn list_api_keys(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<TeamQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.identity().list_api_keys(&who.caller, query.team.as_ref(), &query.page).await?;
    Ok(answer::listed::<_, ApiKeyList>(&uri, slice))
}

/// Get an API key
///
/// The key must belong to the caller's team, unless the caller has the scope `platform:security`.
#[utoipa::path(get, path = "/v1/api-keys/{api_key_id}", tag = "api-keys",
    params(("api_key_id" = String, Path, description = "The id of the API key, `ak_…`.")),
    responses((status = 200, description = "The API key.", body = ApiKeyView)),
)]
pub(in crate::http::rest) async fn get_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ApiKeyId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.identity().get_api_key(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Rotate an API key
///
/// The caller must have all scopes of the key. The key gets a new secret under the same id; the new `key` is shown in
/// this response and never again. The old key remains valid for another `keep_old_hours`; a key from before an
/// earlier rotation stops working immediately.
#[utoipa::path(post, path = "/v1/api-keys/{api_key_id}/rotate", tag = "api-keys",
    request_body(content = KeyRotationBody, description = "The body is optional."),
    params(("api_key_id" = String, Path, description = "The id of the API key, `ak_…`.")),
    responses((status = 200, description = "The API key, including the new `key` itself.", body = ApiKeyView)),
)]
pub(in crate::http::rest) async fn rotate_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ApiKeyId>,
    body: Option<Json<KeyRotationBody>>,
) -> Result<Response, ProblemResponse> {
    let hours = body.and_then(|body| body.value.keep_old_hours).unwrap_or(KEEP_OLD_HOURS);
    let view = door.gateway.identity().rotate_api_key(&who.caller, &who.call, id, hours).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Revoke an API key
///
/// The key must belong to the caller's team, unless the caller has the scope `platform:security`. The key is refused
/// from now on, and within a second on other gateways; streams and waits that it opened are ended. The record of the
/// key is kept, because audit entries refer to it.
#[utoipa::path(delete, path = "/v1/api-keys/{api_key_id}", tag = "api-keys",
    params(("api_key_id" = String, Path, description = "The id of the API key, `ak_…`.")),
    responses((status = 204, description = "The key was revoked.")),
)]
pub(in crate::http::rest) async fn revoke_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ApiKeyId>,
) -> Result<Response, ProblemResponse> {
    door.gateway.identity().revoke_api_key(&who.caller, &who.call, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
