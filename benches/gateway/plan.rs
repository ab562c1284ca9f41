//! What to measure and for how long: the arguments after `cargo bench --bench gateway --`.

use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::contest::Pace;
use crate::site::Size;

/// Every row, in the order of the table.
const ROWS: [&str; 14] = [
    "read",
    "list",
    "audit",
    "unaudited",
    "match",
    "create",
    "rpc",
    "two",
    "rest",
    "sealing",
    "waiters",
    "tracker",
    "webhooks",
    "overload",
];
/// Those that are measured at each size.
const GROWING: [&str; 5] = ["read", "list", "audit", "match", "create"];
/// Not measured unless requested: it is not about speed.
const ASKED_FOR: &str = "overload";

/// The requested rows.
pub(crate) struct Which(Vec<&'static str>);

impl Which {
    /// Whether this row is requested.
    pub(crate) fn has(&self, row: &str) -> bool {
        self.0.contains(&row)
    }

    /// Whether any row with a reference is requested.
    pub(crate) fn has_contest(&self) -> bool {
        ["unaudited", "rpc", "two"].iter().chain(&GROWING).any(|row| self.has(row))
    }
}

/// What to do.
pub(crate) struct Plan {
    pub(crate) which: Which,
    pub(crate) pace: Pace,
    pub(crate) sizes: Vec<Size>,
    pub(crate) waiters: usize,
    pub(crate) quick: bool,
    pub(crate) json: bool,
}

/// The arguments of the command line.
#[derive(Default)]
struct Words {
    rows: Option<Vec<&'static str>>,
    caches: Vec<u64>,
    teams: Vec<u64>,
    rounds: Option<u64>,
    seconds: Option<u64>,
    waiters: Option<u64>,
    quick: bool,
    json: bool,
}

impl Plan {
    /// Parses the command line.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut words = Words::default();
        while let Some(name) = arguments.next() {
            match name.as_str() {
                // Cargo passes this to benchmarks.
                "--bench" => {}
                "--quick" => words.quick = true,
                "--json" => words.json = true,
                other => {
                    let text = arguments.next().with_context(|| format!("{other} takes a value"))?;
                    words.take(other, &text)?;
                }
            }
        }
        words.plan()
    }
}

impl Words {
    fn take(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        let numbers = || numbers(text).with_context(|| format!("{name} takes numbers"));
        let number = || numbers()?.first().copied().context("a number");
        match name {
            "--rows" => self.rows = Some(text.split(',').map(row).collect::<anyhow::Result<_>>()?),
            "--caches" => self.caches = numbers()?,
            "--teams" => self.teams = numbers()?,
            "--rounds" => self.rounds = Some(number()?),
            "--seconds" => self.seconds = Some(number()?),
            "--waiters" => self.waiters = Some(number()?),
            other => bail!(
                "{other}: known are --rows, --quick, --json, --caches, --teams, --rounds, --seconds and --waiters"
            ),
        }
        Ok(())
    }

    fn plan(self) -> anyhow::Result<Plan> {
        let grows = !self.caches.is_empty() || !self.teams.is_empty();
        let usual =
            || if grows { GROWING.to_vec() } else { ROWS.into_iter().filter(|row| *row != ASKED_FOR).collect() };
        let (rounds, each) = if self.quick { (2, 1) } else { (5, 2) };
        let or = |given: Vec<u64>, usual| if given.is_empty() { vec![usual] } else { given };
        let (caches, teams) = (or(self.caches, if self.quick { 20_000 } else { 100_000 }), or(self.teams, 200));
        let sizes = caches.iter().flat_map(|caches| teams.iter().map(|teams| Size { caches: *caches, teams: *teams }));
        let sizes: Vec<Size> = sizes.collect();
        if let Some(size) = sizes.iter().find(|size| size.teams > size.caches || size.caches > 10_000_000) {
            bail!("{} image caches of {} teams: one for each team, 10,000,000 at most", size.caches, size.teams);
        }
        Ok(Plan {
            which: Which(self.rows.unwrap_or_else(usual)),
            pace: Pace {
                rounds: u32::try_from(self.rounds.unwrap_or(rounds))?,
                each: Duration::from_secs(self.seconds.unwrap_or(each)),
                warm_up: Duration::from_millis(if self.quick { 300 } else { 1_000 }),
            },
            sizes,
            waiters: usize::try_from(self.waiters.unwrap_or(if self.quick { 1_000 } else { 10_000 }))?,
            quick: self.quick,
            json: self.json,
        })
    }
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split(',').map(|number| number.replace('_', "").parse().ok().filter(|number| *number > 0)).collect()
}

fn row(name: &str) -> anyhow::Result<&'static str> {
    let known = ROWS.into_iter().find(|row| *row == name);
    known.with_context(|| format!("{name}: the rows are {}", ROWS.join(", ")))
}
