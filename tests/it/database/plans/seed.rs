//! 1,000,000 image caches of 1,000 teams, and some of what belongs to them.
#![cfg(test)]

use sqlx::{AssertSqlSafe, Executor as _};

use crate::support::gateway::{TEAM, TestGateway};

const CACHES: i64 = 1_000_000;
/// The number of rows in each of the other tables.
const OTHERS: i64 = 20_000;
/// The rows of one transaction: other tests are held up by the oldest one of the whole server.
const AT_ONCE: i64 = 50_000;
/// Tables with more rows must never be read whole.
const LARGE: f32 = 10_000.0;

/// The id, team and time of row `n`.
const ID: &str = "('01990000-0000-7000-8000-' || (100000000000 + n))::uuid";
const AT: &str = "timestamptz '2026-01-01' + n * interval '1 second'";

/// Inserts the rows, and updates the planner's statistics.
pub(super) async fn run(app: &TestGateway) {
    let team = format!("CASE n % 1000 WHEN 0 THEN '{TEAM}' ELSE 'team-' || n % 1000 END");
    // Ten times faster than with the indexes; they are recreated afterwards.
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'image_caches'
             AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'image_caches'::regclass)",
    )
    .fetch_all(app.sql())
    .await
    .unwrap();
    for (name, _) in &indexes {
        sql(app, format!("DROP INDEX {name}")).await;
    }
    fill(
        app,
        CACHES,
        &format!(
        "INSERT INTO image_caches (id, team, account, region, name, images, spec, status, generation, version, sequence,
             operation, eci_cache_id, evidence, misses, created_at, updated_at, ready_at, content)
         SELECT {ID}, {team}, 'default', 'cn-seed-' || n % 20, 'web-' || n, ARRAY['nginx:1.' || n],
             jsonb_build_object('name', 'web-' || n, 'region', 'cn-seed-' || n % 20, 'images', ARRAY['nginx:1.' || n],
                 'tags', jsonb_build_object('service', 'web')),
             CASE WHEN n % 53 = 0 THEN 'failed' WHEN n % 51 = 0 THEN 'deleted' ELSE 'ready' END,
             1, 4, 3, {ID}, 'imc-' || n,
             '{{\"build_seen\": true, \"failed_before\": false}}', 0, {AT}, {AT}, {AT}, sha256(n::text::bytea)"
    ),
    )
    .await;
    for (_, definition) in indexes {
        sql(app, definition).await;
    }
    for insert in others(&team) {
        fill(app, OTHERS, &insert).await;
    }
    sql(app, "ANALYZE".to_owned()).await;
}

/// What belongs to the first of them.
fn others(team: &str) -> [String; 4] {
    [
        format!(
            "INSERT INTO operations (id, team, image_cache, kind, state, generation, spec, due_at, subject, request_id,
                 created_at, finished_at)
             SELECT {ID}, {team}, {ID}, 'create', 'succeeded', 1, '{{\"region\": \"cn-beijing\"}}', {AT}, 'alice', 'r-' || n,
                 {AT}, {AT}"
        ),
        format!(
            "INSERT INTO transitions (id, team, image_cache, sequence, generation, to_status, reason, at)
             SELECT {ID}, {team}, {ID}, 1, 1, 'ready', 'observed', {AT}"
        ),
        format!(
            "INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
             SELECT {ID}, 'team-' || n % 1000, 'image_cache.ready', CASE WHEN n % 1000 > 0 THEN {ID} END, 'seed-' || n,
                 '{{}}', {AT}"
        ),
        // Before all others: they are sealed already.
        format!(
            "INSERT INTO audit_entries (id, at, team, subject, door, request_id, action, resource, outcome, parameters, txid,
                 stamp)
             SELECT {ID}, {AT}, {team}, 'alice', 'rest', 'r-' || n, 'get_image_cache', 'ic-' || n, 'succeeded', '{{}}', -1,
                 '\\\\x00'"
        ),
    ]
}

/// The tables and partitions that are large now.
pub(super) async fn large_tables(app: &TestGateway) -> Vec<String> {
    sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE relkind = 'r' AND reltuples > $1")
        .bind(LARGE)
        .fetch_all(app.sql())
        .await
        .unwrap()
}

async fn fill(app: &TestGateway, rows: i64, insert: &str) {
    for first in (0..rows).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let last = (first + AT_ONCE).min(rows) - 1;
        sql(app, format!("{insert} FROM generate_series({first}::bigint, {last}) AS n")).await;
    }
}

async fn sql(app: &TestGateway, sql: String) {
    let said = sql.clone();
    app.sql().execute(AssertSqlSafe(sql)).await.unwrap_or_else(|error| panic!("{said}: {error}"));
}
