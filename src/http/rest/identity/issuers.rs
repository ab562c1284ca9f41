//! Issuers of tokens: list, get, put, delete; and what a token would become.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::view::IssuerView;
use crate::domain::identity::issuer::explanation::TokenExplanation;
use crate::domain::identity::issuer::{Issuer, IssuerName};
use crate::http::extract::{Authorized, Id, Json, JsonBody, Query};
use crate::http::headers;
use crate::http::problem::ProblemResponse;
use crate::http::rest::image_caches::bodies::given;
use crate::http::rest::lists::IssuerList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// A token to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenToExplain)]
pub(in crate::http::rest) struct TokenBody {
    /// The token. It is not stored, logged or audited.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The team to act for, if the token allows several.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    team: Option<String>,
}

impl JsonBody for TokenBody {}

/// List issuers
///
/// Returns the issuers, sorted by name. The issuer from the gateway's settings is included as `default`, with
/// `managed_by` set to `settings`.
#[utoipa::path(get, path = "/v1/issuers", tag = "issuers",
    responses((status = 200, description = "One page of the list.", body = IssuerList)),
)]
pub(in crate::http::rest) async fn list_issuers(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.identity().list_issuers(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, IssuerList>(&uri, slice))
}

/// Get an issuer
///
/// Returns the issuer as it was put, and whether it comes from a file or was put through this API.
#[utoipa::path(get, path = "/v1/issuers/{issuer_name}", tag = "issuers",
    params(("issuer_name" = String, Path, description = "The name of the issuer.")),
    responses((status = 200, description = "The issuer.", body = IssuerView)),
)]
pub(in crate::http::rest) async fn get_issuer(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<IssuerName>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.identity().get_issuer(&who.caller, name.as_str()).await?;
    Ok(answer::versioned(&request, &view, view.version))
}

/// Create or replace an issuer
///
/// Creates the issuer, or replaces it as a whole. Tokens that arrive after this response are checked against it, and
/// within a second on other gateways. Tokens that were exchanged under a rule that was changed or removed end. The
/// issuer from the gateway's settings cannot be changed here.
#[utoipa::path(put, path = "/v1/issuers/{issuer_name}", tag = "issuers",
    params(("issuer_name" = String, Path, description = "The name of the issuer: 1 to 63 characters from a-z, 0-9, - and _, beginning with a letter or digit.")),
    responses((status = 200, description = "The issuer.", body = IssuerView)),
)]
pub(in crate::http::rest) async fn put_issuer(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<IssuerName>,
    request: HeaderMap,
    body: Json<Issuer>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let view =
        door.gateway.identity().put_issuer(&who.caller, &who.call, name.as_str(), body.value, &precondition).await?;
    Ok(answer::with_version(StatusCode::OK, &view, view.version))
}

/// Delete an issuer
///
/// Tokens of the issuer, and tokens that were exchanged for them, are refused from now on, and within a second on
/// other gateways.
#[utoipa::path(delete, path = "/v1/issuers/{issuer_name}", tag = "issuers",
    params(("issuer_name" = String, Path, description = "The name of the issuer.")),
    responses((status = 204, description = "The issuer was deleted.")),
)]
pub(in crate::http::rest) async fn delete_issuer(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<IssuerName>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    door.gateway.identity().delete_issuer(&who.caller, &who.call, name.as_str(), &precondition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Explain a token
///
/// Reports how the gateway would treat a token: each check in order, the rules that were tried, and the resulting
/// caller. If a check fails, the response shows the values that the token has (at most 5 of 100 characters each) and
/// what is expected. The token is not stored, logged or audited.
#[utoipa::path(post, path = "/v1/issuers/explain", tag = "issuers",
    responses((status = 200, description = "The explanation of the token.", body = TokenExplanation)),
)]
pub(in crate::http::rest) async fn explain_token(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<TokenBody>,
) -> Result<Response, ProblemResponse> {
    let TokenBody { token, team } = body.value;
    let explained = door.gateway.identity().explain_token(&who.caller, token.expose_secret(), team.as_deref()).await?;
    Ok(answer::json(StatusCode::OK, &explained))
}
