//! The stand-in's time: the clock, shifted and scaled by the admin API.
//!
//! Builds, retention, rate limits and `ClientToken`s use it. Signatures and nonces use the real clock; otherwise no
//! caller could sign for a stand-in that is an hour ahead.

use chrono::{DateTime, Duration};
use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;

/// The largest step in seconds: a hundred years.
const STEP: i64 = 3_155_760_000;
/// The highest speed.
const FASTEST: f64 = 1_000_000.0;

/// A request of the admin API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockChange {
    /// Moves it forward, or back if negative.
    #[serde(default)]
    step_seconds: Option<i64>,
    /// How many of its seconds pass in one real second; 0 stops it.
    #[serde(default)]
    speed: Option<f64>,
}

/// It showed `shown` when the clock showed `set_at`, and has run at `speed` since. `None` if it was never changed.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct SimWatch(Option<ClockSetting>);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct ClockSetting {
    set_at: Instant,
    shown: Instant,
    speed: f64,
}

impl SimWatch {
    /// Its time when the clock shows `clock`.
    pub(super) fn at(&self, clock: Instant) -> Instant {
        let Some(ClockSetting { set_at, shown, speed }) = self.0 else { return clock };
        let passed = (clock - set_at).num_microseconds().unwrap_or(i64::MAX);
        bounded(shown, scaled(passed, speed))
    }

    /// Changes it, or returns why the request is invalid.
    pub(super) fn turn(&mut self, turn: &ClockChange, clock: Instant) -> Result<(), &'static str> {
        let step = turn.step_seconds.unwrap_or(0);
        if !(-STEP..=STEP).contains(&step) {
            return Err("step_seconds must be within a hundred years");
        }
        let speed = turn.speed.or(self.0.map(|setting| setting.speed)).unwrap_or(1.0);
        if !(0.0..=FASTEST).contains(&speed) {
            return Err("speed must be 0 to 1000000");
        }
        let shown = bounded(self.at(clock), Duration::seconds(step));
        self.0 = Some(ClockSetting { set_at: clock, shown, speed });
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
fn scaled(microseconds: i64, speed: f64) -> Duration {
    Duration::microseconds((microseconds as f64 * speed) as i64)
}

/// Limited to the years that can be written on the wire.
fn bounded(from: Instant, by: Duration) -> Instant {
    let (first, last) = (DateTime::UNIX_EPOCH, DateTime::from_timestamp(221_845_392_000, 0).unwrap_or(from));
    let end = if by < Duration::zero() { first } else { last };
    from.checked_add_signed(by).unwrap_or(end).clamp(first, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Instant {
        DateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    fn turned(
        watch: &mut SimWatch,
        step_seconds: Option<i64>,
        speed: Option<f64>,
        clock: i64,
    ) -> Result<(), &'static str> {
        watch.turn(&ClockChange { step_seconds, speed }, second(clock))
    }

    #[test]
    fn steps_and_paces_add_up() {
        let mut watch = SimWatch::default();
        assert_eq!(watch.at(second(5)), second(5));
        turned(&mut watch, Some(3_600), None, 10).unwrap();
        assert_eq!(watch.at(second(11)), second(3_611));
        turned(&mut watch, None, Some(100.0), 11).unwrap();
        assert_eq!(watch.at(second(12)), second(3_711));
        turned(&mut watch, Some(-1), None, 12).unwrap();
        assert_eq!(watch.at(second(13)), second(3_810));
        turned(&mut watch, None, Some(0.0), 13).unwrap();
        assert_eq!(watch.at(second(9_999)), second(3_810));
    }

    #[test]
    fn nothing_leaves_the_years_that_can_be_written() {
        let mut watch = SimWatch::default();
        assert!(turned(&mut watch, Some(i64::MIN), None, 0).is_err());
        assert!(turned(&mut watch, None, Some(f64::NAN), 0).is_err());
        turned(&mut watch, Some(-STEP), Some(FASTEST), 0).unwrap();
        assert_eq!(watch.at(second(0)), second(0));
        let far = watch.at(second(221_845_392_000));
        assert_eq!(far.format("%Y").to_string(), "9000");
    }
}
