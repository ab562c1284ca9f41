//! Figures: what one measurement says, medians over the rounds, and the table.

use std::time::Duration;

/// What one measurement says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measure {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Half of the answers took less, in milliseconds.
    pub(crate) p50: f64,
    /// 99 of 100 answers took less, in milliseconds.
    pub(crate) p99: f64,
    /// Processor time of this process for each answer, in microseconds; 0 where it is not known.
    pub(crate) busy: f64,
}

impl Measure {
    /// Out of how long each answer took, in microseconds.
    pub(crate) fn of(mut microseconds: Vec<u64>, elapsed: Duration) -> Self {
        microseconds.sort_unstable();
        let at = |percent: usize| {
            let place = (microseconds.len() * percent / 100).min(microseconds.len().saturating_sub(1));
            Duration::from_micros(microseconds.get(place).copied().unwrap_or_default()).as_secs_f64() * 1_000.0
        };
        let count = u32::try_from(microseconds.len()).unwrap_or(u32::MAX);
        Self { rate: f64::from(count) / elapsed.as_secs_f64(), p50: at(50), p99: at(99), busy: 0.0 }
    }

    /// Figure by figure, the median.
    fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        let busy = of(|round| round.busy);
        Self { rate: of(|round| round.rate), p50: of(|round| round.p50), p99: of(|round| round.p99), busy }
    }
}

/// One kind of work: ours, and the reference in the same round where there is one.
pub(crate) struct Row {
    /// What was done.
    pub(crate) name: &'static str,
    /// The gateway, round by round.
    pub(crate) ours: Vec<Measure>,
    /// pgbench, round by round; empty where there is none.
    pub(crate) reference: Vec<Measure>,
}

impl Row {
    /// A row without figures.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ours: Vec::new(), reference: Vec::new() }
    }

    fn print(&self) {
        let ours = Measure::median(&self.ours);
        print!("{:<26} {:>9.0} {:>8.2} {:>8.2} {:>7.0}", self.name, ours.rate, ours.p50, ours.p99, ours.busy);
        if self.reference.is_empty() {
            println!(" {:>11} {:>8} {:>8} {:>7}", "-", "-", "-", "-");
            return;
        }
        let theirs = Measure::median(&self.reference);
        // Round against round: what slows the machine for a while slows both.
        let ratios = self.ours.iter().zip(&self.reference).map(|(ours, theirs)| ours.rate / theirs.rate).collect();
        println!(" {:>11.0} {:>8.2} {:>8.2} {:>7.2}", theirs.rate, theirs.p50, theirs.p99, median(ratios));
    }
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    let (ours, theirs) = ("gateway/s   p50 ms   p99 ms  cpu µs", "  pgbench/s   p50 ms   p99 ms   ratio");
    println!("{:<26} {ours} {theirs}", "");
    rows.iter().for_each(Row::print);
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
