//! Revocations of tokens: create, list, take back.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::NewRevocationBody;
use crate::app::view::RevocationView;
use crate::domain::ids::RevocationId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::problem::Refusal;
use crate::http::rest::lists::RevocationList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// Revoke tokens
///
/// One by its `jti`, or all of a subject that were issued before an instant: of every team with the scope
/// `platform:security`, else of the caller's own. They are refused from now on, at other gateways within a second; streams
/// and waits that they opened end. The API keys and access keys that were made or rotated with them are revoked too, and
/// the answer names them, unless `keep_keys` is asked for. Tokens that a subject gets later are good: disable them at
/// their issuer first.
#[utoipa::path(post, path = "/v1/revocations", tag = "revocations", responses(
    (status = 201, description = "The revocation.", body = RevocationView),
))]
pub(in crate::http::rest) async fn create_revocation(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewRevocationBody>,
) -> Result<Response, Refusal> {
    let view = door.gateway.identity().create_revocation(&who.caller, &who.call, body.value.into()).await?;
    Ok(answer::json(StatusCode::CREATED, &view))
}

/// List revocations
///
/// Those in force: all with the scope `platform:security`, else those for the caller's team.
#[utoipa::path(get, path = "/v1/revocations", tag = "revocations",
    responses((status = 200, description = "One page of the list.", body = RevocationList)),
)]
pub(in crate::http::rest) async fn list_revocations(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Refusal> {
    let slice = door.gateway.identity().list_revocations(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, RevocationList>(&uri, slice))
}

/// Take a revocation back
///
/// Its tokens are taken again as long as they are good otherwise; keys that went with it stay revoked. What the platform
/// revoked only the platform takes back.
#[utoipa::path(delete, path = "/v1/revocations/{revocation_id}", tag = "revocations",
    params(("revocation_id" = String, Path, description = "The id, `rv_…`.")),
    responses((status = 204, description = "It no longer counts.")),
)]
pub(in crate::http::rest) async fn delete_revocation(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<RevocationId>,
) -> Result<Response, Refusal> {
    door.gateway.identity().delete_revocation(&who.caller, &who.call, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
