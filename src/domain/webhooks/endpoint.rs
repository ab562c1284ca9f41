//! Webhook endpoints: where a team wants to receive its events, which of them, and how.

use std::collections::BTreeMap;

pub mod url;

use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;
use url::EndpointUrl;

/// The reason for which an endpoint that has not echoed its challenge yet is disabled: it gets no event.
pub const PENDING: &str = "pending";
/// The type of the message with which an endpoint is asked whether it wants events.
pub const CHALLENGE: &str = "webhook_endpoint.challenge";
/// How many headers of its own an endpoint may have.
pub const MAX_HEADERS: usize = 20;
/// The longest value of such a header, in bytes.
const MAX_HEADER_VALUE: usize = 1_024;
const MAX_TAGS: usize = 20;
const MAX_RATE: i32 = 1_000;
const TIMEOUTS: std::ops::RangeInclusive<i32> = 5..=30;
const MAX_PAUSES: usize = 20;
const PAUSES: std::ops::RangeInclusive<i32> = 1..=86_400;

/// Where a team wants to receive its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The gateway's id of the endpoint.
    pub id: EndpointId,
    /// The team that owns it.
    pub team: TeamId,
    /// The URL that deliveries go to.
    pub url: EndpointUrl,
    /// A description for people.
    pub description: Option<String>,
    /// Which events it gets, and how.
    pub options: EndpointOptions,
    /// The names of its own headers; their values are secret.
    pub header_names: Vec<String>,
    /// The networks in which it echoed its challenge (`10.1.2.0/24`); none if it was never challenged, or before
    /// networks were recorded: then its name may resolve to any address.
    pub verified_networks: Option<Vec<String>>,
    /// The key that verifies its ed25519 signatures (`whpk_…`), if it uses them.
    pub public_key: Option<String>,
    /// Until when the secret before the last rotation also signs.
    pub old_secret_until: Option<Instant>,
    /// Whether events are sent.
    pub enabled: bool,
    /// Why events are not sent: [`PENDING`], `paused` (by a person), `gone` (the receiver answered 410), `failing`.
    pub disabled_reason: Option<String>,
    /// The recent results of its deliveries.
    pub health: EndpointHealth,
    /// When it was created.
    pub created_at: Instant,
    /// Rises with each change that a person makes.
    pub version: i64,
    /// Whether it gets the platform's events: it was created with `platform:security`, and not changed without that
    /// scope since.
    pub platform: bool,
}

impl Endpoint {
    /// Whether it has not echoed its challenge yet.
    pub fn is_pending(&self) -> bool {
        self.disabled_reason.as_deref() == Some(PENDING)
    }
}

/// The recent results of an endpoint's deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Failures since the last success.
    pub consecutive_failures: i32,
    /// When the first of them happened.
    pub failing_since: Option<Instant>,
    /// The last success, to the minute.
    pub last_success_at: Option<Instant>,
    /// Until when nothing is sent to it, because it asked for a pause or fails.
    pub resting_until: Option<Instant>,
    /// Events that were not queued for it since the last replay, because too many were waiting while it was not
    /// enabled.
    pub passed_over: i64,
    /// When the first of them happened.
    pub passed_over_since: Option<Instant>,
}

/// The format in which an endpoint gets its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventFormat {
    /// Standard Webhooks' envelope: `type`, `timestamp`, `data`.
    #[default]
    Native,
    /// CloudEvents 1.0, structured mode, JSON.
    CloudEvents,
}

impl EventFormat {
    /// Every format, the default first.
    pub const ALL: [Self; 2] = [Self::Native, Self::CloudEvents];

    /// The word for it in REST and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::CloudEvents => "cloudevents",
        }
    }

    /// The format with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// Which events an endpoint wants, and how they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointOptions {
    /// Which types; empty means all.
    pub event_types: Vec<EventType>,
    /// Only events of image caches with a matching name; `*` stands for any text, `?` for one character.
    pub name_pattern: Option<String>,
    /// Only events of image caches with all of these tags.
    pub tags: BTreeMap<String, String>,
    /// At most so many deliveries a second.
    pub rate_per_second: Option<i32>,
    /// Whether the events of one image cache are delivered in order.
    pub ordered: bool,
    /// The format of the events.
    pub format: EventFormat,
    /// How long an attempt may take; the gateway's own deadline if none.
    pub timeout_seconds: Option<i32>,
    /// The pauses between attempts, in seconds; the gateway's own if none.
    pub retry_schedule: Option<Vec<i32>>,
}

impl EndpointOptions {
    /// Collects what is not allowed, with pointers into the body.
    pub fn check(&self, findings: &mut Findings) {
        let name = self.name_pattern.as_ref().is_none_or(|text| is_text(text, 128) && !text.is_empty());
        findings.require(name, "/name_pattern", FieldCode::Invalid, "must be 1 to 128 printable characters");
        let few = self.tags.len() <= MAX_TAGS;
        findings.require(few, "/tags", FieldCode::TooMany, "must be at most 20 tags");
        let good = self.tags.iter().all(|(key, value)| !key.is_empty() && is_text(key, 128) && is_text(value, 256));
        findings.require(
            good,
            "/tags",
            FieldCode::Invalid,
            "must be keys of 1 to 128 and values of at most 256 characters",
        );
        let rate = self.rate_per_second.is_none_or(|rate| (1..=MAX_RATE).contains(&rate));
        findings.require(rate, "/rate_per_second", FieldCode::OutOfRange, "must be 1 to 1000, or 0 for no limit");
        let timeout = self.timeout_seconds.is_none_or(|seconds| TIMEOUTS.contains(&seconds));
        findings.require(timeout, "/timeout_seconds", FieldCode::OutOfRange, "must be 5 to 30");
        let schedule = self.retry_schedule.as_ref().is_none_or(|pauses| is_schedule(pauses));
        let allowed = "must be 1 to 20 pauses of 1 to 86400 seconds, or empty for the gateway's own";
        findings.require(schedule, "/retry_schedule_seconds", FieldCode::OutOfRange, allowed);
    }

    /// What is not allowed, with pointers into the body.
    pub fn wrong(&self) -> Vec<FieldError> {
        let mut findings = Findings::default();
        self.check(&mut findings);
        findings.into_result().err().unwrap_or_default()
    }

    /// Reports an endpoint that could never get an event: it wants only the platform's events, and is not entitled to
    /// them.
    pub fn check_types(&self, platform: bool, findings: &mut Findings) {
        let never =
            !platform && !self.event_types.is_empty() && self.event_types.iter().all(|kind| kind.is_platforms());
        let detail = "are reserved for the platform: only an endpoint that was created with the scope \
                      platform:security, and not changed without it since, receives them";
        findings.require(!never, "/event_types", FieldCode::NotAllowed, detail);
    }

    /// The name pattern as SQL's LIKE takes it, with `\` as its escape.
    pub fn name_like(&self) -> Option<String> {
        let pattern = self.name_pattern.as_ref()?;
        let mut like = String::with_capacity(pattern.len());
        for letter in pattern.chars() {
            match letter {
                '*' => like.push('%'),
                '?' => like.push('_'),
                '%' | '_' | '\\' => like.extend(['\\', letter]),
                _ => like.push(letter),
            }
        }
        Some(like)
    }
}

fn is_schedule(pauses: &[i32]) -> bool {
    (1..=MAX_PAUSES).contains(&pauses.len()) && pauses.iter().all(|pause| PAUSES.contains(pause))
}

/// Whether a text is printable and at most `most` characters long.
pub fn is_text(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.contains(char::is_control)
}

/// Whether this is a valid header name, in lower case as it is stored, whether or not an endpoint may set it.
pub fn is_header_name(name: &str) -> bool {
    let token =
        |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-_.!#$%&'*+^`|~".contains(&letter);
    (1..=64).contains(&name.len()) && name.bytes().all(token)
}

/// Whether a header may have this value.
pub fn is_header_value(value: &str) -> bool {
    value.len() <= MAX_HEADER_VALUE && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_names_becomes_like() {
        let like = |pattern: &str| {
            EndpointOptions { name_pattern: Some(pattern.into()), ..EndpointOptions::default() }.name_like().unwrap()
        };
        assert_eq!(like("web-*"), "web-%");
        assert_eq!(like("a?c_100%\\"), r"a_c\_100\%\\");
        assert_eq!(EndpointOptions::default().name_like(), None);
    }

    #[test]
    fn options_out_of_range_are_all_named() {
        let wrong = EndpointOptions {
            name_pattern: Some(String::new()),
            tags: BTreeMap::from([(String::new(), "x".into())]),
            rate_per_second: Some(1_001),
            timeout_seconds: Some(4),
            retry_schedule: Some(vec![0]),
            ..EndpointOptions::default()
        };
        let mut findings = Findings::default();
        wrong.check(&mut findings);
        let fields: Vec<_> = findings.into_result().unwrap_err().into_iter().map(|error| error.field).collect();
        assert_eq!(
            fields,
            ["/name_pattern", "/tags", "/rate_per_second", "/timeout_seconds", "/retry_schedule_seconds"]
        );
    }

    #[test]
    fn header_names_and_values_keep_to_one_line() {
        for good in ["authorization", "x-api-key", "x_1"] {
            assert!(is_header_name(good), "{good}");
        }
        for bad in ["", "X-Api", "a b", "a:", "a\r\nb", "ä"] {
            assert!(!is_header_name(bad), "{bad}");
        }
        assert!(is_header_value("Bearer abc ~") && is_header_value(""));
        assert!(!is_header_value("a\r\nb: c") && !is_header_value("ä") && !is_header_value(&"x".repeat(1_025)));
    }
}
