//! Builds tracked in real time: their number is constant, and each one that has ended is replaced by a new one.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::ids::CacheId;
use eci_cache_gateway::domain::poll::PAGE;
use eci_cache_gateway::domain::poll::bucket::BUCKET_TAG;
use eci_cache_gateway::localpg::Server;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::REGIONS;
use crate::testbed::Testbed;
use crate::virtual_cloud::{CLASS, history, in_midst, length};

/// The duration of the warm-up in seconds.
const WARM_UP: u64 = 30;
/// How many caches are added in one request.
const AT_ONCE: usize = 2_000;

#[derive(Debug, Clone)]
struct Build {
    id: Uuid,
    region: String,
    bucket: String,
    age: f64,
    length: f64,
}

/// The position of a build in the cloud, and when it ends there.
#[derive(Debug, Clone)]
struct Placed {
    region: String,
    eci_cache_id: String,
    ends_at: DateTime<Utc>,
    replaced: bool,
}

/// What one way of polling came to.
pub(crate) struct Measured {
    name: String,
    finished: usize,
    looks: u64,
    naive: f64,
    delays: Vec<f64>,
    busy: f64,
    memory: f64,
    seconds: u64,
}

/// Prints the header of the table.
pub(crate) fn heading() {
    println!(
        "{:<26} {:>9} {:>7} {:>10} {:>7} {:>7} {:>6} {:>7}",
        "builds in motion", "finished", "calls", "every 10 s", "p50 s", "p99 s", "cpu %", "MB"
    );
}

impl Measured {
    /// Prints its row.
    pub(crate) fn print(mut self) {
        self.delays.sort_unstable_by(f64::total_cmp);
        let delay = |percent: usize| self.delays.get(self.delays.len() * percent / 100).copied().unwrap_or_default();
        let count = f64::from(u32::try_from(self.finished.max(1)).unwrap_or(u32::MAX));
        let looks = f64::from(u32::try_from(self.looks).unwrap_or(u32::MAX));
        let seconds = f64::from(u32::try_from(self.seconds.max(1)).unwrap_or(u32::MAX));
        println!(
            "{:<26} {:>9} {:>7.2} {:>10.2} {:>7.1} {:>7.1} {:>6.1} {:>7.0}",
            self.name,
            self.finished,
            looks / count,
            self.naive / count,
            delay(50),
            delay(99),
            self.busy / seconds * 100.0,
            self.memory
        );
    }
}

struct Scene<'a> {
    testbed: &'a Testbed,
    entropy: Entropy,
    placed: HashMap<Uuid, Placed>,
    /// The current bucket of each region, and how many builds are in it.
    open: HashMap<String, (String, usize)>,
    seen: i64,
}

pub(crate) async fn run(server: &Server, builds: usize, settled: usize, seconds: u64) -> anyhow::Result<Measured> {
    let testbed = Testbed::build(server).await?;
    let mut scene = Scene {
        testbed: &testbed,
        entropy: Entropy::from_seed(1),
        placed: HashMap::new(),
        open: HashMap::new(),
        seen: 0,
    };
    eprintln!("{builds} of {} are put there", builds + settled);
    scene.begin(builds, settled).await?;
    let worker = testbed.worker()?;
    for _ in 0..WARM_UP {
        scene.second().await?;
    }
    let (looks, busy) = (testbed.looks().await?, worker.busy()?);
    let mut measured = Measured {
        name: if settled == 0 { builds.to_string() } else { format!("{builds} of {}", builds + settled) },
        finished: 0,
        looks: 0,
        naive: 0.0,
        delays: Vec::new(),
        busy: 0.0,
        memory: 0.0,
        seconds,
    };
    for _ in 0..seconds {
        for (delay, life) in scene.second().await? {
            measured.finished += 1;
            measured.delays.push(delay);
            measured.naive += (life / 10.0).floor() + 1.0;
        }
    }
    measured.looks = testbed.looks().await? - looks;
    measured.busy = worker.busy()? - busy;
    measured.memory = worker.memory()?;
    drop(worker);
    testbed.end().await;
    Ok(measured)
}

impl Scene<'_> {
    async fn begin(&mut self, builds: usize, settled: usize) -> anyhow::Result<()> {
        self.testbed.admin("settings", &json!({"quota": 10_000_000, "creates_per_minute": 10_000_000})).await?;
        for region in 0..REGIONS {
            let counts = history(&self.entropy).to_counts();
            sqlx::query("INSERT INTO build_history (account, region, class, counts) VALUES ('default', $1, $2, $3)")
                .bind(region_of(region))
                .bind(CLASS)
                .bind(counts)
                .execute(&self.testbed.pool)
                .await?;
        }
        let old: Vec<Build> = (0..settled).map(|number| self.build(number, 5_000.0, 100.0)).collect();
        self.put(&old, "ready").await?;
        let mut lives: Vec<(f64, f64)> = (0..builds).map(|_| in_midst(&self.entropy)).collect();
        lives.sort_by(|a, b| b.0.total_cmp(&a.0));
        let young: Vec<Build> =
            lives.into_iter().enumerate().map(|(number, (age, length))| self.build(number, age, length)).collect();
        self.put(&young, "creating").await?;
        sqlx::query("INSERT INTO tracker_groups (account, region, due_at) SELECT DISTINCT account, region, now() FROM image_caches")
            .execute(&self.testbed.pool).await?;
        sqlx::query("VACUUM ANALYZE image_caches").execute(&self.testbed.pool).await?;
        Ok(())
    }

    fn build(&mut self, number: usize, age: f64, length: f64) -> Build {
        let now = SystemClock.now();
        let region = region_of(number % REGIONS);
        let id = CacheId::new(now, &self.entropy).uuid();
        let open = self.open.entry(region.clone()).or_insert_with(|| (String::new(), PAGE));
        if open.1 >= PAGE {
            *open = (format!("{:016x}", id.as_u64_pair().1), 0);
        }
        open.1 += 1;
        Build { id, region, bucket: open.0.clone(), age, length }
    }

    /// Adds builds to the stand-in and their rows to the database.
    async fn put(&mut self, builds: &[Build], status: &str) -> anyhow::Result<()> {
        for builds in builds.chunks(AT_ONCE) {
            let now = SystemClock.now();
            let bulk: Vec<Value> = builds.iter().map(|build| json!({
                "region": build.region, "name": build.id.simple().to_string(), "tags": {BUCKET_TAG: build.bucket},
                "age_seconds": build.age, "build_seconds": build.length,
            })).collect();
            let put = self.testbed.admin("caches", &json!({ "put": bulk })).await?;
            let ids: Vec<String> = serde_json::from_value(put["put"].clone())?;
            self.insert(builds, &ids, status, now).await?;
            if status != "creating" {
                continue;
            }
            for (build, eci_cache_id) in builds.iter().zip(ids) {
                let ends_at = now + seconds(build.length - build.age);
                let placed = Placed { region: build.region.clone(), eci_cache_id, ends_at, replaced: false };
                self.placed.insert(build.id, placed);
            }
        }
        Ok(())
    }

    async fn insert(&self, builds: &[Build], ids: &[String], status: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
        let column = |of: fn(&Build) -> String| builds.iter().map(of).collect::<Vec<_>>();
        let begun: Vec<DateTime<Utc>> = builds.iter().map(|build| now - seconds(build.age)).collect();
        sqlx::query(
            "INSERT INTO image_caches (id, team, account, region, name, images, spec, status, generation, version, sequence,
                 operation, eci_cache_id, evidence, misses, created_at, updated_at, poll_bucket)
             SELECT n.id, 'bench', 'default', n.region, n.name, ARRAY['nginx:1'], jsonb_build_object('name', n.name,
                 'region', n.region, 'images', ARRAY['nginx:1']), $7, 1, 2, 2, n.id, n.imc,
                 '{\"build_seen\": false, \"failed_before\": false}', 0, n.begun, n.begun, n.bucket
             FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
                 AS n (id, region, name, imc, begun, bucket)",
        )
        .bind(builds.iter().map(|build| build.id).collect::<Vec<_>>())
        .bind(column(|build| build.region.clone()))
        .bind(column(|build| build.id.simple().to_string()))
        .bind(ids)
        .bind(begun)
        .bind(column(|build| build.bucket.clone()))
        .bind(status)
        .execute(&self.testbed.pool)
        .await?;
        Ok(())
    }

    /// One second: replaces builds that have ended, and removes those that were reported. Returns delay and duration of
    /// the reported ones.
    async fn second(&mut self) -> anyhow::Result<Vec<(f64, f64)>> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = SystemClock.now();
        let mut ended = 0;
        for one in self.placed.values_mut().filter(|one| !one.replaced && one.ends_at <= now) {
            one.replaced = true;
            ended += 1;
        }
        let start = self.placed.len();
        let lengths: Vec<f64> = (0..ended).map(|_| length(&self.entropy)).collect();
        let new: Vec<Build> =
            lengths.into_iter().enumerate().map(|(number, length)| self.build(start + number, 0.0, length)).collect();
        self.put(&new, "creating").await?;
        let told: Vec<(i64, Uuid, DateTime<Utc>, DateTime<Utc>)> = sqlx::query_as(
            "SELECT e.seq, e.image_cache, e.occurred_at, c.created_at FROM events e JOIN image_caches c ON c.id = e.image_cache
             WHERE e.seq > $1 AND e.type = 'image_cache.ready' AND e.occurred_at < clock_timestamp() - interval '1 s' ORDER BY e.seq",
        ).bind(self.seen).fetch_all(&self.testbed.pool).await?;
        let (mut gone, mut rows, mut figures) = (Vec::new(), Vec::new(), Vec::new());
        for (seq, id, at, begun) in told {
            self.seen = self.seen.max(seq);
            let Some(one) = self.placed.remove(&id) else { continue };
            figures.push(((at - one.ends_at).as_seconds_f64(), (one.ends_at - begun).as_seconds_f64()));
            gone.push((one.region, one.eci_cache_id));
            rows.push(id);
        }
        for gone in gone.chunks(AT_ONCE) {
            self.testbed.remove(gone).await?;
        }
        sqlx::query("UPDATE image_caches SET status = 'deleted' WHERE id = ANY ($1)")
            .bind(rows)
            .execute(&self.testbed.pool)
            .await?;
        Ok(figures)
    }
}

/// The name of a region.
pub(crate) fn region_of(number: usize) -> String {
    format!("cn-bench-{number}")
}

fn seconds(seconds: f64) -> chrono::Duration {
    #[expect(clippy::cast_possible_truncation, reason = "microseconds of hours at the most")]
    let microseconds = (seconds * 1e6) as i64;
    chrono::Duration::microseconds(microseconds)
}
