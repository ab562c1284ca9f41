//! How many calls the tracker makes, and how late it notices changes: `cargo bench --bench tracker`.
//!
//! First in virtual time: the tracker's own decisions for 1,000, 10,000 and 100,000 builds in 20 regions, within
//! seconds. Then in real time: a gateway process with its workers, a durable PostgreSQL and the stand-in, for 1,000 and
//! 10,000 builds, and the sweep over 100,000 unchanged caches.
//!
//! `-- --real 1000,100000` sets the numbers of builds in real time (none with `--real 0`), `--seconds 180` the duration
//! of each measurement; `--only-real` skips virtual time. Builds have a median duration of 180 s and a log-normal
//! distribution (sigma 0.65: 222 s on average).

#[path = "../../testbed/database.rs"]
mod database;
mod real;
#[path = "../../testbed/server.rs"]
mod server;
#[path = "../../testbed/settings.rs"]
mod settings;
#[path = "../../testbed/stand_in.rs"]
mod stand_in;
mod sweep;
mod testbed;
#[path = "../../testbed/virtual_cloud.rs"]
mod virtual_cloud;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use eci_cache_gateway::localpg::{Durability, Server};
use virtual_cloud::{Figures, Scene};

/// The number of regions of the builds.
const REGIONS: usize = 20;
/// The gateway's default.
const USUAL: Duration = Duration::from_millis(9_800);

/// The measurements in real time.
struct Plan {
    in_virtual_time: bool,
    builds: Vec<usize>,
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(std::env::args().skip(1))?;
    if plan.in_virtual_time {
        in_virtual_time();
    }
    let options = server::options_for(&server::tmp("bench-tracker"), Durability::Durable);
    let server = Server::start(&options, |line| eprintln!("{line}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(for_real(&plan, &server))?;
    server.stop()?;
    println!("{LEFT_OUT}");
    Ok(())
}

/// What the figures do not show.
const LEFT_OUT: &str = "
least: whoever knew when each build ends and looked every 10 s. every 10 s: one call per cache, as Terraform and
scripts make. The history of earlier builds is there from the start. Ended caches are removed and replaced by new ones.
For real, load, stand-in, PostgreSQL and gateway share this machine's cores; cpu and memory are the gateway process's
alone. Left out: the cloud's latency and TLS (loopback), webhooks (no endpoint wants the events), the API's own work.";

impl Plan {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut plan = Self { in_virtual_time: true, builds: vec![1_000, 10_000], seconds: 120 };
        while let Some(name) = arguments.next() {
            let mut text = || arguments.next().with_context(|| format!("{name} takes a number"));
            match name.as_str() {
                // Cargo passes this to benchmarks.
                "--bench" => {}
                "--real" => {
                    let numbers = text()?.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>();
                    plan.builds = numbers.context("--real takes numbers")?.into_iter().filter(|n| *n > 0).collect();
                }
                "--only-real" => plan.in_virtual_time = false,
                "--seconds" => plan.seconds = text()?.parse().context("--seconds takes a number")?,
                other => bail!("{other}: only --real, --only-real and --seconds are known"),
            }
        }
        Ok(plan)
    }
}

fn in_virtual_time() {
    println!("\nIn virtual time, {REGIONS} regions where not said otherwise\n");
    println!(
        "{:<34} {:>8} {:>8} {:>10} {:>7} {:>7} {:>9}",
        "builds in motion", "calls", "least", "every 10 s", "p50 s", "p99 s", "cpu µs"
    );
    let rows = [
        ("1,000, nothing else listed", 1_000 / REGIONS, 0, true),
        ("10,000, nothing else listed", 10_000 / REGIONS, 0, true),
        ("100,000, nothing else listed", 100_000 / REGIONS, 0, true),
        ("500 of 5,000 in one region", 500, 4_500, true),
        ("500 of 5,000 in 20 regions", 25, 225, true),
        ("500 of 5,000, no history yet", 500, 4_500, false),
    ];
    for (name, in_motion, settled, known) in rows {
        let usual = chrono::Duration::from_std(USUAL).unwrap_or_default();
        let scene = Scene { in_motion, settled, seconds: if known { 1_800 } else { 900 }, known, usual };
        let began = Instant::now();
        let figures = virtual_cloud::run(&scene, 1);
        print(name, &figures, began.elapsed());
    }
}

fn print(name: &str, figures: &Figures, took: Duration) {
    let per = |calls| figures.per_finished(calls);
    println!(
        "{name:<34} {:>8.2} {:>8.2} {:>10.2} {:>7.1} {:>7.1} {:>9.0}",
        per(figures.all()),
        per(figures.oracle),
        per(figures.naive),
        figures.delay(50),
        figures.delay(99),
        took.as_secs_f64() * 1e6 / f64::from(u32::try_from(figures.finished.max(1)).unwrap_or(u32::MAX)),
    );
}

async fn for_real(plan: &Plan, server: &Server) -> anyhow::Result<()> {
    println!("\nFor real, {REGIONS} regions, {} s each\n", plan.seconds);
    real::heading();
    for builds in &plan.builds {
        real::run(server, *builds, 0, plan.seconds).await?.print();
    }
    if !plan.builds.is_empty() {
        // 25 of 250 in each region.
        real::run(server, 500, 4_500, plan.seconds).await?.print();
    }
    sweep::run(server).await
}
