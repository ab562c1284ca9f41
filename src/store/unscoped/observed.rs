//! What the tracker observed, many caches at once: the same rows as [`super::super::changes`] writes one by one.
//!
//! One transaction of a few statements, however many caches moved: each row by compare-and-set, then transitions,
//! events, deliveries and audit entries of those that were written. An observation never changes what was asked
//! for, so name, images and spec are not among the columns.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::ids::CacheId;
use crate::domain::status::Status;
use crate::store::changes::is_vanishing;
use crate::store::pool::Connection;
use crate::store::{CacheWrite, Error, Store, audit_insert, handover};

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
        audit_insert::insert(&mut transaction, &self.stamp, &entries).await?;
        transaction.commit().await?;
        for write in done {
            write.committed();
        }
        Ok(written)
    }
}

async fn update_rows(connection: &mut Connection, writes: &[CacheWrite]) -> Result<HashSet<CacheId>, Error> {
    let written: Vec<Uuid> = sqlx::query_scalar(
        // Locked in the order of ids: two writers of the same rows wait for each other, and never in a circle.
        "WITH news AS (
             SELECT n.* FROM jsonb_to_recordset($1) AS n (id uuid, team text, version bigint, status text,
                 provider_status text, sequence bigint, container_group_id text, snapshot_id text,
                 flash_snapshot_id text, progress_percent integer, failure jsonb, evidence jsonb, misses integer,
                 updated_at timestamptz, ready_at timestamptz, expires_at timestamptz, last_matched_at timestamptz,
                 provider jsonb, drift jsonb, expiry_told timestamptz, gone_at timestamptz, vanishes boolean)),
         held AS (
             SELECT c.id FROM image_caches c JOIN news n ON c.team = n.team AND c.id = n.id AND c.version = n.version
             -- While a delete runs whose answer nobody has heard yet, a cache does not vanish by itself.
             WHERE NOT (n.vanishes AND EXISTS (SELECT FROM operations o
                 WHERE o.image_cache = c.id AND o.kind = 'delete' AND o.state IN ('waiting', 'running')))
             ORDER BY c.id FOR UPDATE OF c)
         UPDATE image_caches c SET status = n.status, provider_status = n.provider_status, version = c.version + 1,
             sequence = n.sequence, container_group_id = n.container_group_id, snapshot_id = n.snapshot_id,
             flash_snapshot_id = n.flash_snapshot_id, progress_percent = n.progress_percent, failure = n.failure,
             evidence = n.evidence, misses = n.misses, updated_at = n.updated_at, ready_at = n.ready_at,
             expires_at = n.expires_at, last_matched_at = n.last_matched_at, provider = n.provider,
             drift = n.drift, expiry_told = n.expiry_told, gone_at = n.gone_at
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
        "provider": next.provider, "drift": (!next.reconciled.drift.is_empty()).then_some(&next.reconciled.drift),
        "expiry_told": next.reconciled.expiry_told, "gone_at": next.reconciled.gone_at,
        "vanishes": write.transition.as_ref().is_some_and(is_vanishing),
    })
}

async fn insert_transitions(connection: &mut Connection, writes: &[&CacheWrite]) -> Result<(), Error> {
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

/// Events, each once, and one delivery for each endpoint that wants it. All of them go the way of the first.
async fn insert_events(connection: &mut Connection, writes: &[&CacheWrite]) -> Result<(), Error> {
    let events = writes.iter().filter_map(|write| Some((write, write.event.as_ref()?)));
    let Some((_, first)) = events.clone().next() else { return Ok(()) };
    let rows: Value = events
        .map(|(write, event)| {
            json!({
                "id": event.id.uuid().to_string(), "team": write.next.team.as_str(), "type": event.kind.as_str(),
                "image_cache": write.next.id.uuid().to_string(), "dedupe_key": event.dedupe_key, "body": event.body, "at": event.at,
            })
        })
        .collect();
    let told: Vec<i64> = sqlx::query_scalar(
        "INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
         SELECT id, team, type, image_cache, dedupe_key, body, at FROM jsonb_to_recordset($1) AS n (id uuid,
             team text, type text, image_cache uuid, dedupe_key text, body text, at timestamptz)
         ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq",
    )
    .bind(rows)
    .fetch_all(&mut *connection)
    .await?;
    handover::enqueue(connection, &told, first.at, &first.hand_over).await
}
