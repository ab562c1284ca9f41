//! Faults requested by tests: each affects the next verified call of its action, in the order in which they were
//! requested.
//!
//! With `apply`, the action is carried out although the caller does not get its response.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Deserialize;

use super::answer::ActionRefusal;
use super::limits;
use crate::eci::Action;

/// The maximum number of unused faults.
const WAITING: usize = 1_000;
/// The longest latency in milliseconds: an hour.
const LATENCY: u64 = 3_600_000;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FaultKind {
    /// An error envelope with `http`, `code` and `message`.
    Error,
    /// `Throttling.User`.
    Throttle,
    /// The status `http` with `body` verbatim.
    Status,
    /// Status 200 without an envelope, by `variant`.
    Garbage,
    /// Takes the request and never answers it.
    #[serde(alias = "timeout")]
    Hang,
    /// Closes the connection without a response.
    Reset,
    /// Carries out the action, and closes the connection after `at` bytes of the response body.
    ResetAt,
    /// Carries out the action, and answers after `ms`.
    Latency,
    /// Carries out the action, and answers with `id` as the image cache id; with a plausible but wrong one if absent.
    WrongId,
    /// Carries out the action, and answers with `id` as the status, which may be an unknown one.
    Word,
    /// Carries out the action, and leaves the cache `id` out of the response; the first one if absent.
    LeftOut,
    /// Answers a delete as if it were carried out, but does not carry it out.
    Pretend,
}

/// The body instead of an envelope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Variant {
    /// An HTML page.
    #[default]
    Html,
    /// An empty body.
    Empty,
    /// The first half of an envelope.
    Truncated,
}

/// A fault in the format of the admin API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InjectedFault {
    /// The action; any if absent.
    #[serde(default)]
    action: Option<String>,
    pub(super) kind: FaultKind,
    #[serde(default = "unavailable")]
    pub(super) http: u16,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    pub(super) body: String,
    #[serde(default)]
    pub(super) variant: Variant,
    #[serde(default)]
    pub(super) at: usize,
    #[serde(default)]
    pub(super) ms: u64,
    #[serde(default)]
    pub(super) id: Option<String>,
    /// Whether the action is carried out before the fault takes effect.
    #[serde(default)]
    apply: bool,
    #[serde(default = "once")]
    times: u32,
}

/// Whether the fault has a status that its kind can respond with.
fn is_possible(fault: &InjectedFault) -> bool {
    let least = if fault.kind == FaultKind::Status { 200 } else { 400 };
    (least..=599).contains(&fault.http)
}

/// One fault or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum FaultRequest {
    One(Box<InjectedFault>),
    Many(Vec<InjectedFault>),
}

/// The unused faults.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<InjectedFault>);

impl Faults {
    /// Adds the requested faults, or returns why they are invalid.
    pub(super) fn add(&mut self, asked: FaultRequest) -> Result<(), &'static str> {
        let asked = match asked {
            FaultRequest::One(fault) => vec![*fault],
            FaultRequest::Many(faults) => faults,
        };
        let unknown =
            |fault: &InjectedFault| fault.action.as_deref().is_some_and(|name| Action::from_name(name).is_none());
        if asked.iter().any(unknown) {
            return Err("action must be absent or one of the actions");
        }
        if asked.iter().any(|fault| !is_possible(fault)) {
            return Err("http must be 400 to 599, or 200 to 599 of the kind status");
        }
        let of_delete = |fault: &InjectedFault| fault.action.as_deref() == Some(Action::Delete.as_str());
        if asked.iter().any(|fault| fault.kind == FaultKind::Pretend && (fault.apply || !of_delete(fault))) {
            return Err("action must be DeleteImageCache of the kind pretend, without apply");
        }
        if asked.iter().any(|fault| fault.ms > LATENCY) {
            return Err("ms must be an hour at most");
        }
        if asked.len() + self.0.len() > WAITING {
            return Err("at most 1000 faults may wait");
        }
        self.0.extend(asked.into_iter().filter(|fault| fault.times > 0));
        Ok(())
    }

    /// Takes the fault for this call, if there is one.
    pub(super) fn take(&mut self, action: Action) -> Option<InjectedFault> {
        let meant = |fault: &InjectedFault| fault.action.as_deref().is_none_or(|name| name == action.as_str());
        let place = self.0.iter().position(meant)?;
        let waiting = self.0.get_mut(place)?;
        if waiting.times > 1 {
            waiting.times -= 1;
            return Some(waiting.clone());
        }
        self.0.remove(place)
    }

    /// The number of unused faults.
    pub(super) fn waiting(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl InjectedFault {
    /// Whether the action is carried out.
    pub(super) fn applies(&self) -> bool {
        self.apply
            || [FaultKind::ResetAt, FaultKind::Latency, FaultKind::WrongId, FaultKind::Word, FaultKind::LeftOut]
                .contains(&self.kind)
    }

    /// The error that this fault responds with.
    pub(super) fn refusal(&self) -> ActionRefusal {
        if self.kind == FaultKind::Throttle {
            return limits::throttled();
        }
        let code = self.code.clone().map_or(Cow::Borrowed("ServiceUnavailable"), Cow::Owned);
        let temporary = "The request has failed due to a temporary failure of the server.";
        let message = self.message.clone().map_or(Cow::Borrowed(temporary), Cow::Owned);
        ActionRefusal::new(self.http, code, message)
    }
}

fn unavailable() -> u16 {
    503
}

fn once() -> u32 {
    1
}
