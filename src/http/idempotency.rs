//! The layer around the handlers that keeps their responses to requests with an `Idempotency-Key`, and gives them to
//! repeats. No handler knows of it: which operation has its response kept stands in [`crate::app::access`].
//!
//! It reads who asks and the body first, as the handler would, and hands both on.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::{Deserialize, Serialize};

use super::exchange::Exchange;
use super::extract::{Authorized, PeekedBody};
use super::headers::{self, IDEMPOTENCY_KEY};
use super::problem::ProblemResponse;
use super::{DoorState, answer};
use crate::app::access::{self, Access};
use crate::app::idempotency::{Answered, KeyedEnd, KeyedRequest};
use crate::domain::idempotency::meaning;

/// Carries one request through.
pub(super) async fn around(State(door): State<DoorState>, request: Request, next: Next) -> Response {
    match keyed(&request) {
        Some((exchange, access)) => {
            carry(&door, &exchange, access, request, next).await.unwrap_or_else(IntoResponse::into_response)
        }
        None => next.run(request).await,
    }
}

/// The request's operation, if its response is to be kept.
fn keyed(request: &Request) -> Option<(Arc<Exchange>, &'static Access)> {
    let exchange = request.extensions().get::<Arc<Exchange>>()?;
    let access = access::of(exchange.operation?)?;
    let keyed = access.repeats.keeps_response() && request.headers().contains_key(IDEMPOTENCY_KEY);
    keyed.then(|| (Arc::clone(exchange), access))
}

async fn carry(
    door: &DoorState,
    exchange: &Exchange,
    access: &'static Access,
    request: Request,
    next: Next,
) -> Result<Response, ProblemResponse> {
    let (mut parts, body) = request.into_parts();
    let who = Authorized::from_request_parts(&mut parts, door).await?;
    let key = headers::idempotency_key(&parts.headers)?.unwrap_or_default();
    let body = PeekedBody::read(&parts.headers, body, exchange.settings).await?;
    let (path, query) = (parts.uri.path().as_bytes(), parts.uri.query().unwrap_or_default().as_bytes());
    let asked = KeyedRequest {
        operation: access.operation,
        repeats: access.repeats,
        key,
        asks: meaning(&[path, query, &body.meaning]),
        within: exchange.settings.request_deadline,
    };
    parts.extensions.insert(who.clone());
    let request = Request::from_parts(parts, Body::from(body.raw.clone()));
    let work = async { Finished::of(next.run(request).await).await };
    let answered = door.gateway.idempotency().once(&who.caller, &who.call, &asked, work, Finished::end).await?;
    match answered {
        Answered::Now(finished) => Ok(finished.response),
        Answered::Before(kept) => {
            // The handler, which would have noted them, was not asked.
            exchange.call.asks(body.fields);
            KeptResponse::read(&kept)
        }
    }
}

/// The response of a handler, and its body.
struct Finished {
    response: Response,
    body: Bytes,
}

impl Finished {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        // The responses of these operations are in memory already.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        Self { response: Response::from_parts(parts, Body::from(body.clone())), body }
    }

    fn end(&self) -> KeyedEnd {
        match self.response.status().as_u16() {
            500.. => KeyedEnd::Failed,
            400.. => KeyedEnd::Refused,
            _ => KeyedEnd::Succeeded(KeptResponse::of(self)),
        }
    }
}

/// A response as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl KeptResponse {
    fn of(finished: &Finished) -> SecretSlice<u8> {
        let headers = finished.response.headers().iter().filter(|(name, _)| *name != CONTENT_LENGTH);
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let kept = Self {
            status: finished.response.status().as_u16(),
            headers: headers.map(text).collect(),
            body: String::from_utf8_lossy(&finished.body).into_owned(),
        };
        serde_json::to_vec(&kept).expect("a tree of strings and numbers always becomes JSON").into()
    }

    fn read(kept: &SecretSlice<u8>) -> Result<Response, ProblemResponse> {
        let kept: Self = serde_json::from_slice(kept.expose_secret())
            .map_err(|_| ProblemResponse::internal("a kept response cannot be read"))?;
        let status = StatusCode::from_u16(kept.status).map_err(ProblemResponse::internal)?;
        let mut response = (status, Body::from(kept.body)).into_response();
        for (name, value) in kept.headers {
            let name = HeaderName::try_from(name).map_err(ProblemResponse::internal)?;
            answer::put(&mut response, name, &value);
        }
        answer::put(&mut response, HeaderName::from_static("idempotent-replayed"), "true");
        Ok(response)
    }
}
