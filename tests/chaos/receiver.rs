//! A receiver of webhooks that records each one on disk before it answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::webhook::secret::SigningSecret;
use eci_cache_gateway::webhook::sign;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::check::evidence::HookFact;
use crate::ledger::Ledger;

/// The secrets of the endpoints, by path.
pub(crate) type SecretsByPath = Arc<Mutex<BTreeMap<String, String>>>;

/// Starts a receiver on a free port.
pub(crate) async fn start(ledger: Arc<Ledger>, secrets: SecretsByPath) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (ledger, secrets) = (Arc::clone(&ledger), Arc::clone(&secrets));
            let service = service_fn(move |request| receive(request, Arc::clone(&ledger), Arc::clone(&secrets)));
            // If a connection breaks, the proxy did it.
            tokio::spawn(
                async move { drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) },
            );
        }
    });
    address
}

async fn receive(
    request: Request<Incoming>,
    ledger: Arc<Ledger>,
    secrets: SecretsByPath,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    // An incomplete body is not a webhook: its sender gets no success.
    if let Ok(body) = body.collect().await {
        let secret = secrets.lock().unwrap_or_else(PoisonError::into_inner).get(parts.uri.path()).cloned();
        if let Some(hook) = read(&parts.headers, &body.to_bytes(), secret.as_deref()) {
            ledger.note(&hook);
            *answer.status_mut() = StatusCode::NO_CONTENT;
        }
    }
    Ok(answer)
}

fn read(headers: &hyper::HeaderMap, body: &[u8], secret: Option<&str>) -> Option<HookFact> {
    let now = SystemClock.now();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let json: Value = serde_json::from_slice(body).ok()?;
    let cache = &json["data"]["image_cache"];
    let secret = secret.and_then(|secret| SigningSecret::parse(secret).ok());
    Some(HookFact {
        at: now,
        id: header("webhook-id")?.to_owned(),
        kind: json["type"].as_str()?.to_owned(),
        image_cache: cache["id"].as_str()?.to_owned(),
        generation: cache["generation"].as_i64()?,
        signed: secret.is_some_and(|secret| sign::verify(&secret, header, body, now).is_ok()),
    })
}
