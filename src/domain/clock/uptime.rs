//! How long the machine has been up, suspended or not: what ages and leases go by.
//!
//! What must stay true: it goes on while a virtual machine is suspended. The standard library's monotonic clock (and
//! tokio's timers with it) stands still meanwhile on Linux: by that, a lease that ended during the pause is alive after
//! it, and what was believed for a second is believed for hours.
//!
//! Who calls it: whoever decides by an age or an end who is let in, what is sent and what is believed; a test
//! (`house::floors::ages`) says who may go by the other clock. What it does not do: wake anybody. Timers are tokio's,
//! so what waits for an end asks here once more when it is woken.

use std::ops::Add;
use std::time::Duration;

/// A moment, as the time since the machine was started. No other machine can be asked by it, nor this one after a
/// start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(Duration);

impl Uptime {
    /// The present.
    pub fn now() -> Self {
        Self(since_start())
    }

    /// How long `earlier` was ago; nothing where it was not.
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

/// A kernel (or a sandbox) that does not know the clock says so each time: then it is always the other one.
#[cfg(target_os = "linux")]
fn since_start() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .or_else(|_unknown| clock_gettime(ClockId::CLOCK_MONOTONIC))
        .map_or(Duration::ZERO, Duration::from)
}

/// Counted from the first time that somebody asked.
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

    /// The kernel's own word for it counts pauses, too.
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
