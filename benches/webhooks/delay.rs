//! How soon after its commit an event's first byte arrives at the receiver, at 200 events per second: alone, with an
//! endpoint that hangs, and with a dead endpoint for which 100,000 deliveries are queued.

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
use crate::cpu::Cpu;
use crate::figures::{Rounds, load};
use crate::receiver::Receiver;
use crate::testbed::{Testbed, body};

const TEAM: &str = "team-0";
/// Events per second.
const RATE: u64 = 200;
const BACKLOG: i64 = 100_000;

/// The other endpoint besides the healthy one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    None,
    Hanging,
    Dead,
}

const ALL: [(Broken, &str); 3] = [
    (Broken::None, "one endpoint"),
    (Broken::Hanging, "beside one that hangs"),
    (Broken::Dead, "beside 100,000 waiting on a dead one"),
];

/// The results for one of them.
struct Row {
    testbed: Testbed,
    caches: Vec<ImageCache>,
    /// The delays of all rounds: from the commit, and including it.
    all: [Vec<Duration>; 2],
    p99: Rounds,
    /// Compared with the run without a broken endpoint in the same round.
    against: Rounds,
    /// The events per second that were actually written: each after the commit of the previous one.
    rate: Rounds,
    statements: Rounds,
    gateway: Rounds,
    postgres: Rounds,
}

pub(crate) async fn measure(plan: Plan, server: &Server, receiver: &Receiver) -> anyhow::Result<()> {
    println!("\ncommit to first byte at {RATE} events a second (load average at the start: {})", load());
    let mut rows = Vec::new();
    for (broken, _) in ALL {
        rows.push(Row::build(server, receiver, broken).await?);
    }
    for round in 0..plan.rounds {
        let mut p99 = [0.0; 3];
        // The order is rotated.
        for place in (0..3).map(|turn| (round + turn) % 3) {
            p99[place] = rows[place].measure(plan, receiver).await?;
        }
        for (row, own) in rows.iter_mut().zip(p99) {
            row.against.push(own / p99[0]);
        }
    }
    for (row, (_, name)) in rows.iter_mut().zip(ALL) {
        row.print(name);
        row.testbed.close().await;
    }
    Ok(())
}

impl Row {
    async fn build(server: &Server, receiver: &Receiver, broken: Broken) -> anyhow::Result<Self> {
        let testbed = Testbed::build(server, &format!("ecg_bench_{broken:?}").to_lowercase()).await?;
        testbed.caches(TEAM).await?;
        testbed.endpoint(TEAM, &format!("http://{}/healthy", receiver.address)).await?;
        match broken {
            Broken::None => {}
            Broken::Hanging => {
                testbed.endpoint(TEAM, &format!("http://{}/hang", receiver.address)).await?;
            }
            Broken::Dead => {
                let dead = testbed.endpoint(TEAM, "http://127.0.0.1:9/").await?;
                testbed.backlog(&[dead], BACKLOG).await?;
            }
        }
        Ok(Self {
            caches: caches(&testbed).await?,
            testbed,
            all: [Vec::new(), Vec::new()],
            p99: Rounds::default(),
            against: Rounds::default(),
            rate: Rounds::default(),
            statements: Rounds::default(),
            gateway: Rounds::default(),
            postgres: Rounds::default(),
        })
    }

    /// One round; returns the 99th percentile from the commit.
    async fn measure(&mut self, plan: Plan, receiver: &Receiver) -> anyhow::Result<f64> {
        let (stop, gateway) = (CancellationToken::new(), self.testbed.gateway.clone());
        let told = stop.clone();
        let engine = tokio::spawn(async move { gateway.webhooks().deliver_until(&told).await });
        // Until the deliverer holds the team and everything is warm.
        tell(&self.testbed, &mut self.caches, Duration::from_secs(1)).await?;
        let (commits, before) = (self.testbed.commits().await?, Cpu::now());
        let sent = tell(&self.testbed, &mut self.caches, plan.each).await?;
        let cpu = Cpu::now().each_since(before, sent.len());
        let statements = self.testbed.commits().await? - commits - i64::try_from(sent.len())?;
        stop.cancel();
        engine.await??;
        let arrivals = receiver.arrivals();
        let commit = delays(&sent, &arrivals, |sent| sent.committed)?;
        let p99 = percentile(&commit, 99);
        self.p99.push(p99);
        self.all[0].extend(commit);
        self.all[1].extend(delays(&sent, &arrivals, |sent| sent.began)?);
        self.rate.push(f64::from(u32::try_from(sent.len())?) / plan.each.as_secs_f64());
        self.statements.push(f64::from(i32::try_from(statements)?) / f64::from(u32::try_from(sent.len())?));
        self.gateway.push(cpu[0]);
        self.postgres.push(cpu[1]);
        Ok(p99)
    }

    fn print(&mut self, name: &str) {
        for all in &mut self.all {
            all.sort_unstable();
        }
        let [commit, event] = &self.all;
        println!("\n{name}, {} events, {:.0} a second", commit.len(), self.rate);
        println!("  from the commit: p50 {:.2} ms, p99 {:.2} ms", percentile(commit, 50), percentile(commit, 99));
        println!("  with commit:     p50 {:.2} ms, p99 {:.2} ms", percentile(event, 50), percentile(event, 99));
        println!("  p99 of a round {:.2} ms, against the first of the same round {:.2}", self.p99, self.against);
        println!(
            "  statements {:.3}; CPU gateway {:.0} us, PostgreSQL {:.0} us",
            self.statements, self.gateway, self.postgres
        );
    }
}

/// One event: the times before its transaction began and after its commit returned.
struct Sent {
    id: String,
    began: Instant,
    committed: Instant,
}

/// The image caches of the events.
async fn caches(testbed: &Testbed) -> anyhow::Result<Vec<ImageCache>> {
    let team = TEAM.parse()?;
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM image_caches WHERE team = $1").bind(TEAM).fetch_all(&testbed.pool).await?;
    let mut caches = Vec::new();
    for id in ids {
        caches.extend(testbed.store.image_cache(&team, CacheId::from(id)).await?);
    }
    Ok(caches)
}

/// Writes events at the rate for this long, each with a change of an image cache.
async fn tell(testbed: &Testbed, caches: &mut [ImageCache], lasting: Duration) -> anyhow::Result<Vec<Sent>> {
    let entropy = Entropy::from_os();
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sent, began, places) = (Vec::new(), Instant::now(), caches.len());
    while began.elapsed() < lasting {
        ticks.tick().await;
        let cache: &mut ImageCache = &mut caches[sent.len() % places];
        let write = write(testbed, cache, &entropy);
        let id = write.event.as_ref().map(|event| event.id.to_string()).unwrap_or_default();
        let began = Instant::now();
        anyhow::ensure!(testbed.store.write_change(&write).await?, "the image cache moved");
        sent.push(Sent { id, began, committed: Instant::now() });
        cache.version += 1;
    }
    Ok(sent)
}

fn write(testbed: &Testbed, cache: &ImageCache, entropy: &Entropy) -> CacheWrite {
    let now = SystemClock.now();
    let id = EventId::new(now, entropy);
    let event = NewEvent {
        id,
        kind: EventType::Ready,
        dedupe_key: id.to_string(),
        body: body(),
        at: now,
        dispatch: testbed.gateway.base().dispatch(),
    };
    CacheWrite { next: cache.clone(), transition: None, event: Some(event), audit: None }
}

/// A byte that arrives before the commit has returned counts as a delay of zero.
fn delays(
    sent: &[Sent],
    arrivals: &HashMap<String, Instant>,
    from: fn(&Sent) -> Instant,
) -> anyhow::Result<Vec<Duration>> {
    let arrived = |sent: &Sent| arrivals.get(&sent.id).map(|at| at.saturating_duration_since(from(sent)));
    let mut all: Vec<Duration> = sent.iter().filter_map(arrived).collect();
    anyhow::ensure!(all.len() == sent.len(), "{} of {} events arrived", all.len(), sent.len());
    all.sort_unstable();
    Ok(all)
}

/// In milliseconds, from sorted values.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).map_or(0.0, |delay| delay.as_secs_f64() * 1_000.0)
}
