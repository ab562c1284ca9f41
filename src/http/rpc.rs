//! The RPC front: `/` speaks the cloud's own API to unmodified SDKs and Terraform, with keys of the gateway.
//!
//! A request is read to its end, understood and verified by `eci::incoming`, its key turned into a caller, and its
//! action carried out by the same `Gateway` methods as REST: same policy, same audit.
//!
//! What must stay true: every answer has the cloud's shape, whoever made it ([`envelope`], and the wrapper for
//! refusals); a team meets its own caches alone, under the cloud's ids; no parameter is logged. Who calls it: the
//! router. What it does not do: decide.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use tokio::time::timeout_at;

use super::DoorState;
use super::exchange::Exchange;
use super::extract::read_body;
use super::headers::dry_run;
use super::problem::ProblemResponse;
use super::receipts;
use crate::app::{AccessKeyRejection, access};
use crate::domain::identity::caller::Caller;
use crate::domain::limits::queue::Class;
use crate::domain::limits::{Party, address_block};
use crate::eci::incoming::{self, Incoming};
use crate::eci::params::known;
use crate::eci::{Product, params};
use actions::{AuthenticatedCall, RpcAction};

mod actions;
pub(super) mod envelope;
mod object;
pub(super) mod words;

const TOO_LATE: &str = "(No answer was ready in time. A read may be repeated at once; look whether a change was made \
                        before you repeat it, unless it has a ClientToken.)";

/// One request to `/`, with whatever method.
pub(super) async fn call(State(door): State<DoorState>, request: Request) -> Result<Response, ProblemResponse> {
    let (parts, body) = request.into_parts();
    let exchange =
        Exchange::of(&parts).ok_or_else(|| ProblemResponse::internal("a route stands outside the wrapper"))?;
    let rpc = exchange.rpc.as_ref().ok_or_else(|| ProblemResponse::internal("this is not the cloud's API"))?;
    let headers = headers(&parts);
    let mut raw = incoming::RawRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body: b"",
    };
    // For a body that is too large or never comes: as far as the query tells.
    let in_query = incoming::format_of(&raw);
    let body = read_body(&parts.headers, body, exchange.settings).await.inspect_err(|_| set(&rpc.format, in_query))?;
    raw.body = &body;
    set(&rpc.format, incoming::format_of(&raw));
    let incoming = Incoming::read(&raw).map_err(|wrong| words::of_incoming(&wrong))?;
    exchange.call.asks(incoming.params.iter().cloned());
    let action = RpcAction::from_name(&incoming.action);
    if let Some(action) = action {
        set(&rpc.action, action.operation());
    }
    match timeout_at(exchange.gone, answer(&door, &exchange, &parts, &incoming, action)).await {
        Ok(answered) => answered,
        Err(_) => Err(words::unavailable(TOO_LATE)),
    }
}

/// Lets the caller in, and carries out what was asked.
async fn answer(
    door: &DoorState,
    exchange: &Exchange,
    parts: &Parts,
    incoming: &Incoming,
    action: Option<RpcAction>,
) -> Result<Response, ProblemResponse> {
    let class = action.map_or(Class::Read, |action| action.class(incoming));
    let address = exchange.call.origin.address.map(address_block);
    // To find the key's owner costs queries, too, but never as much as a list.
    let lookup = if class == Class::List { Class::Read } else { class };
    // Whoever signs with a key that is known here stands in the line of its team. Of others nothing is known: they are
    // counted before they get a place or a query.
    let asking = if let Some(team) = door.gateway.identity().met_signer(incoming) {
        Party::Team(team)
    } else {
        exchange.place.count_unauthenticated().map_err(words::of_error)?;
        Party::Unauthenticated(address)
    };
    exchange.place.enter(lookup, asking).await.map_err(words::of_error)?;
    let caller = let_in(door, exchange, incoming).await?;
    exchange.place.release();
    exchange.place.count_delayed(&caller.team, class).await.map_err(words::of_error)?;
    exchange.place.enter(class, Party::Team(caller.team.clone())).await.map_err(words::of_error)?;
    let action = action.ok_or_else(|| words::of_incoming(&incoming::RequestRefusal::UnknownApi))?;
    access::check(caller, action.operation()).map_err(words::of_error)?;
    known::check(&incoming.action, &incoming.params).map_err(|refused| words::of_refused(&refused))?;
    let in_params = known::dry_run(&incoming.params).map_err(|refused| words::of_refused(&refused))?;
    let dry_run = in_params || dry_run(&parts.headers)?;
    let rpc = exchange.rpc.as_ref().ok_or_else(|| ProblemResponse::internal("this is not the cloud's API"))?;
    let receipt = OnceLock::new();
    let asked = AuthenticatedCall {
        gateway: &door.gateway,
        caller,
        call: &exchange.call,
        rpc,
        incoming,
        deadline: exchange.deadline,
        dry_run,
        receipt: &receipt,
    };
    let fields = asked.answer(action).await?;
    let answer = envelope::success(&incoming.action, exchange.request_id(), incoming.format, fields);
    Ok(match receipt.into_inner() {
        Some(receipt) => receipts::attach(answer, receipt, parts.extensions.get()),
        None => answer,
    })
}

/// What is told twice is told by the first.
fn set<T>(cell: &std::sync::OnceLock<T>, value: T) {
    let _earlier = cell.set(value);
}

/// What is not even ASCII counts as text with marks in it: no signature holds over that.
fn headers(parts: &Parts) -> Vec<(String, String)> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

async fn let_in<'a>(
    door: &DoorState,
    exchange: &'a Exchange,
    incoming: &Incoming,
) -> Result<&'a Caller, ProblemResponse> {
    let told = |error| match error {
        AccessKeyRejection::Refused(wrong) => words::of_incoming(&wrong),
        AccessKeyRejection::Failed(error) => words::of_error(error),
    };
    if incoming.nonce.contains(char::is_control) {
        return Err(words::of_incoming(&incoming::RequestRefusal::Invalid("SignatureNonce", "it must be printable")));
    }
    let caller = door.gateway.identity().authenticate_signed(&exchange.call, incoming).await.map_err(told)?;
    // The wrapper names the caller even if the next lines refuse them.
    let caller = exchange.caller.get_or_init(|| Arc::new(caller));
    door.gateway.policies().check_team(caller).await.map_err(words::of_error)?;
    if incoming.version != Product::Eci.version() {
        return Err(words::of_incoming(&incoming::RequestRefusal::Version));
    }
    // The database has no word for it, and no parameter a use.
    let bad = incoming.params.iter().find(|(key, value)| key.contains('\0') || value.contains('\0'));
    if let Some((key, _)) = bad {
        let name = key.replace('\0', "?");
        return Err(words::of_refused(&params::read::ParameterError::invalid(
            name,
            "it must not hold a NUL character",
        )));
    }
    Ok(caller)
}
