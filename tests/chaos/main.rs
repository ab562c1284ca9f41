//! Real faults for minutes or hours: `cargo test --test chaos -- --minutes 5`, or `--hours N`, and `--seed N`; or only
//! failovers of Postgres, one after another: `--failovers N`.
//!
//! Real Postgres with fsync, three gateway processes, the stand-in, a receiver, clients, and a proxy on every
//! connection between them. A schedule generated from a seed kills, freezes and partitions processes, loses responses,
//! changes clocks and makes the cloud return wrong data; between its halves, the database is dumped and restored into
//! another server. Clients, stand-in and receiver write ledgers to disk. At the end, all faults are ended and
//! everything comes to rest, and [`check`] compares the ledgers with the database and the cloud. Exits with code 1 and
//! the seed if anything is wrong.
//!
//! Everything stays in `target/tmp/chaos` until the next run: ledgers, logs, data.

mod adopter;
mod asker;
mod check;
mod client;
mod clocked;
mod cloud;
mod facts;
mod failovers;
mod gateway;
mod inject;
mod joiner;
mod ledger;
mod outages;
#[path = "../../testbed/pair.rs"]
mod pair;
mod plan;
mod probe;
mod process;
mod proxy;
mod reader;
mod receiver;
mod report;
mod restore;
mod retry_limit;
#[path = "../../testbed/server.rs"]
mod server;
mod settings;
mod testbed;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use check::Evidence;
use check::evidence::RecoveryTime;
use client::{Clients, TEAMS, Wish};
use failovers::Failovers;
use inject::Injector;
use ledger::Ledger;
use plan::Restore;
use probe::Probes;
use reader::FeedReader;
use report::Report;
use retry_limit::UncertainTime;
use testbed::Testbed;
use tokio::sync::RwLock;
use tokio::task::JoinSet;

/// The number of clients that run scenarios.
const CLIENTS: u64 = 6;
/// How long to probe after healing: a little longer than a recovery may take.
const LAST_PROBES: Duration = Duration::from_secs(22);
/// The longest time until everything is at rest after healing.
const REST: Duration = Duration::from_mins(4);

fn main() -> ExitCode {
    let Some((seed, what)) = arguments() else {
        eprintln!("usage: cargo test --test chaos -- [--minutes N | --hours N | --failovers N] [--seed N]");
        return ExitCode::from(2);
    };
    // The crypto provider of the process, as in the binary; none can have been installed before.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    println!("chaos: seed {seed}, {what:?}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be built");
    match runtime.block_on(run(seed, what)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("chaos: FAILED; the same schedule again: --seed {seed}");
            ExitCode::FAILURE
        }
        Err(error) => {
            tell_of_databases();
            println!("chaos: broken off: {error:#}; the same schedule again: --seed {seed}");
            ExitCode::FAILURE
        }
    }
}

/// What a run does.
#[derive(Debug, Clone, Copy)]
enum What {
    /// Executes the seed's schedule, for this long.
    Schedule(Duration),
    /// Executes this many failovers.
    Failovers(u64),
}

/// The seed and what to do; `None` if an argument is invalid.
fn arguments() -> Option<(u64, What)> {
    let mut words = std::env::args().skip(1);
    let (mut seed, mut minutes, mut failovers) = (None, 5, None);
    while let Some(word) = words.next() {
        let number: u64 = words.next()?.parse().ok()?;
        match word.as_str() {
            "--seed" => seed = Some(number),
            "--minutes" => minutes = number,
            "--hours" => minutes = number * 60,
            "--failovers" => failovers = Some(number),
            _ => return None,
        }
    }
    let seed = seed.unwrap_or_else(|| {
        let bytes = eci_cache_gateway::domain::entropy::Entropy::from_os().bytes::<4>();
        u32::from_be_bytes(bytes).into()
    });
    let schedule = What::Schedule(Duration::from_secs(minutes * 60));
    (minutes > 0).then(|| (seed, failovers.map_or(schedule, What::Failovers)))
}

async fn run(seed: u64, what: What) -> anyhow::Result<bool> {
    let folder = fresh_folder()?;
    let secrets = receiver::SecretsByPath::default();
    let receiver = receiver::start(Arc::new(Ledger::open(&folder.join("receiver.ndjson"))), Arc::clone(&secrets)).await;
    let testbed = Arc::new(Testbed::build(&folder, receiver).await?);
    let clients = Arc::new(Clients {
        testbed: Arc::clone(&testbed),
        ledger: Arc::new(Ledger::open(&folder.join("clients.ndjson"))),
        stop: AtomicBool::new(false),
        count: AtomicU64::new(0),
        turn: RwLock::new(()),
        doubt: UncertainTime::default(),
    });
    subscribe(&clients, &secrets).await?;
    let mut stories = JoinSet::new();
    for number in 0..CLIENTS {
        let clients = Arc::clone(&clients);
        let team = TEAMS[usize::try_from(number)? % TEAMS.len()];
        stories.spawn(async move { clients.run(seed ^ (number + 1), team).await });
    }
    let readers = TEAMS.map(|team| Arc::new(FeedReader::of(team)));
    for (number, (team, reader)) in (100..).zip(TEAMS.into_iter().zip(&readers)) {
        let (asking, key) = (Arc::clone(&clients), clients.key(team).await?);
        stories.spawn(async move { asking.ask_without_tokens(seed ^ number, key).await });
        let adopting = Arc::clone(&clients);
        stories.spawn(async move { adopting.adopt_some(seed ^ (number + 100), team).await });
        let (reading, reader) = (Arc::clone(&clients), Arc::clone(reader));
        stories.spawn(async move { reader.run(&reading).await });
    }
    let injector = Arc::new(Injector::new(Arc::clone(&clients)));
    let probes = Arc::new(Probes::default());
    let probing = tokio::spawn(Arc::clone(&probes).run(Arc::clone(&clients)));
    let mut recoveries = Vec::new();
    match what {
        What::Schedule(length) => schedule(&injector, &clients, seed, length).await?,
        What::Failovers(count) => {
            let mut failovers = Failovers::new(Arc::clone(&clients), folder.join("receiver.ndjson")).await?;
            recoveries = failovers.run(count).await?;
            failovers.print();
        }
    }
    injector.heal().await?;
    // The last faults are recovered from after healing, or never.
    tokio::time::sleep(LAST_PROBES).await;
    probing.abort();
    testbed.keep_checkpoint().await?;
    clients.stop.store(true, Ordering::Relaxed);
    let healed = Instant::now();
    while let Some(ended) = stories.join_next().await {
        ended??;
    }
    let pool = facts::connect(&testbed.database_url().await?).await?;
    let unrest = rest(&clients, &pool, healed).await?;
    let rested = healed.elapsed();
    for reader in &readers {
        reader.read_to_the_end(&clients).await?;
    }
    recoveries.extend(injector.recoveries(&probes));
    let mut evidence = gather(&folder, &pool, recoveries).await?;
    evidence.held = cloud::held(&testbed.standin).await?;
    evidence.lied = injector.has_lied();
    evidence.audit_findings = testbed.verify_audit().await?;
    let drained = testbed.stop().await?;
    evidence.recoveries.sort_by_key(|recovery| recovery.took);
    let report = Report { seed, testbed: &testbed, injector: &injector, evidence: &evidence, rested, drained, unrest };
    Ok(report.print())
}

/// Executes the seed's schedule in two halves; in between, the database moves to another server.
async fn schedule(injector: &Arc<Injector>, clients: &Clients, seed: u64, length: Duration) -> anyhow::Result<()> {
    let (first, restore, second) = plan::halves(seed, length);
    injector.run(first).await?;
    injector.heal().await?;
    // Everything recovers before the gateways are stopped.
    tokio::time::sleep(LAST_PROBES).await;
    let name = match restore {
        Restore::Whole => "restore into another server",
        Restore::Late => "restore that lacks the last creates",
    };
    eprintln!("{name}");
    let moved = restore::change_servers(clients, restore).await?;
    injector.note(name, moved);
    injector.run(second).await
}

/// The pauses between the attempts of a delivery in seconds: the maximum number for an endpoint.
const PAUSES: [u32; 20] = [5; 20];

/// Creates one endpoint for each team before the first fault.
async fn subscribe(clients: &Clients, secrets: &receiver::SecretsByPath) -> anyhow::Result<()> {
    for team in TEAMS {
        let path = format!("/{team}");
        let url = format!("http://{}{path}", clients.testbed.hooks.address);
        let wish = Wish {
            method: reqwest::Method::POST,
            path: "/v1/webhook-endpoints".into(),
            // Short pauses, so that everything comes to rest within minutes; the gateway's default schedule takes
            // hours.
            body: Some(serde_json::json!({"url": url, "skip_challenge": true, "retry_schedule_seconds": PAUSES})),
            key: None,
            action: "subscribe",
        };
        let heard = clients.ask(team, &wish, None).await?;
        let secret = heard.and_then(|heard| heard.json["secret"].as_str().map(str::to_owned));
        let secret = secret.ok_or_else(|| anyhow::anyhow!("an endpoint is taken"))?;
        secrets.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(path, secret);
    }
    Ok(())
}

/// Waits until everything is at rest and was compared with the cloud; returns what is not at the deadline.
async fn rest(clients: &Clients, pool: &sqlx::PgPool, healed: Instant) -> anyhow::Result<Vec<String>> {
    let since = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await?;
    loop {
        let unrest = facts::unrest(pool, Some(since)).await?;
        if unrest.is_empty() || healed.elapsed() > REST {
            return Ok(unrest);
        }
        clients.ask_again().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn gather(folder: &Path, pool: &sqlx::PgPool, recoveries: Vec<RecoveryTime>) -> anyhow::Result<Evidence> {
    let mut evidence = Evidence {
        clients: ledger::read(&folder.join("clients.ndjson"))?,
        acts: ledger::read(&folder.join("standin.ndjson"))?,
        hooks: ledger::read(&folder.join("receiver.ndjson"))?,
        recoveries,
        ..Evidence::default()
    };
    check::forget(&mut evidence);
    facts::gather(pool, &mut evidence).await?;
    Ok(evidence)
}

/// Empties `target/tmp/chaos`, the folder of everything that a run leaves.
fn fresh_folder() -> anyhow::Result<PathBuf> {
    let folder = server::tmp("chaos");
    // A server run by root may keep its data elsewhere (see `localpg`).
    for name in testbed::POSTGRES {
        if let Ok(elsewhere) = std::fs::read_to_string(folder.join(name).join("elsewhere")) {
            drop(std::fs::remove_dir_all(elsewhere));
        }
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Prints the end of the databases' logs, before and after their last start: they often tell why a run was aborted.
fn tell_of_databases() {
    let folder = server::tmp("chaos");
    let homes = testbed::POSTGRES.map(|name| folder.join(name));
    let homes =
        homes.iter().map(|home| std::fs::read_to_string(home.join("elsewhere")).map_or(home.clone(), PathBuf::from));
    for log in homes.flat_map(|home| [home.join("postgres.log.before"), home.join("postgres.log")]) {
        let Ok(said) = std::fs::read(&log) else { continue };
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        println!("{}:\n{}\n", log.display(), lines[lines.len().saturating_sub(25)..].join("\n"));
    }
}
