//! One sweep over 100,000 unchanged caches: how long the database takes, and that it writes nothing.

use std::time::{Duration, Instant};

use eci_cache_gateway::domain::image_cache::observation::Observation;
use eci_cache_gateway::localpg::Server;
use eci_cache_gateway::store::TrackerGroup;

use crate::REGIONS;
use crate::real::region_of;
use crate::testbed::Testbed;

/// The number of caches in each region.
const EACH: usize = 5_000;
/// Eight pages are compared at a time, as by the tracker.
const TOGETHER: usize = 160;

/// Measures it and prints the results.
pub(crate) async fn run(server: &Server) -> anyhow::Result<()> {
    let testbed = Testbed::build(server).await?;
    sqlx::query(
        "INSERT INTO image_caches (id, team, account, region, name, images, spec, status, provider_status, generation, version,
             sequence, operation, eci_cache_id, snapshot_id, progress_percent, evidence, misses, created_at, updated_at)
         SELECT gen_random_uuid(), 'bench', 'default', 'cn-bench-' || r, 'web', ARRAY['nginx:1'], '{}', 'ready', 'Ready', 1, 4, 3,
             gen_random_uuid(), 'imc-' || n, 's-' || n, 100, '{}', 0, now(), now()
         FROM generate_series(0, $1 - 1) AS r, generate_series(1, $2) AS n",
    )
    .bind(i32::try_from(REGIONS)?)
    .bind(i32::try_from(EACH)?)
    .execute(&testbed.pool)
    .await?;
    sqlx::query("VACUUM ANALYZE image_caches").execute(&testbed.pool).await?;
    let seen: Vec<Observation> = (1..=EACH).map(shown).collect();
    let before = rows(&testbed).await?;
    let busy_before = busy(&testbed).await?;
    let (mut took, mut differing) = (Duration::ZERO, 0);
    for region in 0..REGIONS {
        let group = TrackerGroup { account: "default".into(), region: region_of(region) };
        for pages in seen.chunks(TOGETHER) {
            let pages: Vec<&Observation> = pages.iter().collect();
            let began = Instant::now();
            differing += testbed.store.moved_on(&group, &pages).await?.len();
            took += began.elapsed();
        }
    }
    let busy = busy(&testbed).await? - busy_before;
    let written = if rows(&testbed).await? == before { "no row" } else { "rows" };
    println!(
        "\nA sweep over {} unchanged caches: {busy} ms of the database's processor time, {} ms in all, {differing} rows to write, {written} written",
        REGIONS * EACH,
        took.as_millis(),
    );
    testbed.end().await;
    Ok(())
}

fn shown(number: usize) -> Observation {
    Observation {
        eci_cache_id: format!("imc-{number}"),
        status: "Ready".into(),
        progress_percent: Some(100),
        container_group_id: None,
        snapshot_id: Some(format!("s-{number}")),
        flash_snapshot_id: None,
        created_at: None,
        expires_at: None,
        images: Vec::new(),
        tags: Vec::new(),
        name: "web".into(),
        size_gib: None,
        resource_group_id: None,
        elimination_strategy: None,
        last_matched_at: None,
        raw: serde_json::Value::Null,
        events: Vec::new(),
    }
}

/// Position and writing transaction of every row: if they are the same before and after, no row was written.
async fn rows(testbed: &Testbed) -> anyhow::Result<i64> {
    let sql = "SELECT sum(hashtext(ctid::text || ' ' || xmin::text))::bigint FROM image_caches";
    Ok(sqlx::query_scalar(sql).fetch_one(&testbed.pool).await?)
}

/// CPU time of all connections to this database so far, in milliseconds.
async fn busy(testbed: &Testbed) -> anyhow::Result<u64> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()";
    let pids: Vec<i32> = sqlx::query_scalar(sql).fetch_all(&testbed.pool).await?;
    let of = |pid: &i32| {
        // The first number is the CPU time in nanoseconds.
        let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    Ok(pids.iter().map(of).sum::<u64>() / 1_000_000)
}
