//! The stand-in's listener ([`net`]) and requests, and the envelope around all errors.
//!
//! What must stay true: whatever is sent, the response is the JSON envelope (only for bytes that are not HTTP at all
//! does hyper send its own empty 400), and a bad request never affects another.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, request};
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::answer::{self, ActionRefusal, ActionResult, AnswerStyle};
use super::faults::{FaultKind, InjectedFault};
use super::ground::ActionContext;
use super::signed::SignatureDoor;
use super::state::CloudState as Memory;
use super::tokens::Tokens;
use super::transport::{PeerAddress, READ, Reset, UnreadBody, flat, manner, not_found, read, reset};
use super::{StandInState, admin, delete, inject, rights, state_file, verify};
use crate::domain::entropy::Entropy;
use crate::eci::Action;
use crate::eci::incoming::{self, Incoming};
use crate::net::{self, ConnectionLimits};

/// The limits of connections.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 1_024,
    connections_per_address: usize::MAX,
    header_deadline: READ,
    keep_idle: READ,
    write_deadline: READ,
    headers: 100,
    head_bytes: 400 << 10,
    grace: Duration::ZERO,
    drain: Duration::ZERO,
};

/// Serves until told to stop; then closes every connection.
pub(super) async fn serve(listener: TcpListener, shared: Arc<StandInState>) {
    let stop = shared.stop.clone();
    net::serve(listener, StandInListener(router(&shared)), LIMITS, TaskTracker::new(), stop).await;
}

struct StandInListener(Router);

impl net::Handler for StandInListener {
    type Connection = StandInConnection;

    fn connect(&self, peer: SocketAddr) -> StandInConnection {
        StandInConnection { peer: PeerAddress(peer), router: self.0.clone() }
    }
}

struct StandInConnection {
    peer: PeerAddress,
    router: Router,
}

impl net::Connection for StandInConnection {
    type Body = Body;
    type Error = io::Error;

    async fn answer(&self, request: Request<hyper::body::Incoming>) -> io::Result<Response<Body>> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer);
        let Ok(response) = self.router.clone().oneshot(request).await;
        let reset = response.extensions().get::<Reset>().is_some();
        if reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(response) }
    }
}

fn router(shared: &Arc<StandInState>) -> Router {
    let entropy = Arc::clone(&shared.entropy);
    Router::new()
        .route("/", any(rpc))
        .route("/healthz", get(async || "ok"))
        .route("/_admin/{*rest}", any(admin::door))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(move |_panic: Box<dyn Any + Send>| panicked(&entropy)))
        .with_state(Arc::clone(shared))
}

async fn wrong_method(State(shared): State<Arc<StandInState>>, request: Request) -> Response<Body> {
    let manner = manner(request.headers(), request.uri().query());
    answer::write(Err(incoming::RequestRefusal::UnsupportedMethod.into()), &manner, &shared.entropy)
}

fn panicked(entropy: &Entropy) -> Response<Body> {
    let message = "The request processing has failed due to some unknown error, exception or failure.";
    answer::write(Err(ActionRefusal::new(500, "InternalError", message)), &AnswerStyle::default(), entropy)
}

async fn rpc(State(shared): State<Arc<StandInState>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut manner = manner(&parts.headers, parts.uri.query());
    let (outcome, fault) = match read(body).await {
        Ok(body) => shared.arrive(&parts, &body, &mut manner),
        Err(UnreadBody::Refused(refusal)) => (Err(refusal), None),
        Err(UnreadBody::BrokenOff) => return reset(),
    };
    // Before the response: what a caller was told survives a restart.
    state_file::keep(&shared).await;
    match fault {
        Some(fault) => inject::inject(&shared, &fault, outcome, &manner).await,
        None => answer::write(outcome, &manner, &shared.entropy),
    }
}

impl StandInState {
    /// Locks the state for one step. After a panic elsewhere, the state is consistent enough for a stand-in.
    pub(super) fn state(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Parses a request and carries it out.
    fn arrive(
        &self,
        parts: &request::Parts,
        body: &[u8],
        manner: &mut AnswerStyle,
    ) -> (ActionResult, Option<InjectedFault>) {
        let headers = flat(&parts.headers);
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let request = incoming::RawRequest {
            method,
            path,
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            body,
        };
        manner.format = incoming::format_of(&request);
        match Incoming::read(&request) {
            Ok(incoming) => self.decide(&incoming, manner),
            Err(refusal) => (Err(refusal.into()), None),
        }
    }

    /// Verifies a call, carries it out, and returns the fault that affects its caller.
    fn decide(&self, incoming: &Incoming, manner: &mut AnswerStyle) -> (ActionResult, Option<InjectedFault>) {
        let mut guard = self.state();
        let state = &mut *guard;
        let clock = self.clock.now();
        let now = state.watch.at(clock);
        state.sweep(now, clock);
        let door = SignatureDoor { settings: &self.settings, round: state.round };
        let (action, signed) = match verify::verify(incoming, &door, &mut state.nonces, clock) {
            Ok(verified) => verified,
            Err(refusal) => return (Err(refusal), None),
        };
        manner.action = action.as_str();
        *state.ledger.calls.entry(action.as_str().to_owned()).or_default() += 1;
        let by = state.ledger.calls_by.entry(signed.access_key_id.clone()).or_default();
        *by.entry(action.as_str().to_owned()).or_default() += 1;
        if let Err(refusal) = rights::check(&state.policies, &self.settings, (action, &signed), &incoming.params) {
            return (Err(refusal), None);
        }
        let haste = if action.is_look() { 1.0 } else { state.limits.haste(&self.entropy) };
        let ground = ActionContext {
            now,
            entropy: &self.entropy,
            speed: self.settings.speed * haste,
            signatory: signed.borrowed(),
        };
        let params = &incoming.params;
        let Some(fault) = state.faults.take(action) else { return (self.run(state, action, params, &ground), None) };
        let outcome = match fault.kind {
            FaultKind::Pretend => delete::pretend(state, params, &ground),
            _ if fault.applies() => self.run(state, action, params, &ground),
            _ => Err(fault.refusal()),
        };
        (outcome, Some(fault))
    }

    /// Carries out an action, once per `ClientToken`.
    fn run(
        &self,
        state: &mut Memory,
        action: Action,
        params: &[(String, String)],
        ground: &ActionContext<'_>,
    ) -> ActionResult {
        if params.iter().any(|(key, value)| key == "RegionId" && state.outages.contains(value)) {
            let message = "The request has failed due to a temporary failure of the server.";
            return Err(ActionRefusal::new(503, "ServiceUnavailable", message));
        }
        if action == Action::Create {
            let pace = state.pace.entry(ground.signatory.account.to_owned()).or_default();
            pace.step(&state.limits, ground.now)?;
        }
        let token = Tokens::read(action, ground.signatory.account, params, &self.settings.access_key_secret)?;
        if let Some(known) = token.as_ref().and_then(|token| state.tokens.recall(token, ground.now)) {
            return known;
        }
        let answer = self.act(state, action, params, ground)?;
        if let Some(token) = token {
            state.tokens.keep(token, &answer, ground.now);
        }
        if let Some(journal) = self.journal.as_ref().filter(|_| !action.is_look()) {
            journal.note(action, params, &answer, state, ground.now);
        }
        Ok(answer)
    }
}
