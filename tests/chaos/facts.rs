//! The evidence from the database, read as its owner once everything has come to rest.

use std::time::Duration;

use chrono::{DateTime, Utc};
use eci_cache_gateway::domain::ids::{CacheId, EventId, OperationId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::check::Evidence;
use crate::check::evidence::{AuditFact, CacheRow, EventFact, OperationFact, TransitionFact};

/// Connects directly, without a proxy.
pub(crate) async fn connect(url: &str) -> anyhow::Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(30));
    Ok(pool.connect_with(options).await?)
}

/// Descriptions of what is not at rest; empty if everything is. If `healed` is given, each region must have been
/// compared with the cloud since then.
pub(crate) async fn unrest(pool: &PgPool, healed: Option<DateTime<Utc>>) -> anyhow::Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT 'operations ' || state AS what, count(*) FROM operations WHERE state = 'running' GROUP BY 1
         UNION ALL SELECT 'image caches ' || status, count(*) FROM image_caches
             WHERE status IN ('pending', 'preparing', 'creating', 'updating', 'deleting', 'unknown') GROUP BY 1
         UNION ALL SELECT 'answers owed', count(*) FROM owed_answers WHERE state = 'unsent' HAVING count(*) > 0
         UNION ALL SELECT 'creates given up', count(*) FROM operations WHERE abandoned HAVING count(*) > 0
         UNION ALL SELECT 'deliveries in state ' || state, count(*) FROM webhook_deliveries WHERE state IN (0, 1) GROUP BY 1
         UNION ALL SELECT 'regions where too much has vanished', count(*) FROM mass_vanishings HAVING count(*) > 0
         UNION ALL SELECT 'regions not compared since the healing', count(*) FROM reconcile_groups
             WHERE $1 IS NOT NULL AND (completed_at IS NULL OR completed_at < $1) HAVING count(*) > 0",
    )
    .bind(healed);
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.iter().map(|row| format!("{} {}", row.get::<i64, _>(1), row.get::<String, _>(0))).collect())
}

/// Adds the evidence from the database.
pub(crate) async fn gather(pool: &PgPool, evidence: &mut Evidence) -> anyhow::Result<()> {
    let sql = "SELECT id, name, status, generation, eci_cache_id,
                   EXISTS (SELECT FROM owed_answers w WHERE w.image_cache = c.id AND w.state = 'unsent')
                   OR EXISTS (SELECT FROM operations o WHERE o.image_cache = c.id AND o.abandoned) AS untold
               FROM image_caches c";
    evidence.caches = sqlx::query(sql).map(|row| cache(&row)).fetch_all(pool).await?;
    let sql = "SELECT id, image_cache, kind, state, error->>'code' AS code,
                   extract(epoch FROM finished_at - created_at)::float8 AS seconds FROM operations";
    evidence.operations = sqlx::query(sql).map(|row| operation(&row)).fetch_all(pool).await?;
    let sql = "SELECT id, team, type, image_cache, occurred_at,
                   (body::jsonb->'data'->'image_cache'->>'generation')::bigint AS generation
               FROM events WHERE image_cache IS NOT NULL";
    evidence.events = sqlx::query(sql).map(|row| event(&row)).fetch_all(pool).await?;
    let sql = "SELECT image_cache, sequence, from_status, to_status, reason FROM transitions";
    evidence.transitions = sqlx::query(sql).map(|row| transition(&row)).fetch_all(pool).await?;
    let sql = "SELECT DISTINCT request_id FROM audit_entries";
    evidence.audited = sqlx::query_scalar(sql).fetch_all(pool).await?.into_iter().collect();
    let sql = "SELECT operation, action, outcome FROM audit_entries WHERE operation IS NOT NULL";
    evidence.audit = sqlx::query(sql).map(|row| audit(&row)).fetch_all(pool).await?;
    let sql = "SELECT eci_cache_id FROM found_caches WHERE ended_at IS NULL";
    evidence.findings = sqlx::query_scalar(sql).fetch_all(pool).await?.into_iter().collect();
    let sql = "SELECT count(*) FROM webhook_deliveries WHERE state IN (0, 1)";
    evidence.waiting_deliveries = sqlx::query_scalar(sql).fetch_one(pool).await?;
    Ok(())
}

fn id_of(row: &PgRow, column: &str) -> String {
    CacheId::from(row.get::<Uuid, _>(column)).to_string()
}

fn cache(row: &PgRow) -> CacheRow {
    let generation: i32 = row.get("generation");
    CacheRow {
        id: id_of(row, "id"),
        name: row.get("name"),
        status: row.get("status"),
        generation: generation.into(),
        eci_cache_id: row.get("eci_cache_id"),
        untold: row.get("untold"),
    }
}

fn operation(row: &PgRow) -> OperationFact {
    OperationFact {
        id: OperationId::from(row.get::<Uuid, _>("id")).to_string(),
        image_cache: id_of(row, "image_cache"),
        kind: row.get("kind"),
        state: row.get("state"),
        code: row.get("code"),
        seconds: row.get("seconds"),
    }
}

fn audit(row: &PgRow) -> AuditFact {
    AuditFact {
        operation: OperationId::from(row.get::<Uuid, _>("operation")).to_string(),
        action: row.get("action"),
        outcome: row.get("outcome"),
    }
}

fn event(row: &PgRow) -> EventFact {
    EventFact {
        id: EventId::from(row.get::<Uuid, _>("id")).to_string(),
        team: row.get("team"),
        kind: row.get("type"),
        image_cache: id_of(row, "image_cache"),
        generation: row.get("generation"),
        occurred_at: row.get("occurred_at"),
    }
}

fn transition(row: &PgRow) -> TransitionFact {
    TransitionFact {
        image_cache: id_of(row, "image_cache"),
        sequence: row.get("sequence"),
        from: row.get("from_status"),
        to: row.get("to_status"),
        reason: row.get("reason"),
    }
}
