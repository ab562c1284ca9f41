//! The id in the path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::http::problem::ProblemResponse;

/// The first placeholder of the path. A text that is no such id answers exactly as an absent one.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| ProblemResponse::not_found())?;
        let first = params.iter().next().and_then(|(_, text)| text.parse().ok());
        first.map(Self).ok_or_else(ProblemResponse::not_found)
    }
}
