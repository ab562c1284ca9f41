//! How fast a queue drains: a rate measured from the requests that left it.
//!
//! What must stay true: it reports no rate before it has enough data; old data does not count, because a database that
//! was slow an hour ago is no reason to refuse anybody now.

use std::time::Duration;

/// The measurement: a pure function of what happened and when.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drain {
    /// When the current span began.
    since: Duration,
    /// The current span and the one before.
    spans: [DrainSpan; 2],
    /// Since when any request has been waiting; none if the queue is empty.
    waiting_since: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
struct DrainSpan {
    called: u32,
    /// For how long any request waited.
    waited: Duration,
}

impl Drain {
    /// The length of a span; what happened in the current span and the one before counts.
    const SPAN: Duration = Duration::from_secs(1);
    /// The number of calls before a rate is known.
    const FEW: u32 = 8;
    /// How long requests must have been waiting before a rate is known: the first ones of a burst may be slow, because
    /// their connections are not open yet.
    const SHORT: Duration = Duration::from_secs(1);

    /// Records whether any request waits, from now on.
    pub(super) fn wait(&mut self, anybody: bool, now: Duration) {
        self.go_on(now);
        match (anybody, self.waiting_since) {
            (true, None) => self.waiting_since = Some(now),
            (false, Some(_)) => self.waiting_since = None,
            _ => {}
        }
    }

    /// Records that one request left the queue to run.
    pub(super) fn call(&mut self, now: Duration) {
        self.go_on(now);
        self.spans[0].called = self.spans[0].called.saturating_add(1);
    }

    /// How long it takes until `count` more have left; none if the rate is not known.
    pub(super) fn time_for(&mut self, count: usize, now: Duration) -> Option<Duration> {
        self.go_on(now);
        let [this, before] = self.spans;
        let (called, waited) = (this.called.saturating_add(before.called), this.waited + before.waited);
        if called < Self::FEW || waited < Self::SHORT {
            return None;
        }
        Some((waited / called).saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn go_on(&mut self, now: Duration) {
        if let Some(since) = self.waiting_since {
            self.spans[0].waited += now.saturating_sub(since);
            self.waiting_since = Some(now.max(since));
        }
        let past = now.saturating_sub(self.since);
        if past >= Self::SPAN {
            let before = if past < Self::SPAN * 2 { self.spans[0] } else { DrainSpan::default() };
            self.spans = [DrainSpan::default(), before];
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_rate_is_of_the_time_in_which_somebody_stood_there() {
        let mut drain = Drain::default();
        drain.wait(true, ms(0));
        (1..=7).for_each(|step| drain.call(ms(step * 160)));
        assert_eq!(drain.time_for(100, ms(1_120)), None, "too few to tell");
        drain.call(ms(1_280));
        drain.wait(false, ms(1_280));
        assert_eq!(drain.time_for(100, ms(1_900)), Some(ms(16_000)), "160 ms each; an empty line is not slow");
    }

    #[test]
    fn a_line_that_stops_gets_slower_and_then_nothing_is_known() {
        let mut drain = Drain::default();
        drain.wait(true, ms(0));
        (1..=19).for_each(|step| drain.call(ms(step * 50)));
        assert_eq!(drain.time_for(10, ms(999)), None, "too short a time");
        drain.call(ms(1_000));
        assert_eq!(drain.time_for(10, ms(1_000)), Some(ms(500)));
        assert_eq!(drain.time_for(10, ms(1_900)), Some(ms(950)), "20 in 1.9 s");
        drain.call(ms(3_900));
        assert_eq!(drain.time_for(10, ms(3_900)), None, "what was before is long ago");
    }

    #[test]
    fn no_count_is_too_many() {
        let mut drain = Drain::default();
        drain.wait(true, ms(0));
        (1..=20).for_each(|step| drain.call(ms(step * 60)));
        assert!(drain.time_for(usize::MAX, ms(1_200)) > Some(ms(1_000_000)));
    }
}
