//! Connections and requests: takes a body within its limits, has it judged, and answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{MAX_BODY, Shared, judge};

/// How long headers, and a body, may take.
const READ: Duration = Duration::from_secs(10);
/// How many connections are open at a time.
const CONNECTIONS: usize = 256;
/// How long to wait when the system has no more sockets.
const BREATHER: Duration = Duration::from_millis(50);

/// Receives until told to stop; then every connection is closed.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &shared, &mut connections) => {}
        () = stop.cancelled() => {}
    }
    connections.shutdown().await;
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                connections.spawn(async move {
                    let _place = place;
                    connection(stream, shared).await;
                });
            }
            Err(_) => tokio::time::sleep(BREATHER).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(READ);
    // A connection that breaks is its peer's affair.
    let _closed = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "a delivery is a POST");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let challenge = judge::challenge(&body);
    let Some(secret) = shared.secret.get() else {
        let unknown = || refusal(StatusCode::SERVICE_UNAVAILABLE, "the secret is not known yet");
        return challenge.map_or_else(unknown, |challenge| echo(&challenge));
    };
    let received = judge::judge(shared, secret, &parts.headers, &body);
    (shared.told)(&received);
    match (received.verified, challenge) {
        (Ok(()), Some(challenge)) => echo(&challenge),
        (Ok(()), None) => with_status(StatusCode::NO_CONTENT, Full::default()),
        (Err(error), _) => refusal(StatusCode::UNAUTHORIZED, &error.to_string()),
    }
}

fn echo(challenge: &str) -> Response<Full<Bytes>> {
    json(StatusCode::OK, &json!({ "challenge": challenge }))
}

/// A whole body of at most [`MAX_BODY`], or the answer to a sender of anything else.
async fn read(body: Incoming) -> Result<Bytes, Response<Full<Bytes>>> {
    let reading = tokio::time::timeout(READ, Limited::new(body, MAX_BODY).collect());
    let (status, error) = match reading.await {
        Ok(Ok(body)) => return Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            (StatusCode::PAYLOAD_TOO_LARGE, "the body may have 256 KiB")
        }
        Ok(Err(_)) => (StatusCode::BAD_REQUEST, "the body cannot be read"),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
    };
    let mut response = refusal(status, error);
    // What is left of the body would be taken for the next request.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Err(response)
}

fn refusal(status: StatusCode, error: &str) -> Response<Full<Bytes>> {
    json(status, &json!({ "error": error }))
}

fn json(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = with_status(status, Full::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn with_status(status: StatusCode, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
