//! The references: an engine that claims one row per transaction, and a bare client without a database.
//!
//! The first is the usual design: many tasks, each with a claim (`FOR UPDATE SKIP LOCKED LIMIT 1`), a call and a
//! record; claim and record are transactions. It has neither fairness nor limits, and an index of its own so that a
//! claim finds the next row at once. It signs and sends like our engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::webhook::outcome::DeliveryOutcome;
use eci_cache_gateway::webhook::secret::SigningSecret;
use eci_cache_gateway::webhook::sender::{Outgoing, Sender};
use eci_cache_gateway::webhook::sign;
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::testbed::body;

/// The number of tasks of either.
const TASKS: usize = 64;

/// The index that its claims need; our engine would only have to maintain it.
const INDEX: &str = "CREATE INDEX reference_due ON webhook_deliveries (next_attempt_at) WHERE state = 0";

/// Call it before its deliveries are written.
pub(crate) async fn prepare(pool: &PgPool) -> anyhow::Result<()> {
    pool.execute(INDEX).await?;
    Ok(())
}

/// Call it when it is done.
pub(crate) async fn clear(pool: &PgPool) -> anyhow::Result<()> {
    pool.execute("DROP INDEX reference_due").await?;
    Ok(())
}

/// Delivers everything that is queued, row by row; returns the deliveries per second.
pub(crate) async fn row_at_a_time(pool: &PgPool, sender: &Sender) -> anyhow::Result<f64> {
    let (began, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..TASKS {
        let (pool, sender) = (pool.clone(), sender.clone());
        tasks.spawn(async move {
            let mut done = 0_u32;
            while deliver_one(&pool, &sender).await? {
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        done += ended??;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

async fn deliver_one(pool: &PgPool, sender: &Sender) -> anyhow::Result<bool> {
    let claimed: Option<(Uuid, Uuid, String, String)> = sqlx::query_as(
        "WITH c AS (
             UPDATE webhook_deliveries SET state = 1, attempts = attempts + 1, lease_until = clock_timestamp() + interval '1 minute'
             WHERE id = (SELECT id FROM webhook_deliveries WHERE state = 0 AND next_attempt_at <= now()
                 ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, event, endpoint)
         SELECT c.id, e.id, e.body, w.url FROM c JOIN events e ON e.seq = c.event JOIN webhook_endpoints w ON w.id = c.endpoint",
    )
    .fetch_optional(pool)
    .await?;
    let Some((id, event, body, url)) = claimed else { return Ok(false) };
    let attempted = sender.send(message(&url, &event.to_string(), body)).await;
    anyhow::ensure!(attempted.outcome == DeliveryOutcome::Delivered, "{attempted:?}");
    sqlx::query(
        "WITH done AS (
             UPDATE webhook_deliveries SET state = 2, finished_at = now(), lease_until = NULL WHERE id = $1 RETURNING id, attempts)
         INSERT INTO delivery_attempts (delivery, number, outcome, http_status, at) SELECT id, attempts, 'delivered', 204, now() FROM done",
    )
    .bind(id)
    .execute(pool)
    .await?;
    Ok(true)
}

/// Sends `count` messages to `url` as fast as one client can; returns the messages per second.
pub(crate) async fn bare(sender: &Sender, url: &str, count: usize) -> anyhow::Result<f64> {
    let (began, left, mut tasks) = (Instant::now(), Arc::new(AtomicUsize::new(count)), JoinSet::new());
    for _ in 0..TASKS {
        let (sender, url, left) = (sender.clone(), url.to_owned(), Arc::clone(&left));
        tasks.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let attempted = sender.send(message(&url, "evt", body())).await;
                anyhow::ensure!(attempted.outcome == DeliveryOutcome::Delivered, "{attempted:?}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let count = u32::try_from(count)?;
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn message(url: &str, id: &str, body: String) -> Outgoing {
    let secret = SigningSecret::generate(&Entropy::from_seed(1));
    let signed = sign::headers(&[secret], id, SystemClock.now(), &body);
    let mut headers: Vec<(String, String)> = signed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    headers.push(("content-type".into(), "application/json".into()));
    Outgoing { url: url.to_owned(), headers, body, timeout: Duration::from_secs(15) }
}
