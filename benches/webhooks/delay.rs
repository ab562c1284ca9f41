//! How soon after its commit an event's first byte is at the receiver, at 200 events a second: alone, beside an endpoint
//! that hangs, and beside one that is dead and has 100,000 deliveries waiting.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use eci_cache_gateway::domain::clock::Clock as _;
use eci_cache_gateway::domain::clock::SystemClock;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::event::EventType;
use eci_cache_gateway::domain::ids::{CacheId, EventId};
use eci_cache_gateway::domain::image_cache::ImageCache;
use eci_cache_gateway::localpg::Server;
use eci_cache_gateway::store::{CacheWrite, NewEvent};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Plan;
use crate::house::{House, body};
use crate::receiver::Receiver;

const TEAM: &str = "team-0";
/// Events a second.
const RATE: u64 = 200;
const BACKLOG: i64 = 100_000;

/// The broken endpoint beside the healthy one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    None,
    Hanging,
    Dead,
}

pub(crate) async fn measure(plan: Plan, server: &Server) -> anyhow::Result<()> {
    let columns = ("p50 ms", "p99 ms", "with commit p50", "p99", "statements");
    println!(
        "\n{:<34} {:>8} {:>8} {:>16} {:>8} {:>12}",
        "commit to first byte, 200 events/s", columns.0, columns.1, columns.2, columns.3, columns.4
    );
    for (broken, name) in [
        (Broken::None, "one endpoint"),
        (Broken::Hanging, "beside one that hangs"),
        (Broken::Dead, "beside 100,000 waiting on a dead one"),
    ] {
        let house = House::build(server).await?;
        let figures = run(&house, plan, broken).await?;
        println!(
            "{name:<34} {:>8.2} {:>8.2} {:>16.2} {:>8.2} {:>12.3}",
            figures[0], figures[1], figures[2], figures[3], figures[4]
        );
        house.gateway.close().await;
        house.pool.close().await;
    }
    Ok(())
}

async fn run(house: &House, plan: Plan, broken: Broken) -> anyhow::Result<[f64; 5]> {
    let receiver = Receiver::start().await?;
    house.caches(TEAM).await?;
    house.endpoint(TEAM, &format!("http://{}/healthy", receiver.address)).await?;
    match broken {
        Broken::None => {}
        Broken::Hanging => {
            house.endpoint(TEAM, &format!("http://{}/hang", receiver.address)).await?;
        }
        Broken::Dead => {
            let dead = house.endpoint(TEAM, "http://127.0.0.1:9/").await?;
            house.backlog(&[dead], BACKLOG).await?;
        }
    }
    let (stop, gateway) = (CancellationToken::new(), house.gateway.clone());
    let told = stop.clone();
    let engine = tokio::spawn(async move { gateway.deliver_until(&told).await });
    let mut caches = caches(house).await?;
    // Until the team is in the deliverer's hands, and everything is warm.
    tell(house, &mut caches, Duration::from_secs(1)).await?;
    let before = house.commits().await?;
    let sent = tell(house, &mut caches, plan.each).await?;
    let statements = house.commits().await? - before - i64::try_from(sent.len())?;
    stop.cancel();
    if broken == Broken::Hanging {
        engine.abort();
    } else {
        engine.await??;
    }
    let arrivals = receiver.arrivals();
    let mut figures = [0.0; 5];
    let since = |of: fn(&Sent) -> Instant| delays(&sent, &arrivals, of);
    let (commit, event) = (since(|sent| sent.committed)?, since(|sent| sent.began)?);
    figures[..2].copy_from_slice(&commit);
    figures[2..4].copy_from_slice(&event);
    figures[4] = f64::from(i32::try_from(statements)?) / f64::from(u32::try_from(sent.len())?);
    Ok(figures)
}

/// One event: before its transaction began, and when its commit had returned.
struct Sent {
    id: String,
    began: Instant,
    committed: Instant,
}

/// What the events are about.
async fn caches(house: &House) -> anyhow::Result<Vec<ImageCache>> {
    let team = TEAM.parse()?;
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM image_caches WHERE team = $1").bind(TEAM).fetch_all(&house.pool).await?;
    let mut caches = Vec::new();
    for id in ids {
        caches.extend(house.store.image_cache(&team, CacheId::from(id)).await?);
    }
    Ok(caches)
}

/// Tells events at the rate, each with the write of an image cache, for so long.
async fn tell(house: &House, caches: &mut [ImageCache], lasting: Duration) -> anyhow::Result<Vec<Sent>> {
    let entropy = Entropy::from_os();
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sent, began, places) = (Vec::new(), Instant::now(), caches.len());
    while began.elapsed() < lasting {
        ticks.tick().await;
        let cache: &mut ImageCache = &mut caches[sent.len() % places];
        let write = write(house, cache, &entropy);
        let id = write.event.as_ref().map(|event| event.id.to_string()).unwrap_or_default();
        let began = Instant::now();
        anyhow::ensure!(house.store.write_change(&write).await?, "the image cache moved");
        sent.push(Sent { id, began, committed: Instant::now() });
        cache.version += 1;
    }
    Ok(sent)
}

fn write(house: &House, cache: &ImageCache, entropy: &Entropy) -> CacheWrite {
    let now = SystemClock.now();
    let id = EventId::new(now, entropy);
    let event = NewEvent {
        id,
        kind: EventType::Ready,
        dedupe_key: id.to_string(),
        body: body(),
        at: now,
        hand_over: house.gateway.hand_over(),
    };
    CacheWrite { next: cache.clone(), transition: None, event: Some(event), audit: None }
}

/// Half and 99 of 100, in milliseconds. A byte that is there before its commit has returned took no time.
fn delays(sent: &[Sent], arrivals: &HashMap<String, Instant>, from: fn(&Sent) -> Instant) -> anyhow::Result<[f64; 2]> {
    let arrived = |sent: &Sent| arrivals.get(&sent.id).map(|at| at.saturating_duration_since(from(sent)));
    let mut all: Vec<Duration> = sent.iter().filter_map(arrived).collect();
    anyhow::ensure!(all.len() == sent.len(), "{} of {} events arrived", all.len(), sent.len());
    all.sort_unstable();
    let at = |percent: usize| all.get(all.len() * percent / 100).map_or(0.0, |delay| delay.as_secs_f64() * 1_000.0);
    Ok([at(50), at(99)])
}
