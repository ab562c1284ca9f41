//! Results: one measurement, medians over the rounds, and the table.

use std::time::Duration;

use serde_json::{Value, json};

/// The result of one measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measure {
    pub(crate) answers: f64,
    /// Responses per second.
    pub(crate) rate: f64,
    /// The median response time in milliseconds.
    pub(crate) p50: f64,
    /// The 99th percentile of the response time in milliseconds.
    pub(crate) p99: f64,
    /// CPU time of the measured server for each response in microseconds; negative if unknown.
    pub(crate) server: f64,
    /// The same for PostgreSQL, all processes.
    pub(crate) database: f64,
    /// The same for the load generator, including the stand-in if it is called.
    pub(crate) load: f64,
}

impl Measure {
    /// Computed from the response times in microseconds.
    pub(crate) fn of(mut microseconds: Vec<u64>, elapsed: Duration) -> Self {
        microseconds.sort_unstable();
        let at = |percent: usize| {
            let place = (microseconds.len() * percent / 100).min(microseconds.len().saturating_sub(1));
            Duration::from_micros(microseconds.get(place).copied().unwrap_or_default()).as_secs_f64() * 1_000.0
        };
        let answers = f64::from(u32::try_from(microseconds.len()).unwrap_or(u32::MAX));
        let rate = answers / elapsed.as_secs_f64();
        Self { answers, rate, p50: at(50), p99: at(99), server: -1.0, database: -1.0, load: -1.0 }
    }

    /// The median of each figure.
    fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            answers: of(|round| round.answers),
            rate: of(|round| round.rate),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            server: of(|round| round.server),
            database: of(|round| round.database),
            load: of(|round| round.load),
        }
    }

    fn line(&self) -> String {
        let known = |micros: f64| if micros < 0.0 { "-".to_owned() } else { format!("{micros:.1}") };
        let (server, database) = (known(self.server), known(self.database));
        format!("{:>9.0} {:>8.2} {:>8.2} {server:>8} {database:>8}", self.rate, self.p50, self.p99)
    }

    fn json(&self) -> Value {
        let known = |micros: f64| (micros >= 0.0).then(|| rounded(micros));
        json!({
            "per_second": rounded(self.rate), "p50_ms": rounded(self.p50), "p99_ms": rounded(self.p99),
            "server_cpu_us": known(self.server), "postgres_cpu_us": known(self.database), "load_cpu_us": known(self.load),
        })
    }
}

/// One kind of work: the gateway first, then what it is compared with, all in the same rounds.
pub(crate) struct Row {
    /// What was done.
    pub(crate) name: String,
    /// The number of connections or clients.
    pub(crate) connections: u64,
    /// Each participant with its results of each round.
    pub(crate) measured: Vec<(&'static str, Vec<Measure>)>,
    /// The load average at the end.
    pub(crate) load_average: String,
}

impl Row {
    /// The valid rounds: those in which every reference did at least half of what it usually does. A greater
    /// disturbance of a reference says nothing about the gateway.
    fn good(&self) -> Vec<usize> {
        let rounds = self.measured.first().map_or(0, |(_, rounds)| rounds.len());
        let usual: Vec<f64> =
            self.measured.iter().map(|(_, rounds)| median(rounds.iter().map(|round| round.rate).collect())).collect();
        let fair = |round: &usize| {
            self.measured.iter().zip(&usual).skip(1).all(|((_, rounds), usual)| rounds[*round].rate >= usual / 2.0)
        };
        (0..rounds).filter(fair).collect()
    }

    /// The median of each, and the ratio of the gateway to it: computed for each round, because temporary slowness
    /// affects both.
    fn compared(&self) -> Vec<(&'static str, Measure, f64)> {
        let good = self.good();
        let kept = |rounds: &Vec<Measure>| good.iter().map(|round| rounds[*round]).collect::<Vec<_>>();
        let Some((_, ours)) = self.measured.first() else { return Vec::new() };
        let ours = kept(ours);
        let one = |(name, rounds): &(&'static str, Vec<Measure>)| {
            let rounds = kept(rounds);
            let ratios = ours.iter().zip(&rounds).map(|(ours, theirs)| ours.rate / theirs.rate).collect();
            (*name, Measure::median(&rounds), median(ratios))
        };
        self.measured.iter().map(one).collect()
    }

    fn thrown_out(&self) -> usize {
        self.measured.first().map_or(0, |(_, rounds)| rounds.len()) - self.good().len()
    }

    fn print(&self) {
        for (place, (name, figures, ratio)) in self.compared().into_iter().enumerate() {
            if place == 0 {
                let out = match self.thrown_out() {
                    0 => String::new(),
                    out => format!("  {out} thrown out"),
                };
                println!("{:<26} {:>5} {name:<22} {}{out}", self.name, self.connections, figures.line());
            } else {
                println!("{:<26} {:>5} {name:<22} {} {ratio:>8.3}", "", "", figures.line());
            }
        }
    }

    /// The row as JSON.
    pub(crate) fn json(&self) -> Value {
        let mut compared = self.compared().into_iter();
        let ours = compared.next().map(|(_, figures, _)| figures.json());
        let with = |(name, figures, ratio): (&str, Measure, f64)| json!({"name": name, "figures": figures.json(), "ratio": rounded(ratio)});
        json!({
            "row": self.name, "connections": self.connections, "gateway": ours, "rounds": self.good().len(),
            "thrown_out": self.thrown_out(), "references": compared.map(with).collect::<Vec<_>>(),
            "load_average": self.load_average,
        })
    }
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<26} {:>5} {:<22} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "conns", "", "per s", "p50 ms", "p99 ms", "cpu µs", "pg µs", "ours is"
    );
    rows.iter().for_each(Row::print);
}

/// The median; the upper one of two, and 0 of none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Rounded to three decimal places.
pub(crate) fn rounded(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

/// A single result.
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Fact {
    pub(crate) fn print(&self) {
        println!("{:<54} {:>9.1} {}", self.name, self.value, self.unit);
    }

    /// The result as JSON.
    pub(crate) fn json(&self) -> Value {
        json!({"name": self.name, "value": rounded(self.value), "unit": self.unit})
    }
}
