//! Revocations of tokens: create, list, take back.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::NewRevocationBody;
use crate::app::view::RevocationView;
use crate::domain::ids::RevocationId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::RevocationList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// Revoke tokens
///
/// Revokes one token by its `jti`, or all tokens of a subject that were issued before a given time: for every team
/// with the scope `platform:security`, or else for the caller's own team. The tokens are refused from now on, and
/// within a second on other gateways; streams and waits that they opened are ended. API keys and access keys that
/// were created or rotated with them are revoked too, and listed in the response, unless `keep_keys` is set. Tokens
/// that a subject obtains later are valid: disable the subject at its issuer first.
#[utoipa::path(post, path = "/v1/revocations", tag = "revocations", responses(
    (status = 201, description = "The revocation.", body = RevocationView),
))]
pub(in crate::http::rest) async fn create_revocation(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewRevocationBody>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.identity().create_revocation(&who.caller, &who.call, body.value.into()).await?;
    Ok(answer::json(StatusCode::CREATED, &view))
}

/// List revocations
///
/// Returns the revocations in force: all of them with the scope `platform:security`, or else those for the caller's
/// team.
#[utoipa::path(get, path = "/v1/revocations", tag = "revocations",
    responses((status = 200, description = "One page of the list.", body = RevocationList)),
)]
pub(in crate::http::rest) async fn list_revocations(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.identity().list_revocations(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, RevocationList>(&uri, slice))
}

/// Delete a revocation
///
/// Its tokens are accepted again if they are otherwise valid; keys that were revoked with it stay revoked. A
/// revocation made by the platform can be deleted only by the platform.
#[utoipa::path(delete, path = "/v1/revocations/{revocation_id}", tag = "revocations",
    params(("revocation_id" = String, Path, description = "The id of the revocation, `rv_…`.")),
    responses((status = 204, description = "The revocation is no longer in force.")),
)]
pub(in crate::http::rest) async fn delete_revocation(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<RevocationId>,
) -> Result<Response, ProblemResponse> {
    door.gateway.identity().delete_revocation(&who.caller, &who.call, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
