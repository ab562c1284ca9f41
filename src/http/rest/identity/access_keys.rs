//! Access keys for the cloud's own API at `/`: create (the only time the secret is shown), list, rotate, revoke.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::{KEEP_OLD_HOURS, KeyRotationBody};
use crate::app::view::AccessKeyView;
use crate::domain::identity::access_key::AccessKeyId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::problem::ProblemResponse;
use crate::http::rest::image_caches::bodies::NewAccessKeyBody;
use crate::http::rest::lists::AccessKeyList;
use crate::http::rest::query::TeamQuery;
use crate::http::{DoorState, answer};

/// Create an access key
///
/// An unmodified Alibaba SDK or Terraform signs requests with this key and uses this gateway as its endpoint. The
/// `access_key_secret` is shown in this response and never again.
#[utoipa::path(post, path = "/v1/access-keys", tag = "access-keys", responses(
    (status = 201, description = "The access key, including its secret.", body = AccessKeyView),
))]
pub(in crate::http::rest) async fn create_access_key(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewAccessKeyBody>,
) -> Result<Response, ProblemResponse> {
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let view = door.gateway.identity().create_access_key(&who.caller, &who.call, new).await?;
    Ok(answer::json(StatusCode::CREATED, &view))
}

/// List access keys
///
/// Revoked keys are included.
#[utoipa::path(get, path = "/v1/access-keys", tag = "access-keys", params(TeamQuery),
    responses((status = 200, description = "One page of the list.", body = AccessKeyList)),
)]
pub(in crate::http::rest) async fn list_access_keys(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<TeamQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.identity().list_access_keys(&who.caller, query.team.as_ref(), &query.page).await?;
    Ok(answer::listed::<_, AccessKeyList>(&uri, slice))
}

/// Rotate the secret of an access key
///
/// The new `access_key_secret` is shown in this response and never again. The old secret remains valid for
/// `keep_old_hours`; a secret from before an earlier rotation stops working immediately.
#[utoipa::path(post, path = "/v1/access-keys/{access_key_id}/rotate", tag = "access-keys",
    request_body(content = KeyRotationBody, description = "The body is optional."),
    params(("access_key_id" = String, Path, description = "The id of the access key, `LTAI…`.")),
    responses((status = 200, description = "The access key, including its new secret.", body = AccessKeyView)),
)]
pub(in crate::http::rest) async fn rotate_access_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<AccessKeyId>,
    body: Option<Json<KeyRotationBody>>,
) -> Result<Response, ProblemResponse> {
    let hours = body.and_then(|body| body.value.keep_old_hours).unwrap_or(KEEP_OLD_HOURS);
    let view = door.gateway.identity().rotate_access_key(&who.caller, &who.call, id, hours).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Revoke an access key
///
/// Requests signed with this key are refused from now on. The record of the key is kept, because audit entries refer
/// to it.
#[utoipa::path(delete, path = "/v1/access-keys/{access_key_id}", tag = "access-keys",
    params(("access_key_id" = String, Path, description = "The id of the access key, `LTAI…`.")),
    responses((status = 204, description = "The key was revoked.")),
)]
pub(in crate::http::rest) async fn revoke_access_key(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<AccessKeyId>,
) -> Result<Response, ProblemResponse> {
    door.gateway.identity().revoke_access_key(&who.caller, &who.call, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
