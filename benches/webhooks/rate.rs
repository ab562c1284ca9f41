//! Deliveries per second to 1, 100 and 1,000 endpoints: our engine, one that claims single rows, and the bare client.

use std::time::Instant;

use eci_cache_gateway::app::Gateway;
use eci_cache_gateway::domain::ids::EndpointId;
use eci_cache_gateway::localpg::Server;
use tokio_util::sync::CancellationToken;

use crate::cpu::Cpu;
use crate::figures::{Rounds, load};
use crate::receiver::Receiver;
use crate::testbed::Testbed;
use crate::{Plan, reference};

/// The results for one number of endpoints.
#[derive(Default)]
struct Row {
    ours: Rounds,
    rows: Rounds,
    bare: Rounds,
    ratio: Rounds,
    of_bare: Rounds,
    statements: Rounds,
    gateway: Rounds,
    postgres: Rounds,
    rows_gateway: Rounds,
    rows_postgres: Rounds,
    bare_gateway: Rounds,
}

pub(crate) async fn measure(plan: Plan, server: &Server, receiver: &Receiver) -> anyhow::Result<()> {
    println!("deliveries per second (load average at the start: {})", load());
    for endpoints in [1, 100, 1_000] {
        let testbed = Testbed::build(server, "ecg_bench_rate").await?;
        let mut row = Row::default();
        let all = seed(&testbed, receiver, endpoints).await?;
        for round in 0..plan.rounds {
            row.measure(&testbed, plan, receiver, &all, round).await?;
        }
        row.print(endpoints);
        testbed.close().await;
    }
    Ok(())
}

impl Row {
    /// One round; the order is rotated.
    async fn measure(
        &mut self,
        testbed: &Testbed,
        plan: Plan,
        receiver: &Receiver,
        endpoints: &[EndpointId],
        round: usize,
    ) -> anyhow::Result<()> {
        let (mut ours, mut rows, mut bare) = (0.0, 0.0, 0.0);
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => bare = self.bare(testbed, plan, receiver).await?,
                1 => rows = self.row_by_row(testbed, plan, endpoints).await?,
                _ => ours = self.ours(testbed, plan, receiver, endpoints).await?,
            }
        }
        self.ratio.push(ours / rows);
        self.of_bare.push(ours / bare);
        Ok(())
    }

    async fn bare(&mut self, testbed: &Testbed, plan: Plan, receiver: &Receiver) -> anyhow::Result<f64> {
        let url = format!("http://{}/0", receiver.address);
        let count = usize::try_from(plan.deliveries)?;
        // Warms up the client and its connections.
        reference::bare(&testbed.sender, &url, 1_000).await?;
        let before = Cpu::now();
        let rate = reference::bare(&testbed.sender, &url, count).await?;
        self.bare.push(rate);
        self.bare_gateway.push(Cpu::now().each_since(before, count)[0]);
        Ok(rate)
    }

    async fn row_by_row(&mut self, testbed: &Testbed, plan: Plan, endpoints: &[EndpointId]) -> anyhow::Result<f64> {
        let each = (plan.deliveries / i64::try_from(endpoints.len())? / 4).max(1);
        reference::prepare(&testbed.pool).await?;
        let count = testbed.backlog(endpoints, each).await?;
        let before = Cpu::now();
        let rate = reference::row_at_a_time(&testbed.pool, &testbed.sender).await?;
        let cpu = Cpu::now().each_since(before, count);
        reference::clear(&testbed.pool).await?;
        self.rows.push(rate);
        self.rows_gateway.push(cpu[0]);
        self.rows_postgres.push(cpu[1]);
        Ok(rate)
    }

    async fn ours(
        &mut self,
        testbed: &Testbed,
        plan: Plan,
        receiver: &Receiver,
        endpoints: &[EndpointId],
    ) -> anyhow::Result<f64> {
        let count = testbed.backlog(endpoints, (plan.deliveries / i64::try_from(endpoints.len())?).max(1)).await?;
        let commits = testbed.commits().await?;
        let (rate, cpu) = drain(&[&testbed.gateway], receiver, count).await?;
        // It includes those that read this number, and those of starting and stopping the engine.
        let statements = testbed.commits().await? - commits;
        self.ours.push(rate);
        self.gateway.push(cpu[0]);
        self.postgres.push(cpu[1]);
        self.statements.push(f64::from(i32::try_from(statements)?) / f64::from(u32::try_from(count)?));
        Ok(rate)
    }

    fn print(&self, endpoints: i64) {
        println!("\nto {endpoints} endpoints{:>38}{:>28}{:>28}", "per second", "CPU gateway, us", "CPU PostgreSQL, us");
        println!("  ours        {:>38.0}{:>28.0}{:>28.0}", self.ours, self.gateway, self.postgres);
        println!("  row by row  {:>38.0}{:>28.0}{:>28.0}", self.rows, self.rows_gateway, self.rows_postgres);
        println!("  bare client {:>38.0}{:>28.0}", self.bare, self.bare_gateway);
        println!(
            "  ours / row by row {:.1}, ours / bare {:.2}, statements {:.3}",
            self.ratio, self.of_bare, self.statements
        );
    }
}

/// Lets the deliverers of these gateways deliver everything that is queued. Returns the deliveries per second until the
/// last result is recorded, and the CPU time of each for this process and PostgreSQL, in microseconds.
pub(crate) async fn drain(gateways: &[&Gateway], receiver: &Receiver, count: usize) -> anyhow::Result<(f64, [f64; 2])> {
    let before = Cpu::now();
    let (stop, until) = (CancellationToken::new(), receiver.count() + count);
    let began = Instant::now();
    let engine = |gateway: &&Gateway| {
        let (gateway, told) = (Gateway::clone(gateway), stop.clone());
        tokio::spawn(async move { gateway.webhooks().deliver_until(&told).await })
    };
    let engines: Vec<_> = gateways.iter().map(engine).collect();
    receiver.wait_for(until).await;
    stop.cancel();
    for engine in engines {
        engine.await??;
    }
    let rate = f64::from(u32::try_from(count)?) / began.elapsed().as_secs_f64();
    Ok((rate, Cpu::now().each_since(before, count)))
}

/// This number of endpoints, spread over up to ten teams.
pub(crate) async fn seed(testbed: &Testbed, receiver: &Receiver, count: i64) -> anyhow::Result<Vec<EndpointId>> {
    let teams = count.min(10);
    let mut endpoints = Vec::new();
    for team in 0..teams {
        testbed.caches(&format!("team-{team}")).await?;
    }
    for number in 0..count {
        let url = format!("http://{}/{number}", receiver.address);
        endpoints.push(testbed.endpoint(&format!("team-{}", number % teams), &url).await?);
    }
    Ok(endpoints)
}
