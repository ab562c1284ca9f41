//! How fast the gateway is, beside the least that its database must do: `cargo bench`.
//!
//! Takes about a minute; `cargo bench -- --rounds 1 --seconds 1` looks quickly, `--rounds 5 --seconds 5` looks well.
//! `cargo bench -- --waiters 1000` measures instead how long it takes to tell as many who wait ([`waiters`]).
//! Judge by the ratio: the cores are shared by the load, the gateway, the database and the stand-in, so requests
//! per second say as much about the machine. Needs no database: it starts one of its own below `target/tmp`.

mod answer;
mod crowd;
mod house;
mod load;
mod reference;
mod report;
#[path = "../../tests/it/support/server.rs"]
mod server;
mod waiters;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use eci_cache_gateway::domain::ids::CacheId;
use eci_cache_gateway::localpg::{Durability, Server};
use house::{CACHES, FIRST, House, ID_STEM};
use load::Work;
use reference::Pgbench;
use report::{Measure, Row};
use uuid::Uuid;

/// Open connections to the gateway, and clients of pgbench.
const CONNECTIONS: u64 = 32;
/// How long each kind of work runs before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long to measure.
struct Plan {
    rounds: u32,
    each: Duration,
    waiters: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == crowd::FLAG).is_some() {
        return crowd::be(arguments);
    }
    let plan = Plan::read(arguments)?;
    if plan.waiters.is_some() {
        crowd::raise_files();
    }
    let server = Server::start(&server::options_for(&server::tmp("bench-postgres"), Durability::Durable), |line| {
        eprintln!("{line}");
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(waiters) = plan.waiters {
        runtime.block_on(wait(&server, waiters, plan.rounds))?;
        server.stop()?;
        return Ok(());
    }
    let rows = runtime.block_on(measure(&plan, &server))?;
    server.stop()?;
    println!(
        "\n{CONNECTIONS} connections, {CACHES} image caches, medians of {} rounds of {:?}\n",
        plan.rounds, plan.each
    );
    report::print(&rows);
    println!("{LEFT_OUT}");
    Ok(())
}

/// What the figures do not say.
const LEFT_OUT: &str = "
The gateway verifies a token (HS256) and makes an audit entry durable for each answer; pgbench does neither, and
speaks no HTTP and no JSON. A create is answered when the stand-in, which takes no time, has accepted it.
The processor time per answer is that of gateway, load and stand-in together, without the database.
Left out: a network (loopback and a Unix socket only), TLS, RS256 and ES256, log lines, workers that follow the
builds, and a machine of one's own for each part: load, gateway, database and stand-in share these cores.";

impl Plan {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut plan = Self { rounds: 3, each: Duration::from_secs(3), waiters: None };
        while let Some(name) = arguments.next() {
            let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).filter(|number| *number > 0);
            match name.as_str() {
                // Cargo says that it is one.
                "--bench" => {}
                "--rounds" => plan.rounds = number().context("--rounds takes a number")?,
                "--seconds" => plan.each = Duration::from_secs(number().context("--seconds takes a number")?.into()),
                "--waiters" => plan.waiters = Some(number().context("--waiters takes a number")?),
                other => bail!("{other}: only --rounds, --seconds and --waiters are known"),
            }
        }
        Ok(plan)
    }
}

async fn wait(server: &Server, waiters: u32, rounds: u32) -> anyhow::Result<()> {
    let house = House::build(server, house::boundless()).await?;
    waiters::run(&house, waiters as usize, rounds).await?;
    house.end().await;
    Ok(())
}

/// Measures everything, ours and the reference in turn.
async fn measure(plan: &Plan, server: &Server) -> anyhow::Result<Vec<Row>> {
    let house = House::build(server, house::boundless()).await?;
    let pgbench = Pgbench::find(server, &server::tmp("bench-pgbench")).await?.map(Arc::new);
    if pgbench.is_none() {
        println!("There is no pgbench beside this PostgreSQL: only the gateway is measured.");
    }
    let mut rows = Vec::new();
    let reads = [
        ("read one image cache", read_one(&house), reference::read_one()),
        ("list 50 image caches", list(&house), reference::list()),
    ];
    let mut tables: Vec<Row> = reads.iter().map(|(name, ..)| Row::new(name)).collect();
    for (_, work, _) in &reads {
        load::run(work, CONNECTIONS, WARM_UP).await?;
    }
    for round in 1..=plan.rounds {
        eprintln!("round {round} of {}", plan.rounds);
        for ((_, work, sql), row) in reads.iter().zip(&mut tables) {
            row.ours.push(load::run(work, CONNECTIONS, plan.each).await?);
            if let Some(pgbench) = &pgbench {
                row.reference.push(refer(pgbench, sql, plan.each).await?);
            }
        }
    }
    rows.append(&mut tables);
    rows.push(creates(&house, plan).await?);
    house.end().await;
    Ok(rows)
}

async fn refer(pgbench: &Arc<Pgbench>, sql: &str, each: Duration) -> anyhow::Result<Measure> {
    let (pgbench, sql) = (Arc::clone(pgbench), sql.to_owned());
    tokio::task::spawn_blocking(move || pgbench.run(&sql, CONNECTIONS, each)).await?
}

/// Last of all: they make the table grow.
async fn creates(house: &House, plan: &Plan) -> anyhow::Result<Row> {
    eprintln!("creates");
    let (work, mut row) = (create(house), Row::new("create, the cloud at 0 ms"));
    load::run(&work, CONNECTIONS, WARM_UP).await?;
    for _ in 0..plan.rounds {
        row.ours.push(load::run(&work, CONNECTIONS, plan.each).await?);
    }
    Ok(row)
}

fn read_one(house: &House) -> Arc<Work> {
    let (rest, address) = (headers(house), house.address);
    let path = |number: u64| {
        let id = Uuid::parse_str(&format!("{ID_STEM}{}", FIRST + number % CACHES)).expect("12 digits end an id");
        format!("/v1/image-caches/{}", CacheId::from(id))
    };
    let request = move |number| format!("GET {} HTTP/1.1\r\n{rest}\r\n", path(number));
    Arc::new(Work { address, request: Box::new(request), status: 200 })
}

fn list(house: &House) -> Arc<Work> {
    let (request, address) =
        (format!("GET /v1/image-caches?limit=50 HTTP/1.1\r\n{}\r\n", headers(house)), house.address);
    Arc::new(Work { address, request: Box::new(move |_| request.clone()), status: 200 })
}

fn create(house: &House) -> Arc<Work> {
    let (rest, address) = (headers(house), house.address);
    let request = move |number: u64| {
        let body = format!(r#"{{"name":"web-{number}","region":"cn-beijing","images":["nginx:1.27"]}}"#);
        let length = body.len();
        let entity = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
        format!("POST /v1/image-caches HTTP/1.1\r\n{rest}{entity}\r\n{body}")
    };
    Arc::new(Work { address, request: Box::new(request), status: 201 })
}

/// What every request has.
fn headers(house: &House) -> String {
    format!("host: {}\r\nauthorization: Bearer {}\r\naccept: application/json\r\n", house.address, house.token)
}
