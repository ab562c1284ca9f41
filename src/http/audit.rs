//! The outermost layer: one pass around every request.
//!
//! In this order: request id and trace context, a task of the request's own (a client that leaves stops
//! nothing), the request's deadline, panics, then the audit entry, the problem body, and one log line.
//!
//! What must stay true: a request under `/v1` is answered only after its audit entry is durable, also when it is
//! refused, unknown, timed out or has panicked. A change writes its own entry with itself (`Call::is_audited`).
//! Where the entry cannot be written in time, the answer is 503 and says nothing else. Those turned away because there
//! are too many are noted together ([`crate::app::admission`]), and not waited for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::DoorState;
use super::deprecation::Deprecation;
use super::exchange::{Exchange, OperationIds};
use super::headers;
use super::problem::ProblemResponse;
use super::{links, rpc};
use crate::app::admission::in_place;
use crate::app::base::supervision::words_of;
use crate::app::input::RequestEnd;
use crate::app::{self, Call, access};
use crate::domain::audit::Outcome;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::limits::bucket::RateQuota;
use crate::domain::log_limit::LogLimit;
use crate::domain::operation::dry_run;

/// The least time for the audit entry of a request whose caller is about to give up.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Why audit entries are not written, which every request finds at once.
static SAID: LogLimit = LogLimit::new();

/// What the layer works with.
#[derive(Clone)]
pub struct Wrapper {
    door: DoorState,
    operations: Arc<OperationIds>,
}

impl Wrapper {
    /// A wrapper around the routes of `document`.
    pub fn new(door: DoorState, document: &utoipa::openapi::OpenApi) -> Self {
        Self { door, operations: Arc::new(OperationIds::read(document)) }
    }
}

/// Carries one request through.
pub async fn around(State(wrapper): State<Wrapper>, mut request: Request, next: Next) -> Response {
    let exchange = Exchange::open(&wrapper.door, &wrapper.operations, &request);
    request.extensions_mut().insert(Arc::clone(&exchange));
    let span = tracing::info_span!("request", request_id = exchange.request_id());
    let tasks = wrapper.door.tasks.clone();
    let task = tasks.spawn(carry(wrapper.door, Arc::clone(&exchange), request, next).instrument(span.clone()));
    // A client that leaves drops this future: a change goes on, a wait ends, and its entry is written.
    let _waiting = exchange.call.left().clone().drop_guard();
    // Only the layer itself can fail here: a panic of a handler is an answer already.
    task.await.unwrap_or_else(|error| {
        let refusal = worded(&exchange, ProblemResponse::internal(error));
        span.in_scope(|| mark(&exchange, finish(&exchange, Response::default(), Some(refusal))))
    })
}

async fn carry(door: DoorState, exchange: Arc<Exchange>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    if exchange.audited && !door.gateway.base().has_begun() {
        let refusal = worded(&exchange, app::Error::not_begun().into());
        let code = refusal.code().to_owned();
        let answer = mark(&exchange, finish(&exchange, Response::default(), Some(refusal)));
        log(&exchange, &method, answer.status(), Some(&code), began);
        return answer;
    }
    let mut answer = in_place(Arc::clone(&exchange.place), guarded(&exchange, request, next)).await;
    let refusal = ProblemResponse::found_in(&mut answer).map(|refusal| worded(&exchange, refusal));
    let refusal = recorded(&door, &exchange, answer.status(), refusal).await;
    exchange.place.end();
    let code = refusal.as_ref().map(|refusal| refusal.code().to_owned());
    let answer = mark(&exchange, finish(&exchange, answer, refusal));
    log(&exchange, &method, answer.status(), code.as_deref(), began);
    answer
}

/// A refusal in the words of the door that it leaves by.
fn worded(exchange: &Exchange, refusal: ProblemResponse) -> ProblemResponse {
    match exchange.operation {
        _ if exchange.rpc.is_some() => rpc::words::of_layer(refusal),
        Some(access::TOKEN_EXCHANGE) => refusal.in_oauth(),
        _ => refusal,
    }
}

/// What is answered once the audit has what it must have: the refusal that there was, or why there is none to be said.
async fn recorded(
    door: &DoorState,
    exchange: &Exchange,
    status: StatusCode,
    mut refusal: Option<ProblemResponse>,
) -> Option<ProblemResponse> {
    if !exchange.audited || exchange.call.is_audited() {
        return refusal;
    }
    let mut turned_away = exchange.place.was_turned_away();
    let unauthenticated =
        exchange.caller.get().is_none() && refusal.as_ref().is_some_and(|one| !one.status().is_server_error());
    if unauthenticated
        && !turned_away
        && !exchange.place.is_counted_unauthenticated()
        && let Err(error) = door.gateway.admission().count_unauthenticated(exchange.call.origin.address)
    {
        turned_away = true;
        refusal = Some(worded(exchange, error.into()));
    }
    if let (true, Some(refusal)) = (turned_away, &refusal) {
        let status = i32::from(refusal.status().as_u16());
        door.gateway.admission().note_turned_away(&exchange.actor(), status, refusal.code());
        return Some(refusal.clone());
    }
    // The work is done, and no longer in its team's hands; what is left is to wait for a commit that many share.
    exchange.place.end();
    let ending = ending(exchange, status, refusal.as_ref());
    write_entry(door, exchange, &exchange.call, ending)
        .await
        .err()
        .map(|unavailable| worded(exchange, unavailable))
        .or(refusal)
}

/// The inner answer, or a refusal in its place if it is asked for too much, takes too long or panics.
async fn guarded(exchange: &Exchange, request: Request, next: Next) -> Response {
    let limit = exchange.max_url_bytes();
    let length = request.uri().path_and_query().map(|all| all.as_str().len());
    if length.is_some_and(|length| length > limit) {
        return ProblemResponse::url_too_long(Some(limit)).into_response();
    }
    if let Err(refusal) = check_dry_run(exchange, &request) {
        return refusal.into_response();
    }
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    match timeout(exchange.settings.request_deadline, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => ProblemResponse::internal(format!("panic: {}", words_of(&*panic))).into_response(),
        Err(_) => ProblemResponse::request_timeout().into_response(),
    }
}

/// Refuses a change that says "dry run" where none is read: to pass over it would make what was not to be made. The RPC
/// front has dry runs, and one route of REST is one.
fn check_dry_run(exchange: &Exchange, request: &Request) -> Result<(), ProblemResponse> {
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if exchange.rpc.is_some() || !changes || exchange.operation == Some("dry_run_image_cache") {
        return Ok(());
    }
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let mut asked = query.filter(|(name, value)| dry_run::is_meant(name) && dry_run::says(value) != Some(false));
    if let Some((name, _)) = asked.next() {
        // As where a route refuses a query that it does not take; not every route looks.
        let detail = "is not a parameter of this operation; POST /v1/image-caches/dry-run reports what a create \
                      would do";
        let name: String = name.chars().take(100).collect();
        return Err(ProblemResponse::invalid(vec![FieldError::new(name, FieldCode::UnknownParameter, detail)]));
    }
    if headers::dry_run(request.headers())? { Err(ProblemResponse::no_dry_run()) } else { Ok(()) }
}

fn ending(exchange: &Exchange, status: StatusCode, refusal: Option<&ProblemResponse>) -> RequestEnd {
    RequestEnd {
        action: exchange.action().to_owned(),
        resource: exchange.resource(),
        outcome: outcome_of(status),
        http_status: i32::from(status.as_u16()),
        code: refusal.map(|refusal| refusal.code().to_owned()),
        provider_request_id: refusal.and_then(ProblemResponse::provider_request_id).map(str::to_owned),
    }
}

/// What the audit calls a request that ended with this status.
pub(super) fn outcome_of(status: StatusCode) -> Outcome {
    match status.as_u16() {
        202 => Outcome::Accepted,
        500.. => Outcome::Failed,
        400.. => Outcome::Refused,
        _ => Outcome::Succeeded,
    }
}

/// Writes the entry of the request, or of one of its items.
pub(super) async fn write_entry(
    door: &DoorState,
    exchange: &Exchange,
    call: &Call,
    ending: RequestEnd,
) -> Result<(), ProblemResponse> {
    let actor = exchange.actor();
    let work = door.gateway.audit().audit_request(&actor, call, ending);
    let within = match exchange.rpc {
        Some(_) => exchange.gone.saturating_duration_since(Instant::now()).max(LAST_MOMENT),
        None => exchange.settings.audit_deadline,
    };
    match timeout(within.min(exchange.settings.audit_deadline), work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let inner = ProblemResponse::from(error);
            let error = inner.cause().map(|cause| cause as &(dyn std::error::Error + 'static));
            if let Some(left_out) = SAID.may(inner.code(), std::time::Instant::now()) {
                tracing::error!(code = inner.code(), error, left_out, "could not write the audit entry");
            }
            Err(ProblemResponse::audit_unavailable())
        }
        Err(_) => {
            if let Some(left_out) = SAID.may("in time", std::time::Instant::now()) {
                tracing::error!(left_out, "could not write the audit entry in time");
            }
            Err(ProblemResponse::audit_unavailable())
        }
    }
}

/// The answer as it leaves. The cause of a failure is logged here, once.
fn finish(exchange: &Exchange, answer: Response, refusal: Option<ProblemResponse>) -> Response {
    let Some(refusal) = refusal else { return answer };
    if let Some(cause) = refusal.cause() {
        tracing::error!(error = cause as &(dyn std::error::Error + 'static), "internal error");
    }
    // What a success would have said must not leave with a refusal.
    let before = (answer.status().as_u16() >= 400).then_some(answer);
    match &exchange.rpc {
        Some(rpc) => rpc::envelope::error(&refusal, rpc, exchange.request_id()),
        None => refusal.write(before, &exchange.occasion()),
    }
}

/// Links that clients can follow, request id and trace context on every answer; what is left of the team's rate where
/// the team is known (draft-ietf-httpapi-ratelimit-headers-11).
fn mark(exchange: &Exchange, mut answer: Response) -> Response {
    links::rebase(answer.headers_mut(), &exchange.base);
    keep_from_caches(exchange, &mut answer);
    put_header(&mut answer, "x-request-id", exchange.request_id());
    if let Some(traceparent) = &exchange.traceparent {
        put_header(&mut answer, "traceparent", traceparent);
    }
    if let Some(quota) = exchange.place.quota() {
        let RateQuota { limit, window_seconds, remaining, reset_seconds, .. } = quota;
        put_header(&mut answer, "ratelimit-policy", &format!("\"team\";q={limit};w={window_seconds}"));
        put_header(&mut answer, "ratelimit", &format!("\"team\";r={remaining};t={reset_seconds}"));
    }
    if let Some(deprecation) = deprecation_of(exchange) {
        deprecation.announce(&mut answer);
    }
    answer
}

fn deprecation_of(exchange: &Exchange) -> Option<&'static Deprecation> {
    exchange.settings.deprecated.iter().find(|one| Some(one.operation) == exchange.operation)
}

/// What may be kept of an answer of the API: a secret is only ever in the answer to a change, which nobody stores; what
/// was read may be kept by its reader, who asks whether it has changed (`If-None-Match`), and by no cache that others
/// share. A signature in the URL is no `Authorization`, which would keep those away by itself.
fn keep_from_caches(exchange: &Exchange, answer: &mut Response) {
    if !exchange.api {
        return;
    }
    let read = exchange.reads && answer.status().as_u16() < 400;
    let may = HeaderValue::from_static(if read { "private, no-cache" } else { "no-store" });
    answer.headers_mut().entry(CACHE_CONTROL).or_insert(may);
}

fn put_header(answer: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// One line per request: the route's template, never the URI, which may hold what should not be kept.
fn log(exchange: &Exchange, method: &Method, status: StatusCode, code: Option<&str>, began: Instant) {
    let route = exchange.route.as_ref().map_or("unknown", |route| route.as_str());
    let team = exchange.caller.get().map(|caller| caller.team.as_str());
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let trace = exchange.traceparent.as_deref();
    let address = exchange.call.origin.address.map(tracing::field::display);
    let status = status.as_u16();
    // No method among the labels: a client may send any word as one.
    metrics::counter!("ecg_requests_total", "route" => route.to_owned(), "status" => status.to_string()).increment(1);
    metrics::histogram!("ecg_request_seconds", "route" => route.to_owned()).record(began.elapsed());
    let flood = exchange.place.was_turned_away() || code == Some("too_many_refused");
    if exchange.audited && !flood {
        tracing::info!(%method, route, status, duration_ms, team, code, address, traceparent = trace, "answered");
    } else {
        // Probes and scrapes come every few seconds, and those turned away by the thousand.
        tracing::debug!(%method, route, status, duration_ms, code, traceparent = trace, "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_tells_the_outcome() {
        for (status, outcome) in [
            (200, Outcome::Succeeded),
            (202, Outcome::Accepted),
            (304, Outcome::Succeeded),
            (404, Outcome::Refused),
            (503, Outcome::Failed),
        ] {
            assert_eq!(outcome_of(StatusCode::from_u16(status).unwrap()), outcome, "{status}");
        }
    }
}
