//! What one request and its answer share across layers, extractors and handlers.
//!
//! The outermost wrapper opens it and puts it into the request's extensions; the extractor of the credential
//! writes the caller into it, so that the wrapper can name them in the audit entry and the log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use tokio::time::Instant;

use super::headers;
use super::problem::Occasion;
use super::{DoorState, HttpSettings};
use crate::app::admission::Permit;
use crate::app::{Call, access};
use crate::config::LimitsConfig;
use crate::domain::audit::Actor;
use crate::domain::identity::caller::{Caller, Door, Origin};
use crate::domain::problem::Repetition;
use crate::eci::incoming::AnswerFormat;
use crate::eci::user_agent;

/// The most parameters of a query that the audit looks at.
const MOST_PARAMETERS: usize = 256;

/// The longest URL at the RPC front, in bytes; the HTTP library takes no longer one. A create of 20 long names and 5
/// logins by an SDK that puts everything there has 33 kB.
const RPC_URL_BYTES: usize = 65_534;

/// `HostId` where the request's own is not known.
pub(super) const NO_HOST: &str = "eci-cache-gateway";

/// The peer's address, put into each request's extensions by the server.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// One request on its way.
#[derive(Debug)]
pub struct Exchange {
    /// What `app` wants to know of it.
    pub call: Call,
    /// The operation id of the route, where one was matched.
    pub operation: Option<&'static str>,
    /// The route as it is written in the table; never the URI.
    pub route: Option<MatchedPath>,
    /// The id in the path, at most 128 characters.
    pub resource: Option<String>,
    /// What a request to the cloud's own API has of its own.
    pub rpc: Option<Rpc>,
    /// The W3C trace context, if it was sent and sane.
    pub traceparent: Option<String>,
    /// Whether it belongs to the API.
    pub api: bool,
    /// Whether it is a GET or HEAD of the REST API.
    pub reads: bool,
    /// Whether it can be repeated.
    pub repetition: Repetition,
    /// Whether it needs an audit entry.
    pub audited: bool,
    /// Who it is, once known.
    pub caller: OnceLock<Arc<Caller>>,
    /// Its place among the others.
    pub place: Arc<Permit>,
    /// Deadlines and sizes.
    pub settings: HttpSettings,
    /// What stands before the path of a link in the answer.
    pub base: Arc<str>,
    /// By when its answer must be ready.
    pub deadline: Instant,
    /// When its caller gives up: whatever it waits for then, it is answered.
    pub gone: Instant,
}

impl Exchange {
    /// Looks at a request that has just arrived.
    pub fn open(door: &DoorState, operations: &OperationIds, request: &Request) -> Arc<Self> {
        let extensions = request.extensions();
        let route = extensions.get::<MatchedPath>().cloned();
        let peer = extensions.get::<Peer>().map(|peer| peer.0);
        let address = peer.map(|peer| door.links.proxies().client(peer, request.headers()));
        let request_id = request_id(request.headers()).unwrap_or_else(|| door.gateway.base().new_request_id());
        let path = request.uri().path();
        let rpc = (path == "/").then(|| Rpc::of(request));
        let rest = path == "/v1" || path.starts_with("/v1/");
        let api = rest || rpc.is_some();
        let origin = Origin { door: if rpc.is_some() { Door::Rpc } else { Door::Rest }, request_id, address };
        let call = Call::new(origin, door.gateway.base().clock().now());
        if rpc.is_none() {
            let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
            call.asks(query.into_owned().take(MOST_PARAMETERS));
        }
        let (within, way) = if rpc.is_some() {
            let max_wait = rpc_deadline(request.headers(), &door.settings);
            (max_wait, user_agent::way(max_wait))
        } else {
            (door.settings.request_deadline, Duration::ZERO)
        };
        let deadline = Instant::now() + within;
        let operation = route.as_ref().and_then(|route| operations.of(request.method(), route.as_str()));
        Arc::new(Self {
            deadline,
            gone: deadline + way,
            call,
            repetition: repetition(request, operation),
            operation,
            resource: route.as_ref().and_then(|route| resource(route.as_str(), path)),
            route,
            traceparent: headers::traceparent(request.headers()),
            api,
            reads: rest && [Method::GET, Method::HEAD].contains(request.method()),
            audited: door.settings.audits && api,
            place: door.gateway.admission().place(rpc.is_some().then(|| deadline.into_std()), address),
            rpc,
            caller: OnceLock::new(),
            settings: door.settings,
            base: door.links.base(peer, request.headers()),
        })
    }

    /// The exchange of a request inside the wrapper.
    pub fn of(parts: &Parts) -> Option<Arc<Self>> {
        parts.extensions.get::<Arc<Self>>().cloned()
    }

    /// The request id.
    pub fn request_id(&self) -> &str {
        &self.call.origin.request_id
    }

    /// What a problem says of it.
    pub fn occasion(&self) -> Occasion<'_> {
        Occasion { request_id: self.request_id(), base: &self.base, repetition: self.repetition }
    }

    /// The longest path and query that are taken: at the RPC front all parameters may stand there. Whoever sets less
    /// than the default means it for both.
    pub fn max_url_bytes(&self) -> usize {
        let limit = self.settings.max_url_bytes;
        let roomy = limit >= LimitsConfig::usual().url_bytes;
        if self.rpc.is_some() && roomy { limit.max(RPC_URL_BYTES) } else { limit }
    }

    /// What the audit entry calls it.
    pub fn action(&self) -> &'static str {
        match &self.rpc {
            Some(rpc) => rpc.action.get().copied().unwrap_or("unknown_action"),
            None => self.operation.unwrap_or("unknown_route"),
        }
    }

    /// What it is about, where that is known.
    pub fn resource(&self) -> Option<String> {
        match &self.rpc {
            Some(rpc) => rpc.resource.get().cloned(),
            None => self.resource.clone(),
        }
    }

    /// Whom the audit entry names.
    pub fn actor(&self) -> Actor {
        let origin = &self.call.origin;
        match (self.caller.get(), self.call.recognized()) {
            (Some(caller), _) => Actor::caller(caller, origin),
            (None, Some(whose)) => Actor::recognized(whose, origin),
            (None, None) => Actor::anonymous(origin),
        }
    }
}

/// What a request to the cloud's own API tells of itself, as far as it is understood.
#[derive(Debug)]
pub struct Rpc {
    /// The host that was asked, for `HostId`.
    pub host: String,
    /// In what to answer; JSON until the request says otherwise.
    pub format: OnceLock<AnswerFormat>,
    /// The operation id of its action.
    pub action: OnceLock<&'static str>,
    /// The cloud's id of the image cache that it is about.
    pub resource: OnceLock<String>,
}

impl Rpc {
    fn of(request: &Request) -> Self {
        let host = request.headers().get("host").and_then(|host| host.to_str().ok());
        Self {
            host: host.unwrap_or(NO_HOST).chars().take(255).collect(),
            format: OnceLock::new(),
            action: OnceLock::new(),
            resource: OnceLock::new(),
        }
    }
}

/// How long an answer of the cloud's API may take: what the caller says with `Prefer: wait`, else what its SDK waits,
/// else the setting.
fn rpc_deadline(headers: &HeaderMap, settings: &HttpSettings) -> Duration {
    let asked = Some(headers::prefer_wait(headers)).filter(|wait| wait.asked).map(|wait| wait.time);
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    asked.or_else(|| user_agent::answer_within(user_agent)).unwrap_or(settings.rpc_deadline)
}

/// The request id that the client chose, if it is sane: 1 to 64 letters, digits, dots, underscores, dashes.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    let sane = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    (sane && (1..=64).contains(&text.len())).then(|| text.to_owned())
}

/// What makes it safe to repeat a request of an operation.
fn repetition(request: &Request, operation: Option<&str>) -> Repetition {
    let access = operation.and_then(access::of);
    Repetition {
        idempotent_method: request.method().is_idempotent(),
        // A token that nobody received is used by nobody.
        reads: operation == Some(access::TOKEN_EXCHANGE) || access.is_some_and(|access| !access.changes),
        takes_key: access.is_some_and(|access| access.repeats.takes_key()),
        has_key: request.headers().contains_key("idempotency-key"),
    }
}

/// The part of `path` that stands where `route` has its first placeholder.
fn resource(route: &str, path: &str) -> Option<String> {
    let place = route.split('/').position(|part| part.starts_with('{'))?;
    path.split('/').nth(place).map(|part| part.chars().take(128).collect())
}

/// Which operation a route and method are, as the document tells.
#[derive(Debug, Default)]
pub struct OperationIds(HashMap<(Method, String), &'static str>);

impl OperationIds {
    /// The operations in `document` that the access table knows.
    pub fn read(document: &utoipa::openapi::OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in methods {
                let id = operation.as_ref().and_then(|operation| operation.operation_id.as_deref());
                if let Some(id) = id.and_then(access::known) {
                    known.insert((method, path.clone()), id);
                }
            }
        }
        Self(known)
    }

    /// The operation of a method on a route. HEAD is answered as GET.
    pub fn of(&self, method: &Method, route: &str) -> Option<&'static str> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.get(&(method.clone(), route.to_owned())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sane_request_id_is_taken() {
        for (sent, taken) in [("a.B_9-", true), ("", false), ("a b", false), ("é", false), ("x\"y", false)] {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", sent.parse().unwrap());
            assert_eq!(request_id(&headers).is_some(), taken, "{sent}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "x".repeat(65).parse().unwrap());
        assert_eq!(request_id(&headers), None);
    }

    #[test]
    fn the_id_in_the_path_is_the_resource() {
        let route = "/v1/image-caches/{image_cache_id}/wait";
        assert_eq!(resource(route, "/v1/image-caches/ic_1/wait").as_deref(), Some("ic_1"));
        assert_eq!(resource("/v1/events", "/v1/events"), None);
        let long = format!("/v1/image-caches/{}/wait", "é".repeat(200));
        assert_eq!(resource(route, &long).unwrap().chars().count(), 128);
    }
}
