//! How long the machine has been up, including time in suspension: the time base for ages and leases.
//!
//! What must stay true: it advances while a virtual machine is suspended. The standard library's monotonic clock (and
//! tokio's timers with it) stands still meanwhile on Linux: by that clock, a lease that ended during the pause would be
//! alive after it, and what may be trusted for a second would be trusted for hours.
//!
//! Used wherever an age or an expiry decides who is admitted, what is sent and what is believed; a test
//! (`house::floors::ages`) says who may use the other clock. It wakes nobody. Timers are tokio's, so code that waits
//! for an expiry checks here again when it wakes.

use std::ops::Add;
use std::time::Duration;

/// A moment, as the time since the machine was started. It means nothing on another machine, or on this one after a
/// restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(Duration);

impl Uptime {
    /// The current moment.
    pub fn now() -> Self {
        Self(since_start())
    }

    /// How long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Uptime {
    type Output = Self;

    fn add(self, longer: Duration) -> Self {
        Self(self.0.saturating_add(longer))
    }
}

/// A kernel (or a sandbox) without this clock fails every time, so the fallback is used consistently.
#[cfg(target_os = "linux")]
fn since_start() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .or_else(|_unknown| clock_gettime(ClockId::CLOCK_MONOTONIC))
        .map_or(Duration::ZERO, Duration::from)
}

/// Counted from the first call.
#[cfg(not(target_os = "linux"))]
fn since_start() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_goes_on() {
        let (first, second) = (Uptime::now(), Uptime::now());
        assert!(first > Uptime(Duration::ZERO) && second >= first);
        assert_eq!(first.since(first + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!((first + Duration::from_secs(1)).since(first), Duration::from_secs(1));
    }

    /// The kernel's own uptime counts pauses, too.
    #[cfg(target_os = "linux")]
    #[test]
    fn it_is_what_the_kernel_calls_uptime() {
        let read = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            Duration::from_secs_f64(text.split_whitespace().next().unwrap().parse().unwrap())
        };
        let (before, now, after) = (read(), Uptime::now().0, read());
        let hundredth = Duration::from_millis(10);
        assert!(before <= now + hundredth && now <= after + hundredth, "{before:?} {now:?} {after:?}");
    }
}
