//! Two gateways on one database: their total deliveries per second, compared with one gateway, and with one that has
//! twice as many database connections. All share the cores; the question is whether they slow each other down.

use eci_cache_gateway::app::Gateway;
use eci_cache_gateway::domain::ids::EndpointId;
use eci_cache_gateway::localpg::Server;

use crate::Plan;
use crate::figures::{Rounds, load};
use crate::rate::{drain, seed};
use crate::receiver::Receiver;
use crate::testbed::Testbed;

/// The number of endpoints, which belong to ten teams: a gateway holds whole teams.
const ENDPOINTS: i64 = 100;

/// The results of one of the three.
#[derive(Default)]
struct Row {
    rate: Rounds,
    gateway: Rounds,
    postgres: Rounds,
}

pub(crate) async fn measure(plan: Plan, server: &Server, receiver: &Receiver) -> anyhow::Result<()> {
    println!(
        "\ndeliveries per second by two gateways, to {ENDPOINTS} endpoints (load average at the start: {})",
        load()
    );
    let testbed = Testbed::build(server, "ecg_bench_two").await?;
    let (second, wide) = (testbed.neighbour(1)?, testbed.neighbour(2)?);
    let endpoints = seed(&testbed, receiver, ENDPOINTS).await?;
    let teams: [(&str, Vec<&Gateway>); 3] = [
        ("one gateway", vec![&testbed.gateway]),
        ("one, twice the connections", vec![&wide]),
        ("two gateways", vec![&testbed.gateway, &second]),
    ];
    let (mut rows, mut ratios) = (<[Row; 3]>::default(), <[Rounds; 2]>::default());
    for round in 0..plan.rounds {
        let mut rates = [0.0; 3];
        for turn in 0..3 {
            let place = (round + turn) % 3;
            rates[place] = rows[place].measure(&testbed, plan, receiver, &endpoints, &teams[place].1).await?;
        }
        ratios[0].push(rates[2] / rates[0]);
        ratios[1].push(rates[2] / rates[1]);
    }
    println!("\n{:<28}{:>38}{:>28}{:>28}", "", "per second", "CPU gateways, us", "CPU PostgreSQL, us");
    for ((name, _), row) in teams.iter().zip(&rows) {
        println!("  {name:<26}{:>38.0}{:>28.0}{:>28.0}", row.rate, row.gateway, row.postgres);
    }
    println!("  two / one {:.2}, two / one with twice the connections {:.2}", ratios[0], ratios[1]);
    second.close().await;
    wide.close().await;
    testbed.close().await;
    Ok(())
}

impl Row {
    async fn measure(
        &mut self,
        testbed: &Testbed,
        plan: Plan,
        receiver: &Receiver,
        endpoints: &[EndpointId],
        gateways: &[&Gateway],
    ) -> anyhow::Result<f64> {
        let count = testbed.backlog(endpoints, (plan.deliveries / ENDPOINTS).max(1)).await?;
        let (rate, cpu) = drain(gateways, receiver, count).await?;
        self.rate.push(rate);
        self.gateway.push(cpu[0]);
        self.postgres.push(cpu[1]);
        Ok(rate)
    }
}
