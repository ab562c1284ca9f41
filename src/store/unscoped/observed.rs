//! What the tracker observed, many caches at once: the same rows as [`super::super::changes`] writes one by one.
//!
//! One transaction of a few statements, however many caches moved: each row by compare-and-set, then transitions,
//! events, deliveries and audit entries of those that were written. An observation never changes what was asked
//! for, so name, images and spec are not among the columns.

use std::collections::HashSet;

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::ids::CacheId;
use crate::domain::status::Status;
use crate::store::{CacheWrite, Error, Store, audit};

impl Store {
    /// Writes what was observed, and returns which caches were written: the rows of all others have moved on.
    pub async fn write_observed(&self, writes: &[CacheWrite]) -> Result<HashSet<CacheId>, Error> {
        if writes.is_empty() {
            return Ok(HashSet::new());
        }
        let mut transaction = self.workers.begin().await?;
        let written = update_rows(&mut transaction, writes).await?;
        let done: Vec<&CacheWrite> = writes.iter().filter(|write| written.contains(&write.next.id)).collect();
        insert_transitions(&mut transaction, &done).await?;
        insert_events(&mut transaction, &done).await?;
        let entries: Vec<_> = done.iter().filter_map(|write| write.audit.clone()).collect();
        audit::insert(&mut transaction, &entries).await?;
        transaction.commit().await?;
        Ok(written)
    }
}

async fn update_rows(connection: &mut PgConnection, writes: &[CacheWrite]) -> Result<HashSet<CacheId>, Error> {
    let written: Vec<Uuid> = sqlx::query_scalar(
        // Locked in the order of ids: two writers of the same rows wait for each other, and never in a circle.
        "WITH news AS (
             SELECT n.* FROM jsonb_to_recordset($1) AS n (id uuid, team text, version bigint, status text,
                 provider_status text, sequence bigint, container_group_id text, snapshot_id text,
                 flash_snapshot_id text, progress_percent integer, failure jsonb, evidence jsonb, misses integer,
                 updated_at timestamptz, ready_at timestamptz, expires_at timestamptz, last_matched_at timestamptz,
                 provider jsonb)),
         held AS (
             SELECT c.id FROM image_caches c JOIN news n ON c.team = n.team AND c.id = n.id AND c.version = n.version
             ORDER BY c.id FOR UPDATE OF c)
         UPDATE image_caches c SET status = n.status, provider_status = n.provider_status, version = c.version + 1,
             sequence = n.sequence, container_group_id = n.container_group_id, snapshot_id = n.snapshot_id,
             flash_snapshot_id = n.flash_snapshot_id, progress_percent = n.progress_percent, failure = n.failure,
             evidence = n.evidence, misses = n.misses, updated_at = n.updated_at, ready_at = n.ready_at,
             expires_at = n.expires_at, last_matched_at = n.last_matched_at, provider = n.provider
         FROM news n, held WHERE c.id = held.id AND c.team = n.team AND c.id = n.id AND c.version = n.version
         RETURNING c.id",
    )
    .bind(writes.iter().map(row).collect::<Value>())
    .fetch_all(connection)
    .await?;
    Ok(written.into_iter().map(CacheId::from).collect())
}

fn row(write: &CacheWrite) -> Value {
    let next = &write.next;
    json!({
        "id": next.id.uuid().to_string(), "team": next.team.as_str(), "version": next.version, "status": next.status.as_str(),
        "provider_status": next.provider_status, "sequence": next.sequence,
        "container_group_id": next.container_group_id, "snapshot_id": next.snapshot_id,
        "flash_snapshot_id": next.flash_snapshot_id, "progress_percent": next.progress_percent,
        "failure": next.failure, "evidence": next.evidence, "misses": next.misses, "updated_at": next.updated_at,
        "ready_at": next.ready_at, "expires_at": next.expires_at, "last_matched_at": next.last_matched_at,
        "provider": next.provider,
    })
}

async fn insert_transitions(connection: &mut PgConnection, writes: &[&CacheWrite]) -> Result<(), Error> {
    let rows: Value = writes.iter().filter_map(|write| Some((write, write.transition.as_ref()?))).map(|(write, one)| {
        json!({
            "id": one.id.uuid().to_string(), "team": write.next.team.as_str(), "image_cache": one.cache.uuid().to_string(),
            "sequence": one.sequence, "generation": one.generation, "from_status": one.from.map(Status::as_str),
            "to_status": one.to.as_str(), "provider_status": one.provider_status, "reason": one.reason, "at": one.at,
        })
    }).collect();
    sqlx::query(
        "INSERT INTO transitions (id, team, image_cache, sequence, generation, from_status, to_status, provider_status,
             reason, at)
         SELECT id, team, image_cache, sequence, generation, from_status, to_status, provider_status, reason, at
         FROM jsonb_to_recordset($1) AS n (id uuid, team text, image_cache uuid, sequence bigint, generation integer,
             from_status text, to_status text, provider_status text, reason text, at timestamptz)",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// Events, each once, and one delivery for each endpoint that wants it; a disabled endpoint's wait.
async fn insert_events(connection: &mut PgConnection, writes: &[&CacheWrite]) -> Result<(), Error> {
    let rows: Value = writes
        .iter()
        .filter_map(|write| Some((write, write.event.as_ref()?)))
        .map(|(write, event)| {
            json!({
                "id": event.id.uuid().to_string(), "team": write.next.team.as_str(), "type": event.kind.as_str(),
                "image_cache": write.next.id.uuid().to_string(), "dedupe_key": event.dedupe_key, "body": event.body, "at": event.at,
            })
        })
        .collect();
    sqlx::query(
        "WITH told AS (
             INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
             SELECT id, team, type, image_cache, dedupe_key, body, at FROM jsonb_to_recordset($1) AS n (id uuid,
                 team text, type text, image_cache uuid, dedupe_key text, body text, at timestamptz)
             ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq, team, type, occurred_at)
         INSERT INTO webhook_deliveries (team, event, endpoint, next_attempt_at)
         SELECT w.team, told.seq, w.id, told.occurred_at FROM told JOIN webhook_endpoints w ON w.team = told.team
         WHERE NOT w.deleted AND (w.event_types = '{}' OR told.type = ANY (w.event_types))",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}
