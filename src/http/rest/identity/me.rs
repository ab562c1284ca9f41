//! Who the credential says that the caller is.

use axum::http::StatusCode;
use axum::response::Response;

use crate::app::view::Me;
use crate::http::answer;
use crate::http::extract::Authorized;

/// Get the caller
///
/// Returns the team that the credential acts for, its subject, its id and its scopes.
#[utoipa::path(get, path = "/v1/me", tag = "me",
    responses((status = 200, description = "The caller, as described by its credential.", body = Me)),
)]
pub(in crate::http::rest) async fn get_me(who: Authorized) -> Response {
    answer::json(StatusCode::OK, &Me::from(&*who.caller))
}
