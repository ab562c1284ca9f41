//! Lies that a test asks for: for a while the cloud does not show a share of the image caches, though it has them.
//!
//! What must stay true: which ones are hidden depends on their ids and on the share alone, so that two looks agree and
//! a larger share hides what a smaller one does; only looks lie: creates, updates and deletes find what is there.

use chrono::Duration;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::domain::clock::Instant;

/// The longest lie with an end: a day.
const LONGEST: i64 = 86_400;

/// What the admin door asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LieRequest {
    /// How many in a hundred are hidden.
    hide_percent: i64,
    /// For how long, by the stand-in's time; until told otherwise where absent.
    for_seconds: Option<i64>,
}

/// The lie that is told, if one is.
#[derive(Debug, Default)]
pub(super) struct CurrentLie(Option<Lie>);

#[derive(Debug, Clone, Copy)]
struct Lie {
    hide_percent: i64,
    until: Option<Instant>,
}

impl CurrentLie {
    /// Takes the place of what was told before, or says what is wrong.
    pub(super) fn tell(&mut self, asked: &LieRequest, now: Instant) -> Result<(), &'static str> {
        let LieRequest { hide_percent, for_seconds } = *asked;
        if !(1..=100).contains(&hide_percent) {
            return Err("hide_percent must be 1 to 100; DELETE lies ends them");
        }
        if for_seconds.is_some_and(|seconds| !(1..=LONGEST).contains(&seconds)) {
            return Err("for_seconds must be 1 to 86400, or absent: until DELETE lies");
        }
        self.0 = Some(Lie { hide_percent, until: for_seconds.map(|seconds| now + Duration::seconds(seconds)) });
        Ok(())
    }

    /// Nothing but the truth from now on.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }

    /// Whether anything is hidden at `now`.
    pub(super) fn is_active(&self, now: Instant) -> bool {
        self.current(now).is_some()
    }

    /// Whether the image cache with this id is hidden at `now`.
    pub(super) fn hide(&self, id: &str, now: Instant) -> bool {
        self.current(now).is_some_and(|lie| place(id) < lie.hide_percent)
    }

    fn current(&self, now: Instant) -> Option<Lie> {
        self.0.filter(|lie| lie.until.is_none_or(|until| now < until))
    }
}

/// Where an id stands among a hundred.
fn place(id: &str) -> i64 {
    let hash = Sha256::digest(id.as_bytes());
    i64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])) % 100
}
