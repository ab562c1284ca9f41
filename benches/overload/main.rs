//! How an overload by some affects others: `cargo bench --bench overload`.
//!
//! Four questions, each answered within one run on loopback: is a burst of one team on an idle gateway served, and how
//! fast; do 5,000 connections that send a byte a second slow down others ([`slow`]); at 4 times the gateway's capacity,
//! how much of it is still achieved and how late, also compared with a server that only refuses ([`bare`]); does a team
//! that sends 10 times its share delay another one. About 2 minutes; `-- --rounds 1 --seconds 2` is a quick run.
//! Compare the ratios: load generator, gateway and database share the cores, and generating 4 times the capacity needs
//! CPU too.

#[path = "../gateway/answer.rs"]
mod answer;
mod bare;
#[path = "../../testbed/database.rs"]
mod database;
#[path = "../../testbed/door.rs"]
mod door;
mod load;
#[path = "../../testbed/parts.rs"]
mod parts;
#[path = "../../testbed/server.rs"]
mod server;
#[path = "../../testbed/settings.rs"]
mod settings;
mod slow;
#[path = "../../testbed/stand_in.rs"]
mod stand_in;
#[path = "../gateway/testbed.rs"]
#[expect(dead_code, reason = "the testbed of another benchmark, which needs more of it")]
mod testbed;
#[path = "../../testbed/tokens.rs"]
mod tokens;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::limits::Limits;
use eci_cache_gateway::domain::limits::queue::Capacity;
use eci_cache_gateway::localpg::{Durability, Server};
use load::{Asker, Figures};
use sqlx::{Connection as _, Executor as _, PgConnection};
use testbed::Testbed;

/// The number of teams, each with its part of the image caches.
const TEAMS: usize = 8;
/// The connections of each team: together more than are served concurrently.
const EACH: usize = 2;
/// How long the load at 4 times capacity runs before it is measured: what ends within two seconds is a burst, in which
/// everybody is served, but late.
const LEAD: Duration = Duration::from_secs(4);
/// Concurrent lists: those of a Terraform plan with that many data sources, and the maximum for a team.
const BURSTS: [usize; 3] = [9, 50, 256];
const SLOW: usize = 5_000;

struct Plan {
    rounds: usize,
    each: Duration,
    /// How many lists are served concurrently; the default if absent.
    lists: usize,
}

impl Plan {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut plan = Self { rounds: 3, each: Duration::from_secs(5), lists: Limits::default().room.lists };
        while let Some(name) = arguments.next() {
            let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).filter(|number| *number > 0);
            match name.as_str() {
                "--bench" => {}
                "--rounds" => plan.rounds = number().context("--rounds takes a number")? as usize,
                "--seconds" => plan.each = Duration::from_secs(number().context("--seconds takes a number")?.into()),
                "--lists" => plan.lists = number().context("--lists takes a number")? as usize,
                other => bail!("{other}: only --rounds, --seconds and --lists are known"),
            }
        }
        Ok(plan)
    }
}

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(std::env::args().skip(1))?;
    let server = Server::start(&server::options_for(&server::tmp("bench-postgres"), Durability::Durable), |line| {
        eprintln!("{line}");
    })?;
    let gateway = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // In a thread of its own, so that the load keeps its rate while the gateway is busy.
    let load = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let testbed = gateway.block_on(build(&server, plan.lists))?;
    let bare = gateway.block_on(bare::serve())?;
    let measured = load.block_on(measure(&plan, testbed.address, bare));
    gateway.block_on(testbed.end());
    server.stop()?;
    measured
}

/// The gateway with its default limits except for the rate of each team, because the maximum load is to be measured.
async fn build(server: &Server, lists: usize) -> anyhow::Result<Testbed> {
    let usual = Limits::default();
    let room = Capacity { lists, ..usual.room };
    let limits = Limits { team: testbed::boundless().team, room, ..usual };
    let testbed = Testbed::build(server, limits).await?;
    let mut owner = PgConnection::connect_with(&database::connect_to(server, testbed::DATABASE)).await?;
    owner.execute("UPDATE image_caches SET team = 'team-' || right(name, 1)").await?;
    owner.execute("VACUUM ANALYZE image_caches").await?;
    Ok(testbed)
}

/// The connections of a team: each lists 50 image caches, and no two send the same request. Concurrent identical lists
/// share one query, so there would be no overload.
fn askers(address: SocketAddr, team: usize, count: usize) -> anyhow::Result<Vec<Asker>> {
    let token = testbed::token(SystemClock.now(), &format!("team-{team}"))?;
    let asker = |place: usize| {
        let (minute, second) = (place / 60, place % 60);
        let request = format!(
            "GET /v1/image-caches?limit=50&created_after=2020-01-01T00:{minute:02}:{second:02}Z HTTP/1.1\r\n\
             host: {address}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        Asker { address, request }
    };
    Ok((0..count).map(asker).collect())
}

/// The same number of connections for each team.
fn everybody(address: SocketAddr, each: usize) -> anyhow::Result<Vec<Asker>> {
    let all: Result<Vec<_>, _> = (0..TEAMS).map(|team| askers(address, team, each)).collect();
    Ok(all?.concat())
}

async fn measure(plan: &Plan, address: SocketAddr, bare: SocketAddr) -> anyhow::Result<()> {
    load::run(everybody(address, EACH)?, None, Duration::from_secs(2)).await?;
    bursts(plan, address).await?;
    slow::measure(plan, address).await?;
    let peak = overload(plan, address, bare).await?;
    fairness(plan, address, peak).await?;
    println!("\nLeft out: a network, TLS, machines of one's own for load, gateway and database. {}", load_average());
    Ok(())
}

/// Bursts of one team, each after a short pause.
async fn bursts(plan: &Plan, address: SocketAddr) -> anyhow::Result<()> {
    println!("\nlists of 50 at once by one team, nothing else asked");
    println!("{:>24}{:>11}{:>11}{:>18}", "", "served", "refused", "all within ms");
    for _ in 0..plan.rounds {
        for count in BURSTS {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let burst = load::once(askers(address, 0, count)?).await?;
            let within = burst.within.as_secs_f64() * 1e3;
            println!("{count:<24}{:>11}{:>11}{within:>18.1}", burst.served, burst.refused);
        }
    }
    Ok(())
}

/// The throughput at 4 times capacity, compared round by round with that at capacity, and with that at capacity while a
/// bare server on the same cores refuses the excess requests, because no gateway can refuse for less. Returns the
/// capacity.
async fn overload(plan: &Plan, address: SocketAddr, bare: SocketAddr) -> anyhow::Result<f64> {
    println!("\nlists of 50 by {TEAMS} teams: at capacity, and at 4 times capacity");
    println!("{:>24}{}", "", Figures::HEAD);
    let mut last = 0.0;
    for _ in 0..plan.rounds {
        let peak = load::run(everybody(address, EACH)?, None, plan.each).await?;
        println!("{:<24}{peak}", "at capacity");
        last = peak.done;
        let refused = load::run(everybody(bare, 48)?, Some(peak.done * 3.0), plan.each);
        let (floor, refused) = tokio::join!(load::run(everybody(address, EACH)?, None, plan.each), refused);
        let floor = floor?;
        println!("{:<24}{floor}\n{:<24}{}", "beside a bare refuser", "  the bare refuser", refused?);
        let much = load::run_on(everybody(address, 50)?, Some(peak.done * 4.0), LEAD, plan.each).await?;
        println!("{:<24}{much}", "4 times");
        for (name, to) in [("  ratio to capacity", peak), ("  ratio to the floor", floor)] {
            println!("{name:<24}done {:.2}, p99 {:.2}", much.done / to.done, much.p99 / to.p99);
        }
    }
    Ok(last)
}

/// How much others are delayed while one team sends 10 times its share.
async fn fairness(plan: &Plan, address: SocketAddr, peak: f64) -> anyhow::Result<()> {
    let share = peak * 0.6 / load::number(TEAMS);
    println!("\n{TEAMS} teams at their share of 60 % of capacity, and one of them at 10 times its share");
    println!("{:>24}{}", "", Figures::HEAD);
    for _ in 0..plan.rounds {
        let mut p99 = [0.0; 2];
        for (place, (name, times)) in [("its share", 1.0), ("10 times", 10.0)].into_iter().enumerate() {
            let greedy = load::run(askers(address, 0, 100)?, Some(share * times), plan.each);
            let others: Vec<Asker> = everybody(address, EACH)?.split_off(EACH);
            let others = load::run(others, Some(share * load::number(TEAMS - 1)), plan.each);
            let (greedy, others) = tokio::join!(greedy, others);
            println!(
                "{name:<24}{}\n{:<24}{}",
                greedy?,
                "  the others",
                others.as_ref().map_err(|e| anyhow::anyhow!("{e}"))?
            );
            p99[place] = others?.p99;
        }
        println!("{:<24}p99 {:.2}", "  ratio of the others", p99[1] / p99[0]);
    }
    Ok(())
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("Load average: {}", text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}
