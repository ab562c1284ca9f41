//! API keys: create and rotate (the only times the key is shown), list, get, revoke.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::{KEEP_OLD_HOURS, KeyRotationBody, NewApiKeyBody};
use crate::app::view::ApiKeyView;
use crate::domain::ids::ApiKeyId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::problem::Refusal;
use crate::http::rest::lists::ApiKeyList;
use crate::http::rest::query::TeamQuery;
use crate::http::{DoorState, answer};

/// Create an API key
///
/// For the caller's team, with scopes that the caller has; with `platform:security`, too, for any `team`. Sent as `Authorization: Bearer ecg_…`. The `key` is shown in
/// this answer and never again.
#[utoipa::path(post, path = "/v1/api-keys", tag = "api-keys", responses(
    (status = 201, description = "The API key, with the key itself.", body = ApiKeyView),
))]
pub(in crate::http::rest) async fn create_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewApiKeyBody>,
) -> Result<Response, Refusal> {
    let new = body.value.try_into().map_err(Refusal::invalid)?;
    let view = door.gateway.identity().create_api_key(&who.caller, &who.call, new).await?;
    Ok(answer::json(StatusCode::CREATED, &view))
}

/// List API keys
///
/// The revoked ones are among them.
#[utoipa::path(get, path = "/v1/api-keys", tag = "api-keys", params(TeamQuery),
    responses((status = 200, description = "One page of the list.", body = ApiKeyList)),
)]
pub(in crate::http::rest) async fn list_api_keys(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<TeamQuery>,
) -> Result<Response, Refusal> {
    let slice = door.gateway.identity().list_api_keys(&who.caller, query.team.as_ref(), &query.page).await?;
    Ok(answer::listed::<_, ApiKeyList>(&uri, slice))
}

/// Get an API key
///
/// Of the caller's team, or of any with the scope `platform:security`.
#[utoipa::path(get, path = "/v1/api-keys/{api_key_id}", tag = "api-keys",
    params(("api_key_id" = String, Path, description = "The id, `ak_…`.")),
    responses((status = 200, description = "The API key.", body = ApiKeyView)),
)]
pub(in crate::http::rest) async fn get_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ApiKeyId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.identity().get_api_key(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Rotate an API key
///
/// For who has all of its scopes. Another secret under the same id; the new `key` is shown in this answer and never
/// again. The old one is taken for `keep_old_hours` more; one from before an earlier rotation goes at once.
#[utoipa::path(post, path = "/v1/api-keys/{api_key_id}/rotate", tag = "api-keys",
    request_body(content = KeyRotationBody, description = "May be left out."),
    params(("api_key_id" = String, Path, description = "The id, `ak_…`.")),
    responses((status = 200, description = "The API key, with the new key itself.", body = ApiKeyView)),
)]
pub(in crate::http::rest) async fn rotate_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ApiKeyId>,
    body: Option<Json<KeyRotationBody>>,
) -> Result<Response, Refusal> {
    let hours = body.and_then(|body| body.value.keep_old_hours).unwrap_or(KEEP_OLD_HOURS);
    let view = door.gateway.identity().rotate_api_key(&who.caller, &who.call, id, hours).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Revoke an API key
///
/// Of the caller's team, or of any with the scope `platform:security`. It is refused from now on, at other gateways
/// within a second; streams and waits that it opened end. Its row stays, because audit entries name it.
#[utoipa::path(delete, path = "/v1/api-keys/{api_key_id}", tag = "api-keys",
    params(("api_key_id" = String, Path, description = "The id, `ak_…`.")),
    responses((status = 204, description = "It is no longer taken.")),
)]
pub(in crate::http::rest) async fn revoke_api_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ApiKeyId>,
) -> Result<Response, Refusal> {
    door.gateway.identity().revoke_api_key(&who.caller, &who.call, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
