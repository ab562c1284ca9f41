//! The program at rest: how soon it serves, and how much memory it uses then.

use std::path::Path;
use std::time::Duration;

use eci_cache_gateway::localpg::Server;

use crate::load;
use crate::processor::memory;
use crate::report::{Fact, median};
use crate::requests;
use crate::served::{Parts, Served};
use crate::site::{Site, Size};
use crate::twin::Twin;

/// A large number of image caches.
const MANY: Size = Size { caches: 100_000, teams: 200 };
const STARTS: usize = 5;
/// After this time, everything that starts with the program has finished.
const REST: Duration = Duration::from_secs(2);

pub(crate) async fn measure(server: &Server, folder: &Path) -> anyhow::Result<Vec<Fact>> {
    eprintln!("memory and start-up");
    let mut facts = Vec::new();
    let empty = Site::build(server, Size { caches: 1, teams: 1 }).await?;
    let fact = |name: &str, value: f64, unit| Fact { name: name.to_owned(), value, unit };
    let all = Served::start(&empty, 10, Parts::All).await?;
    tokio::time::sleep(REST).await;
    facts.push(fact("memory at rest, with its workers", memory(&[all.pid()]), "MB"));
    drop(all);
    facts.push(fact("start-up until /readyz, with workers", starts(&empty, Parts::All).await?, "ms"));
    facts.push(fact("start-up until /healthz, API alone", starts(&empty, Parts::Api).await?, "ms"));
    if let Ok(twin) = Twin::start(&empty, &folder.join("bench-peers")).await {
        facts.push(fact("start-up of FastAPI, two workers", twin.started.as_secs_f64() * 1e3, "ms"));
        facts.push(fact("memory at rest of FastAPI, two workers", memory(&[twin.pid()]), "MB"));
    }
    drop(empty);
    let site = Site::build(server, MANY).await?;
    let api = Served::start(&site, 10, Parts::Api).await?;
    for work in [requests::read(&site, vec![api.address]), requests::list(&site, vec![api.address])] {
        load::run(&work, 128, REST).await?;
    }
    facts.push(fact("memory at 100,000 caches, after load", memory(&[api.pid()]), "MB"));
    Ok(facts)
}

/// The median startup time in milliseconds.
async fn starts(site: &Site, parts: Parts) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Served::start(site, 10, parts).await?;
        times.push(started.started.as_secs_f64() * 1e3);
    }
    Ok(median(times))
}
