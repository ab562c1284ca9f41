//! A contest: the gateway and its references do the same work in turn, round by round, and are measured in the same
//! way.
//!
//! CPU time is that of whole process trees during the round, divided by the number of responses.

use std::sync::Arc;
use std::time::Duration;

use crate::load::{self, Work};
use crate::processor::{self, load_average};
use crate::reference::Pgbench;
use crate::report::{Measure, Row};

/// A gateway, proxy or database that is measured beside the others.
pub(crate) struct Contestant {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// The work that it does.
    pub(crate) doing: Doing,
    /// Its processes; empty if they cannot be distinguished from others.
    pub(crate) processes: Vec<u32>,
}

/// The work of a participant.
pub(crate) enum Doing {
    Answer(Arc<Work>),
    /// A script for pgbench.
    Sql(Arc<Pgbench>, String),
}

/// The duration and the number of rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rounds: u32,
    pub(crate) each: Duration,
    pub(crate) warm_up: Duration,
}

/// Measures a row: in each round the gateway first, then each reference.
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
    /// The gateway, or a server with the same responses.
    pub(crate) fn answering(name: &'static str, work: Arc<Work>, processes: Vec<u32>) -> Self {
        Self { name, doing: Doing::Answer(work), processes }
    }

    /// pgbench, if it is available.
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
        // Servers and PostgreSQL are children of this process too; the rest is its own time.
        let server = if self.processes.is_empty() { -1.0 } else { spent(0) };
        Ok(Measure { server, database: spent(1), load: (spent(2) - spent(1) - server.max(0.0)).max(0.0), ..measure })
    }
}
