//! Faults that a test asks for: each meets the next verified call of its action, in the order of asking.
//!
//! The point is `apply`: with it the action is carried out and the caller still does not hear of it.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Deserialize;

use super::answer::Refusal;
use super::verify::Action;

/// The most faults that wait at a time.
const WAITING: usize = 1_000;

/// What a caller meets in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// An error envelope with `http`, `code` and `message`.
    Error,
    /// `Throttling.User`.
    Throttle,
    /// A page of HTML with status 200.
    Garbage,
    /// No answer, ever.
    Hang,
    /// The connection is closed without an answer.
    Reset,
}

/// One fault, as the admin door takes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    action: String,
    pub(super) kind: Kind,
    #[serde(default = "unavailable")]
    http: u16,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    /// Whether the action is carried out before the fault hits.
    #[serde(default)]
    pub(super) apply: bool,
    #[serde(default = "once")]
    times: u32,
}

/// One fault or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Asked {
    One(Fault),
    Many(Vec<Fault>),
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    /// Adds what was asked for, or says what is wrong with it.
    pub(super) fn add(&mut self, asked: Asked) -> Result<(), &'static str> {
        let asked = match asked {
            Asked::One(fault) => vec![fault],
            Asked::Many(faults) => faults,
        };
        if asked.iter().any(|fault| Action::from_name(&fault.action).is_none()) {
            return Err("action must be CreateImageCache, DescribeImageCaches, UpdateImageCache or DeleteImageCache");
        }
        if asked.iter().any(|fault| !(400..=599).contains(&fault.http)) {
            return Err("http must be 400 to 599");
        }
        if asked.len() + self.0.len() > WAITING {
            return Err("at most 1000 faults may wait");
        }
        self.0.extend(asked.into_iter().filter(|fault| fault.times > 0));
        Ok(())
    }

    /// Takes the fault that this call meets, if any.
    pub(super) fn take(&mut self, action: Action) -> Option<Fault> {
        let place = self.0.iter().position(|fault| fault.action == action.as_str())?;
        let waiting = self.0.get_mut(place)?;
        if waiting.times > 1 {
            waiting.times -= 1;
            return Some(waiting.clone());
        }
        self.0.remove(place)
    }

    /// How many faults wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.len()
    }
}

impl Fault {
    /// The error that this fault answers.
    pub(super) fn refusal(&self) -> Refusal {
        if self.kind == Kind::Throttle {
            return Refusal::new(400, "Throttling.User", "Request was denied due to user flow control.");
        }
        let code = self.code.clone().map_or(Cow::Borrowed("ServiceUnavailable"), Cow::Owned);
        let temporary = "The request has failed due to a temporary failure of the server.";
        let message = self.message.clone().map_or(Cow::Borrowed(temporary), Cow::Owned);
        Refusal::new(self.http, code, message)
    }
}

fn unavailable() -> u16 {
    503
}

fn once() -> u32 {
    1
}
