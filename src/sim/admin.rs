//! The admin API for tests: faults, time, limits, and what actually happened. It is unsigned, and only for people and
//! tests on this machine. Webhooks of a local gateway and web pages in a local browser come from this machine too, and
//! are refused because of their headers ([`foreign`]).
//!
//! Its responses are not the cloud's: plain JSON, and `{"error": …}` for errors.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{self, Request};
use axum::http::header::{HOST, HeaderMap};
use axum::http::uri::Authority;
use axum::http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ground::ActionContext;
use super::limits::CloudLimits;
use super::state::CloudState;
use super::transport::{self, PeerAddress, UnreadBody};
use super::{StandInState, answer, rights, seed, state_file};

/// The available endpoints.
const DOORS: &str = "GET calls, POST or DELETE faults, POST or DELETE lies, POST outages, GET or POST clock, \
                     GET or POST settings, GET or POST policies, \
                     POST caches, POST use, POST forget-tokens, POST end-sessions, POST reset, all below /_admin/";

/// An error message.
type Wrong = String;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outage {
    region: String,
    #[serde(default)]
    over: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Use {
    image_cache_id: String,
}

/// Handles everything under `/_admin/`.
pub(super) async fn door(
    extract::State(shared): extract::State<Arc<StandInState>>,
    request: Request,
) -> Response<Body> {
    let local = request.extensions().get::<PeerAddress>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    if !local {
        return transport::not_found(extract::State(shared), request).await;
    }
    if let Some(why) = foreign(request.headers()) {
        return answer::json(StatusCode::FORBIDDEN, &json!({ "error": why }));
    }
    let (parts, body) = request.into_parts();
    let done = match transport::read(body).await {
        Ok(body) => act(&shared, &parts.method, parts.uri.path(), &body),
        Err(UnreadBody::Refused(refusal)) => Err(refusal.message.into_owned()),
        Err(UnreadBody::BrokenOff) => Err("the body cannot be read".to_owned()),
    };
    // Before the response, like every change.
    state_file::keep(&shared).await;
    match done {
        Ok(answer) => answer::json(StatusCode::OK, &answer),
        Err(text) => answer::json(StatusCode::BAD_REQUEST, &json!({ "error": text })),
    }
}

/// Why a request does not come from a person or a test; `None` if it does. Every webhook has `webhook-…` headers, which
/// no endpoint can set or leave out; every request of a web page has an `Origin`, `Referer` or `Sec-Fetch-Site` header;
/// with DNS rebinding, `Host` is a foreign name.
fn foreign(headers: &HeaderMap) -> Option<&'static str> {
    if headers.keys().any(|name| name.as_str().starts_with("webhook-")) {
        return Some("this is not for webhooks");
    }
    let page = ["origin", "referer", "sec-fetch-site"];
    if page.iter().any(|name| headers.contains_key(*name)) {
        return Some("this is not for pages in a browser");
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
    let here = host.and_then(|host| host.parse::<Authority>().ok()).is_some_and(|host| is_here(host.host()));
    (!here).then_some("Host must be localhost or an address of loopback")
}

fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn act(shared: &StandInState, method: &Method, path: &str, body: &[u8]) -> Result<Value, Wrong> {
    let clock = shared.clock.now();
    let state = &mut *shared.state();
    let now = state.watch.at(clock);
    match (method.as_str(), path.trim_start_matches("/_admin/")) {
        ("GET", "calls") => return Ok(calls(state)),
        ("GET", "clock") => return Ok(json!({ "now": now })),
        ("GET", "settings") => return Ok(json!(state.limits)),
        ("GET", "policies") => return Ok(rights::as_json(&state.policies)),
        ("POST", "policies") => {
            read::<rights::PolicyGrant>(body)?.put(&mut state.policies)?;
            state.mark_changed();
        }
        ("POST", "faults") => state.faults.add(read(body)?)?,
        ("DELETE", "faults") => state.faults.clear(),
        ("POST", "lies") => state.lies.tell(&read(body)?, now)?,
        ("DELETE", "lies") => state.lies.end(),
        ("POST", "outages") => {
            let Outage { region, over } = read(body)?;
            if over {
                state.outages.remove(&region)
            } else {
                state.outages.insert(region)
            };
        }
        ("POST", "clock") => {
            state.watch.turn(&read(body)?, clock)?;
            state.mark_changed();
            return Ok(json!({ "now": state.watch.at(clock) }));
        }
        ("POST", "settings") => {
            state.limits = read::<CloudLimits>(body)?;
            state.mark_changed();
            return Ok(json!(state.limits));
        }
        ("POST", "caches") => {
            let ground = ActionContext {
                now,
                entropy: &shared.entropy,
                speed: shared.settings.speed,
                signatory: shared.settings.first(),
            };
            return seed::run(state, read(body)?, &ground);
        }
        ("POST", "use") => {
            let used = state.note_use(&read::<Use>(body)?.image_cache_id, now);
            return if used { Ok(json!({})) } else { Err("there is no such image cache".to_owned()) };
        }
        ("POST", "forget-tokens") => {
            state.tokens.forget();
            state.mark_changed();
        }
        ("POST", "end-sessions") => {
            state.round += 1;
            state.mark_changed();
        }
        ("POST", "reset") => {
            *state = CloudState::default();
            state.mark_changed();
        }
        _ => return Err(DOORS.to_owned()),
    }
    Ok(json!({}))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|error| format!("see the docs of sim: {error}"))
}

fn calls(state: &CloudState) -> Value {
    let mut ledger = serde_json::to_value(&state.ledger).unwrap_or(Value::Null);
    ledger["faults_waiting"] = json!(state.faults.waiting());
    ledger
}
