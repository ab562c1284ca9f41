//! Token exchange (RFC 8693), and the keys that the gateway's own tokens are checked with.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::Exchanged;
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::identity::token_exchange::{ExchangeRequest, GRANT};
use crate::domain::limits::Party;
use crate::domain::limits::queue::Class;
use crate::http::exchange::Exchange;
use crate::http::extract::{Form, team};
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

/// For how long whoever fetched the keys may keep them: a new key is known to all before a token has it.
const KEYS_KEPT: &str = "public, max-age=300";

/// A token exchange request (RFC 8693, 2.1). Unknown parameters are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TokenExchange)]
#[expect(dead_code, reason = "the form is read pair by pair; this tells the document what may stand there")]
pub(in crate::http::rest) struct TokenExchangeBody {
    /// Always `urn:ietf:params:oauth:grant-type:token-exchange`.
    #[schema(example = "urn:ietf:params:oauth:grant-type:token-exchange")]
    grant_type: String,
    /// The token of the identity provider. It is never stored or logged.
    #[schema(format = Password)]
    subject_token: String,
    /// The type of the subject token: `urn:ietf:params:oauth:token-type:` followed by `jwt`, `id_token` or
    /// `access_token`.
    #[schema(example = "urn:ietf:params:oauth:token-type:jwt")]
    subject_token_type: String,
    /// The type of token to issue: `urn:ietf:params:oauth:token-type:access_token`, which is what is issued, or
    /// `…:jwt`.
    #[schema(nullable = false)]
    requested_token_type: Option<String>,
    /// The intended audience. If set, it must be this gateway's audience or issuer.
    #[schema(nullable = false)]
    audience: Option<String>,
    /// The intended resource, with the same rules as `audience`.
    #[schema(nullable = false)]
    resource: Option<String>,
    /// The scopes to request, separated by spaces, if fewer than the rule grants.
    #[schema(nullable = false, example = "read write")]
    scope: Option<String>,
    /// The team to act for, if the rule allows several. The header `X-Team` does the same.
    #[schema(nullable = false)]
    team: Option<String>,
}

/// A token issued by the gateway (RFC 8693, 2.2.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuedToken)]
pub(in crate::http::rest) struct IssuedTokenView {
    /// The token. Send it as `Authorization: Bearer`.
    access_token: String,
    /// The type of the issued token: `urn:ietf:params:oauth:token-type:access_token`.
    issued_token_type: String,
    /// How the token is used: `Bearer`.
    token_type: String,
    /// The number of seconds for which the token is valid.
    expires_in: i64,
    /// The scopes of the token, separated by spaces.
    scope: String,
}

/// Exchange a token
///
/// Exchanges a token of an identity provider, such as that of a pipeline, for a token of the gateway that is valid
/// for 30 minutes (RFC 8693). No other credential is needed. The new token has no more permissions than the issuer's
/// rule grants, and it ends when the rule is changed or removed, or when it, its subject or the subject token is
/// revoked. A refusal has the OAuth members `error` and `error_description` in addition to those of a problem.
#[utoipa::path(post, path = "/v1/token-exchange", tag = "token-exchange",
    request_body(content = TokenExchangeBody, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The issued token.", body = IssuedTokenView)),
)]
pub(in crate::http::rest) async fn exchange_token(
    State(door): State<DoorState>,
    Extension(exchange): Extension<Arc<Exchange>>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, ProblemResponse> {
    let asked = door.gateway.identity().read_exchange(form.0)?;
    let subject =
        door.gateway.identity().exchange_subject(&exchange.call, &exchange.place, &asked, team(&headers)).await?;
    let issued = issue(&door, &exchange, &asked, &subject).await;
    // The entry names who it has become, or who was refused.
    exchange.caller.get_or_init(|| issued.as_ref().map_or(subject, |issued| Arc::clone(&issued.caller)));
    Ok(token_answer(&issued?))
}

async fn issue(
    door: &DoorState,
    exchange: &Exchange,
    asked: &ExchangeRequest,
    subject: &Caller,
) -> Result<Exchanged, ProblemResponse> {
    exchange.place.count(&subject.team)?;
    exchange.place.enter(Class::Change, Party::Team(subject.team.clone())).await?;
    // Whoever acts for the platform must be able to undo it.
    if !subject.may_one(&Scope::PLATFORM) {
        door.gateway.policies().check_team(subject).await?;
    }
    Ok(door.gateway.identity().exchange_token(&exchange.call, asked, subject).await?)
}

fn token_answer(exchanged: &Exchanged) -> Response {
    let view = IssuedTokenView {
        access_token: exchanged.token.expose_secret().to_owned(),
        issued_token_type: Exchanged::TOKEN_TYPE.to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: exchanged.expires_in(),
        scope: exchanged.scope(),
    };
    let mut answer = answer::json(StatusCode::OK, &view);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The keys that the gateway's own tokens are checked with, as a JWKS document.
pub(in crate::http::rest) async fn jwks(State(door): State<DoorState>) -> Response {
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, KEYS_KEPT)];
    (headers, door.gateway.identity().own_jwks().to_owned()).into_response()
}

/// Where what is (`OpenID` Connect Discovery, RFC 8414). Only where the issuer is the address that clients know: a
/// document that names another issuer than it was asked of is refused by those who read it.
pub(in crate::http::rest) async fn configuration(
    State(door): State<DoorState>,
    Extension(exchange): Extension<Arc<Exchange>>,
) -> Result<Response, ProblemResponse> {
    let issuer = door.gateway.identity().own_issuer();
    if exchange.base.is_empty() || *issuer != *exchange.base {
        return Err(ProblemResponse::not_found());
    }
    let document = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "token_endpoint": format!("{issuer}/v1/token-exchange"),
        "token_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    let mut answer = answer::json(StatusCode::OK, &document);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(KEYS_KEPT));
    Ok(answer)
}
