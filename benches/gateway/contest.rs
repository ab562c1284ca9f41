//! A contest: we and our references do the same work in turn, round by round, and each is measured in the same way.
//!
//! Processor time is that of whole process trees over the round, divided by the answers.

use std::sync::Arc;
use std::time::Duration;

use crate::load::{self, Work};
use crate::processor::{self, load_average};
use crate::reference::Pgbench;
use crate::report::{Measure, Row};

/// Who does the work.
pub(crate) struct Contestant {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) doing: Doing,
    /// Its processes; none where they cannot be told from others.
    pub(crate) processes: Vec<u32>,
}

/// What is done.
pub(crate) enum Doing {
    Answer(Arc<Work>),
    /// A script of pgbench.
    Sql(Arc<Pgbench>, String),
}

/// How long, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rounds: u32,
    pub(crate) each: Duration,
    pub(crate) warm_up: Duration,
}

/// Measures a row: ours first, then each reference, in each round.
pub(crate) async fn hold(
    name: &str,
    connections: u64,
    contestants: &[Contestant],
    pace: Pace,
    postmaster: u32,
) -> anyhow::Result<Row> {
    let mut measured: Vec<_> = contestants.iter().map(|contestant| (contestant.name, Vec::new())).collect();
    for contestant in contestants {
        contestant.work(connections, pace.warm_up).await?;
    }
    for round in 1..=pace.rounds {
        eprintln!("{name}, {connections} connections: round {round} of {}", pace.rounds);
        for (contestant, (_, figures)) in contestants.iter().zip(&mut measured) {
            figures.push(contestant.measure(connections, pace.each, postmaster).await?);
        }
    }
    Ok(Row { name: name.to_owned(), connections, measured, load_average: load_average() })
}

impl Contestant {
    /// The gateway, or whoever answers as it does.
    pub(crate) fn answering(name: &'static str, work: Arc<Work>, processes: Vec<u32>) -> Self {
        Self { name, doing: Doing::Answer(work), processes }
    }

    /// pgbench, where there is one.
    pub(crate) fn sql(name: &'static str, pgbench: Option<&Arc<Pgbench>>, script: String) -> Option<Self> {
        Some(Self { name, doing: Doing::Sql(Arc::clone(pgbench?), script), processes: Vec::new() })
    }

    async fn work(&self, connections: u64, each: Duration) -> anyhow::Result<Measure> {
        match &self.doing {
            Doing::Answer(work) => load::run(work, connections, each).await,
            Doing::Sql(pgbench, script) => {
                let (pgbench, script) = (Arc::clone(pgbench), script.clone());
                tokio::task::spawn_blocking(move || pgbench.run(&script, connections, each)).await?
            }
        }
    }

    async fn measure(&self, connections: u64, each: Duration, postmaster: u32) -> anyhow::Result<Measure> {
        let own = [std::process::id()];
        let times = || [&self.processes[..], &[postmaster], &own].map(processor::time);
        let before = times();
        let measure = self.work(connections, each).await?;
        let after = times();
        let spent = |place: usize| match (before[place], after[place]) {
            (Some(before), Some(after)) => after.saturating_sub(before).as_secs_f64() * 1e6 / measure.answers,
            _ => -1.0,
        };
        // Servers and PostgreSQL are children of this process, too; its own time is what remains.
        let server = if self.processes.is_empty() { -1.0 } else { spent(0) };
        Ok(Measure { server, database: spent(1), load: (spent(2) - spent(1) - server.max(0.0)).max(0.0), ..measure })
    }
}
