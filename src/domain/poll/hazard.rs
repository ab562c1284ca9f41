//! How long builds took, and what that says about one that is still running.
//!
//! A histogram by eighths of an octave that slowly forgets. It assumes no shape, so builds that fail early and slow
//! builds may be mixed. It determines how long the next lookup may wait: long while hardly any build ends at that age,
//! short when a lookup is likely to find several that ended.

use chrono::Duration;

use super::rhythm::{QUICKEST, Rhythm, RhythmLevel, SLOWEST};

/// Bins: 2^(1/8) wide each, from 1 s to about 19 hours.
pub const BINS: usize = 128;
/// From this many builds on all counts are halved, so that old builds count less.
const FORGETS_AT: u32 = 2_048;
/// Fewer builds than this say nothing.
const ENOUGH: f64 = 20.0;
/// A lookup may wait for longer than usual while at most this share of the builds ends meanwhile. A few such waits
/// follow each other, and together they must stay below the one build in a hundred that p99 leaves out.
const QUIET: f64 = 0.001;
/// A lookup may come sooner than usual if it will find this many ended builds per call.
const HOT: f64 = 0.9;
/// While nothing is known, the next lookup comes after this share of the age.
const COLD_SHARE: i32 = 5;
/// For a build older than every build so far, the next lookup comes after this share of the age.
const OLD_SHARE: i32 = 10;

/// How long builds of one kind took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    counts: Vec<u32>,
    /// For each bin, how many builds are in the bins before it.
    before: Vec<u32>,
    total: u32,
}

impl Default for History {
    fn default() -> Self {
        Self::from_counts(&[])
    }
}

impl History {
    /// A history from stored counts; missing bins count as 0.
    pub fn from_counts(counts: &[i32]) -> Self {
        let mut counts: Vec<u32> = counts.iter().map(|count| u32::try_from(*count).unwrap_or(0)).collect();
        counts.resize(BINS, 0);
        let mut history = Self { counts, before: Vec::new(), total: 0 };
        history.sum_up();
        history
    }

    fn sum_up(&mut self) {
        self.total = 0;
        self.before.clear();
        for count in &self.counts {
            self.before.push(self.total);
            self.total = self.total.saturating_add(*count);
        }
    }

    /// The counts as they are stored.
    pub fn to_counts(&self) -> Vec<i32> {
        self.counts.iter().map(|count| i32::try_from(*count).unwrap_or(i32::MAX)).collect()
    }

    /// Records a build that ended at that age.
    pub fn note(&mut self, age: Duration) {
        if self.total >= FORGETS_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
        let (bin, _) = place(seconds(age));
        self.counts[bin] += 1;
        self.sum_up();
    }

    /// Whether there are enough builds to say anything.
    pub fn is_enough(&self) -> bool {
        f64::from(self.total) >= ENOUGH
    }

    /// The share of all builds that ended by that age.
    fn ended_by(&self, age: f64) -> f64 {
        let (bin, within) = place(age);
        (f64::from(self.before[bin]) + f64::from(self.counts[bin]) * within) / f64::from(self.total.max(1))
    }

    /// The probability that a build of age `from` ends by age `to`; none if hardly any got as old as `from`.
    pub fn chance(&self, from: f64, to: f64) -> Option<f64> {
        let alive = 1.0 - self.ended_by(from);
        let known = alive * f64::from(self.total) >= 1.0;
        known.then(|| ((self.ended_by(to) - self.ended_by(from)) / alive).clamp(0.0, 1.0))
    }

    /// How long the next lookup of a build may wait. `per_call` is how many such builds one call returns; `scout` says
    /// that this one is among the few that are looked up quickly while nothing is known.
    pub fn level(&self, age: Duration, rhythm: &Rhythm, per_call: f64, scout: bool) -> RhythmLevel {
        if !self.is_enough() {
            return if scout { rhythm.level_of(age / COLD_SHARE, QUICKEST, 0) } else { 0 };
        }
        let from = seconds(age);
        let end = |level| from + seconds(rhythm.interval(level));
        if self.chance(from, from).is_none() {
            return rhythm.level_of(age / OLD_SHARE, 0, SLOWEST);
        }
        // Few builds say little about the earliest end, so their times are taken to be shorter.
        let sooner = 1.0 + 1.0 / f64::from(self.total).sqrt();
        let quiet = |level: &RhythmLevel| self.ended_by(end(*level) * sooner) - self.ended_by(from) <= QUIET;
        if let Some(level) = (1..=SLOWEST).rev().find(quiet) {
            return level;
        }
        // A handful of old builds cannot predict anything to the second.
        if (1.0 - self.ended_by(from)) * f64::from(self.total) < ENOUGH {
            return 0;
        }
        let hot = |level: &RhythmLevel| per_call * self.chance(from, end(*level)).unwrap_or(0.0) >= HOT;
        (QUICKEST..0).find(hot).unwrap_or(0)
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_seconds_f64()
}

/// The bin of an age, and how far into it the age is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins before the cast")]
fn place(age: f64) -> (usize, f64) {
    let octaves = age.max(1.0).log2() * 8.0;
    let bin = (octaves.floor() as usize).min(BINS - 1);
    // Within a bin, ages are assumed to be spread evenly.
    let (low, high) = ((f64::from(bin as u32) / 8.0).exp2(), (f64::from(bin as u32 + 1) / 8.0).exp2());
    (bin, ((age - low) / (high - low)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ages: impl IntoIterator<Item = i64>) -> History {
        let mut history = History::default();
        ages.into_iter().for_each(|age| history.note(Duration::seconds(age)));
        history
    }

    fn rhythm() -> Rhythm {
        Rhythm::new(Duration::seconds(10), "g")
    }

    fn level(history: &History, age: i64) -> RhythmLevel {
        history.level(Duration::seconds(age), &rhythm(), 1.0, true)
    }

    #[test]
    fn without_a_history_the_interval_follows_the_age_of_a_few_scouts() {
        let cold = History::default();
        assert_eq!([0, 10, 20, 60, 600].map(|age| level(&cold, age)), [-3, -3, -2, 0, 0]);
        assert_eq!(cold.level(Duration::zero(), &rhythm(), 1.0, false), 0);
    }

    #[test]
    fn nobody_looks_while_no_build_ever_ended_at_that_age() {
        let history = of((0..500).map(|build| 160 + build % 40));
        assert_eq!([0, 60, 100].map(|age| level(&history, age)), [SLOWEST; 3]);
        assert_eq!([140, 180, 199].map(|age| level(&history, age)), [0; 3]);
        assert_eq!([300, 3_000].map(|age| level(&history, age)), [1, SLOWEST], "older than any");
    }

    #[test]
    fn a_wait_that_is_nearly_over_is_looked_at_more_often() {
        let history = of((0..500).map(|build| 178 + build % 4));
        let page = |age| history.level(Duration::seconds(age), &rhythm(), 20.0, false);
        assert!(page(176) < 0 && page(176) < page(160), "{} {}", page(176), page(160));
    }

    #[test]
    fn early_failures_are_looked_for_and_the_quiet_after_them_is_kept() {
        let history = of((0..500).map(|build| if build % 20 == 0 { 4 } else { 170 + build % 20 }));
        assert_eq!(level(&history, 1), 0);
        assert_eq!(level(&history, 20), SLOWEST);
    }

    #[test]
    fn it_forgets_and_is_kept_as_it_is() {
        let mut history = of((0..4_000).map(|_| 60));
        assert!(history.total <= FORGETS_AT);
        (0..8_000).for_each(|_| history.note(Duration::seconds(200)));
        assert!(history.ended_by(100.0) < 0.1);
        assert_eq!(History::from_counts(&history.to_counts()), history);
    }
}
