//! How fast webhooks are delivered, and how soon: `cargo bench --bench webhooks`.
//!
//! Takes some two minutes; `-- --seconds 3 --deliveries 2000` looks quickly. Beside our engine stand, in the same run, an
//! engine that claims one row per transaction, and the floor: the same calls by a bare client, without a database.
//! Judge by the ratios: sender, receiver and database share these cores. Needs no database: it starts its own.

mod delay;
mod house;
mod receiver;
mod reference;
#[path = "../../tests/it/support/server.rs"]
mod server;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use eci_cache_gateway::domain::ids::EndpointId;
use eci_cache_gateway::localpg::{Durability, Server};
use house::House;
use receiver::Receiver;
use tokio_util::sync::CancellationToken;

/// How much to measure.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Deliveries of one measurement of the rate.
    deliveries: i64,
    /// How long each measurement of the delay takes.
    each: Duration,
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
Statements are the deliverer's own (looks, records, signs of life); the event and its deliveries are two more in the
transaction of the change that they tell of. The engine of one row per transaction has neither fairness, limits nor
ordering; ours has all of them on. The delay begins when the commit has returned; `with commit` before it was asked for.
Left out: a network (loopback and a Unix socket only), TLS, receivers that take time, and a machine of one's own for
each part: sender, receiver and database share these cores.";

impl Plan {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut plan = Self { deliveries: 20_000, each: Duration::from_secs(10) };
        while let Some(name) = arguments.next() {
            let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).filter(|number| *number > 0);
            match name.as_str() {
                // Cargo says that it is one.
                "--bench" => {}
                "--seconds" => plan.each = Duration::from_secs(number().context("--seconds takes a number")?.into()),
                "--deliveries" => plan.deliveries = number().context("--deliveries takes a number")?.into(),
                other => bail!("{other}: only --seconds and --deliveries are known"),
            }
        }
        Ok(plan)
    }
}

async fn measure(plan: Plan, server: &Server) -> anyhow::Result<()> {
    println!(
        "{:<22} {:>12} {:>12} {:>10} {:>11} {:>10} {:>12}",
        "deliveries per second", "ours", "row by row", "ratio", "bare client", "of it", "statements"
    );
    for endpoints in [1, 100, 1_000] {
        let house = House::build(server).await?;
        rate(&house, plan, endpoints).await?;
        house.gateway.close().await;
        house.pool.close().await;
    }
    delay::measure(plan, server).await
}

/// One line: our rate to so many endpoints, beside the two others.
async fn rate(house: &House, plan: Plan, count: i64) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let endpoints = endpoints(house, &receiver, count).await?;
    let url = format!("http://{}/0", receiver.address);
    let each = (plan.deliveries / count).max(1);
    // Warms the client and its connections.
    reference::bare(&house.sender, &url, 1_000).await?;
    let bare = reference::bare(&house.sender, &url, usize::try_from(plan.deliveries)?).await?;
    house.backlog(&endpoints, (each / 4).max(1)).await?;
    let rows = reference::row_at_a_time(&house.pool, &house.sender).await?;
    house.backlog(&endpoints, each).await?;
    let (ours, statements) = drain(house, &receiver, usize::try_from(each * count)?).await?;
    println!(
        "{:<22} {ours:>12.0} {rows:>12.0} {:>10.1} {bare:>11.0} {:>10.2} {statements:>12.3}",
        format!("to {count} endpoints"),
        ours / rows,
        ours / bare
    );
    Ok(())
}

/// Lets our engine deliver what waits: deliveries per second, and statements per delivery.
async fn drain(house: &House, receiver: &Receiver, count: usize) -> anyhow::Result<(f64, f64)> {
    let before = house.commits().await?;
    let (stop, gateway) = (CancellationToken::new(), house.gateway.clone());
    let (told, until) = (stop.clone(), receiver.count() + count);
    let began = Instant::now();
    let engine = tokio::spawn(async move { gateway.deliver_until(&told).await });
    receiver.wait_for(until).await;
    let elapsed = began.elapsed().as_secs_f64();
    stop.cancel();
    engine.await??;
    // Those of the look at the sum itself, and of the engine's coming and going, are among them.
    let statements = house.commits().await? - before;
    let count = u32::try_from(count)?;
    Ok((f64::from(count) / elapsed, f64::from(i32::try_from(statements)?) / f64::from(count)))
}

/// So many endpoints, spread over up to ten teams.
async fn endpoints(house: &House, receiver: &Receiver, count: i64) -> anyhow::Result<Vec<EndpointId>> {
    let teams = count.min(10);
    let mut endpoints = Vec::new();
    for team in 0..teams {
        house.caches(&format!("team-{team}")).await?;
    }
    for number in 0..count {
        let url = format!("http://{}/{number}", receiver.address);
        endpoints.push(house.endpoint(&format!("team-{}", number % teams), &url).await?);
    }
    Ok(endpoints)
}
