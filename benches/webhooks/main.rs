//! How many webhooks are delivered per second, and how soon: `cargo bench --bench webhooks`.
//!
//! Takes about five minutes; `-- --rounds 1 --seconds 3 --deliveries 4000` is a quick run. Compared in the same rounds:
//! our engine, an engine that claims one row per transaction, and as the lower bound a bare client without a database
//! that makes the same calls. Compare the ratios within a round and the CPU time for each delivery: sender, receiver
//! and database share the cores. It starts its own database.

mod cpu;
#[path = "../../testbed/database.rs"]
mod database;
mod delay;
mod figures;
#[path = "../../testbed/parts.rs"]
mod parts;
mod rate;
mod receiver;
mod reference;
#[path = "../../testbed/server.rs"]
mod server;
#[path = "../../testbed/settings.rs"]
mod settings;
mod testbed;
mod two;

use std::time::Duration;

use anyhow::{Context as _, bail};
use eci_cache_gateway::localpg::{Durability, Server};
use receiver::Receiver;

/// How much to measure.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// The number of deliveries in one measurement of the rate.
    deliveries: i64,
    /// The duration of each measurement of the delay.
    each: Duration,
    /// How often everything is measured. What is compared alternates.
    rounds: usize,
    /// Whether the rate and the delay are measured.
    rate: bool,
    delay: bool,
}

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(std::env::args().skip(1))?;
    let server = Server::start(&server::options_for(&server::tmp("bench-postgres"), Durability::Durable), |line| {
        eprintln!("{line}");
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(plan, &server))?;
    server.stop()?;
    println!("{LEFT_OUT}");
    Ok(())
}

const LEFT_OUT: &str = "
Medians of the rounds; in brackets the least and the most. Ratios are those within a round. CPU is processor time per
delivery, of the gateway (with what tells the events, without the receiver) and of all of PostgreSQL.
Statements are the deliverer's own (looks, records, signs of life); the event and its deliveries are two more in the
transaction of the change that they tell of. The engine of one row per transaction has neither fairness, limits nor
ordering; ours has all of them on, and is done when the last result is recorded. The delay begins when the commit has
returned; `with commit` before it was asked for.
Left out: a network (loopback and a Unix socket only), TLS, receivers that take time, and a machine of one's own for
each part: sender, receiver and database share these cores.";

impl Plan {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let each = Duration::from_secs(5);
        let mut plan = Self { deliveries: 20_000, each, rounds: 5, rate: true, delay: true };
        while let Some(name) = arguments.next() {
            let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).filter(|number| *number > 0);
            match name.as_str() {
                // Cargo passes this to benchmarks.
                "--bench" => {}
                "--seconds" => plan.each = Duration::from_secs(number().context("--seconds takes a number")?.into()),
                "--deliveries" => plan.deliveries = number().context("--deliveries takes a number")?.into(),
                "--rounds" => plan.rounds = usize::try_from(number().context("--rounds takes a number")?)?,
                "--rate" => plan.delay = false,
                "--delay" => plan.rate = false,
                other => bail!("{other}: only --rounds, --seconds, --deliveries, --rate and --delay are known"),
            }
        }
        Ok(plan)
    }
}

async fn measure(plan: Plan, server: &Server) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    if plan.rate {
        rate::measure(plan, server, &receiver).await?;
        two::measure(plan, server, &receiver).await?;
    }
    if plan.delay {
        delay::measure(plan, server, &receiver).await?;
    }
    println!("\nload average at the end: {}", figures::load());
    Ok(())
}
