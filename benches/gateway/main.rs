//! How fast the gateway is compared with its peers in the same run: `cargo bench --bench gateway`.
//!
//! It measures the program itself (`serve`) with all features, alternating with whatever does the same: pgbench with
//! the same SQL, nginx in front of the same cloud, `FastAPI` with asyncpg on the same database (`rows`). Then what has
//! no peer: startup time and memory (`rest`), waiting clients ([`waiters`]), and the benchmarks that are separate
//! programs ([`others`]).
//!
//! It takes about 19 minutes; `-- --quick` takes 4. `-- --rows read,list` measures only these rows (`plan` has all),
//! `-- --json` prints JSON, `-- --caches 1000,100000,1000000 --teams 10,1000` shows how cost grows; progress is printed
//! on standard error. It starts a database of its own below `target/tmp`. Compare the ratios and the CPU times: all
//! participants share the same cores, so requests per second depend on the machine as much as on the program.

mod answer;
mod contest;
mod crowd;
#[path = "../../testbed/database.rs"]
mod database;
#[path = "../../testbed/door.rs"]
mod door;
mod load;
mod nginx;
mod others;
#[path = "../../testbed/parts.rs"]
mod parts;
mod plan;
mod processor;
mod reference;
mod report;
mod requests;
mod rest;
mod rows;
mod sealing;
mod served;
#[path = "../../testbed/server.rs"]
mod server;
#[path = "../../testbed/settings.rs"]
mod settings;
mod site;
#[path = "../../testbed/stand_in.rs"]
mod stand_in;
mod testbed;
#[path = "../../testbed/tokens.rs"]
mod tokens;
mod twin;
mod unaudited;
mod waiters;

use eci_cache_gateway::localpg::{Durability, Options, Server};
use plan::Plan;
use processor::load_average;
use report::{Fact, Row};
use serde_json::json;
use site::Size;
use testbed::Testbed;

/// The total number of database connections of the references and the gateways.
const TO_THE_DATABASE: u32 = 250;

/// What was measured, by table, and the facts beside the tables.
#[derive(Default)]
struct Results {
    tables: Vec<(Size, Vec<Row>)>,
    facts: Vec<Fact>,
    others: Vec<(&'static str, String)>,
    absent: Vec<String>,
    before: String,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == crowd::FLAG).is_some() {
        return crowd::be(arguments);
    }
    if arguments.next_if(|first| first == unaudited::FLAG).is_some() {
        return unaudited::be(arguments);
    }
    let plan = Plan::read(arguments)?;
    crowd::raise_files();
    let mut results = Results { before: load_average(), ..Results::default() };
    let options = server::options_for(&server::tmp("bench-postgres"), Durability::Durable);
    let options = Options { max_connections: TO_THE_DATABASE, ..options };
    let server = Server::start(&options, |line| eprintln!("{line}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&plan, &server, &mut results))?;
    server.stop()?;
    for name in others::asked(|row| plan.which.has(row)) {
        results.others.push((name, others::run(name, plan.quick)?));
    }
    results.absent.sort();
    results.absent.dedup();
    if plan.json {
        results.print_json();
    } else {
        results.print();
    }
    Ok(())
}

async fn measure(plan: &Plan, server: &Server, results: &mut Results) -> anyhow::Result<()> {
    let folder = server::tmp("");
    for size in plan.sizes.iter().copied().filter(|_| plan.which.has_contest()) {
        let rows = rows::measure(server, &folder, size, &plan.which, plan.pace, &mut results.absent).await?;
        // Printed at once, because what follows takes minutes and may fail.
        if !plan.json {
            print_table(plan, size, &rows);
        }
        results.tables.push((size, rows));
    }
    if plan.which.has("rest") {
        results.facts.extend(rest::measure(server, &folder).await?);
    }
    if plan.which.has("sealing") {
        let testbed = Testbed::build(server, testbed::boundless()).await?;
        results.facts.extend(sealing::measure(&testbed, if plan.quick { 20_000 } else { 100_000 }).await?);
        testbed.end().await;
    }
    if plan.which.has("waiters") {
        let testbed = Testbed::build(server, testbed::boundless()).await?;
        let rounds = if plan.quick { 1 } else { 3 };
        results.facts.extend(waiters::run(&testbed, plan.waiters, rounds).await?);
        testbed.end().await;
    }
    Ok(())
}

/// What the figures do not show.
const LEFT_OUT: &str = "
\"ours is\": how much the gateway does for each one of the reference, the median over the rounds. cpu and pg: processor
time for each answer, of the measured server and of all of PostgreSQL, in microseconds. p50 and p99 of pgbench are of
every fifth transaction. Rounds in which a reference did less than half of what it usually does are thrown out.
The gateway verifies a token (HS256), asks the policy, counts the limits and makes an audit entry durable for each answer;
pgbench and nginx do none of it, and pgbench speaks no HTTP. Many who ask at once share queries and commits, which one at a
time do not: the row of one connection shows that. Its workers run elsewhere (`serve --no-worker`).
Left out: a network (loopback and a Unix socket only), TLS, RS256 and ES256, log lines, and a machine of one's own for each
part: load, gateway, reference, database and stand-in share these cores. The gateway without its audit is this benchmark
itself, put together as the program is: no setting turns the audit off.";

fn print_table(plan: &Plan, Size { caches, teams }: Size, rows: &[Row]) {
    let (rounds, each) = (plan.pace.rounds, plan.pace.each);
    println!("\n{caches} image caches of {teams} teams, medians of {rounds} interleaved rounds of {each:?}\n");
    report::print(rows);
}

impl Results {
    /// Prints what follows the tables.
    fn print(&self) {
        if !self.facts.is_empty() {
            println!();
            self.facts.iter().for_each(Fact::print);
        }
        for (name, said) in &self.others {
            println!("\n== {name} ==\n\n{said}");
        }
        println!("{LEFT_OUT}");
        for absent in &self.absent {
            println!("Not there: {absent}");
        }
        println!("Load average: {} before, {} after.", self.before, load_average());
    }

    fn print_json(&self) {
        let table = |(size, rows): &(Size, Vec<Row>)| json!({"caches": size.caches, "teams": size.teams, "rows": rows.iter().map(Row::json).collect::<Vec<_>>()});
        let other = |(name, said): &(&str, String)| json!({"name": name, "lines": said.lines().collect::<Vec<_>>()});
        let all = json!({
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "facts": self.facts.iter().map(Fact::json).collect::<Vec<_>>(),
            "others": self.others.iter().map(other).collect::<Vec<_>>(),
            "absent": self.absent,
            "load_average": {"before": self.before, "after": load_average()},
        });
        println!("{all:#}");
    }
}
