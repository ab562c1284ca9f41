//! Issuers of tokens: list, get, put, delete; and what a token would become.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::view::IssuerView;
use crate::domain::identity::issuer::explanation::Explanation;
use crate::domain::identity::issuer::{Issuer, IssuerName};
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::headers;
use crate::http::problem::Refusal;
use crate::http::rest::image_caches::bodies::given;
use crate::http::rest::lists::IssuerList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// A token to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenToExplain)]
pub(in crate::http::rest) struct TokenBody {
    /// The token. It is not kept, logged or audited.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The team to act for, where it would be several.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    team: Option<String>,
}

/// List issuers
///
/// By name. The one of the gateway's settings is among them as `default`, `managed_by` `settings`.
#[utoipa::path(get, path = "/v1/issuers", tag = "issuers",
    responses((status = 200, description = "One page of the list.", body = IssuerList)),
)]
pub(in crate::http::rest) async fn list_issuers(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Refusal> {
    let slice = door.gateway.identity().list_issuers(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, IssuerList>(&uri, slice))
}

/// Get an issuer
#[utoipa::path(get, path = "/v1/issuers/{issuer_name}", tag = "issuers",
    params(("issuer_name" = String, Path, description = "The name.")),
    responses((status = 200, description = "The issuer.", body = IssuerView)),
)]
pub(in crate::http::rest) async fn get_issuer(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<IssuerName>,
) -> Result<Response, Refusal> {
    let view = door.gateway.identity().get_issuer(&who.caller, name.as_str()).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}

/// Put an issuer
///
/// Added, or replaced as a whole. Tokens that come after this answer are judged by it, at other gateways within a second;
/// tokens that were exchanged by a rule that is changed or gone end. The issuer of the gateway's settings cannot be
/// changed here.
#[utoipa::path(put, path = "/v1/issuers/{issuer_name}", tag = "issuers",
    params(("issuer_name" = String, Path, description = "The name: 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit.")),
    responses((status = 200, description = "The issuer.", body = IssuerView)),
)]
pub(in crate::http::rest) async fn put_issuer(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<IssuerName>,
    request: HeaderMap,
    body: Json<Issuer>,
) -> Result<Response, Refusal> {
    let precondition = headers::precondition(&request)?;
    let view =
        door.gateway.identity().put_issuer(&who.caller, &who.call, name.as_str(), body.value, &precondition).await?;
    Ok(answer::kept(StatusCode::OK, &view, view.version))
}

/// Delete an issuer
///
/// Its tokens are refused from now on, and those that were exchanged for them; at other gateways within a second.
#[utoipa::path(delete, path = "/v1/issuers/{issuer_name}", tag = "issuers",
    params(("issuer_name" = String, Path, description = "The name.")),
    responses((status = 204, description = "It is gone.")),
)]
pub(in crate::http::rest) async fn delete_issuer(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<IssuerName>,
    request: HeaderMap,
) -> Result<Response, Refusal> {
    let precondition = headers::precondition(&request)?;
    door.gateway.identity().delete_issuer(&who.caller, &who.call, name.as_str(), &precondition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Explain a token
///
/// What a token would become: each check in its order, the rules that were tried, the caller. Where one fails, the answer
/// shows what the token has there (at most 5 values of 100 characters) and what is expected. The token is not kept, logged
/// or audited.
#[utoipa::path(post, path = "/v1/issuers/explain", tag = "issuers",
    responses((status = 200, description = "What it would become.", body = Explanation)),
)]
pub(in crate::http::rest) async fn explain_token(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<TokenBody>,
) -> Result<Response, Refusal> {
    let TokenBody { token, team } = body.value;
    let explained = door.gateway.identity().explain_token(&who.caller, token.expose_secret(), team.as_deref()).await?;
    Ok(answer::json(StatusCode::OK, &explained))
}
