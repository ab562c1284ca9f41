//! The testbed: a gateway's deliverer on a durable database, with seeded endpoints, image caches and deliveries.

use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::app::{self, Gateway, Parts};
use eci_cache_gateway::assembly::{self, Overrides};
use eci_cache_gateway::crypto::seal::Sealer;
use eci_cache_gateway::domain::clock::{Clock, SystemClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::ids::EndpointId;
use eci_cache_gateway::localpg::Server;
use eci_cache_gateway::store::{PoolSizes, Store};
use eci_cache_gateway::webhook::address::AddressPolicy;
use eci_cache_gateway::webhook::secret::SigningSecret;
use eci_cache_gateway::webhook::sender::{Sender, SenderSettings};
use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor as _, PgPool};

use crate::{cpu, database, parts};

/// The number of image caches of each team.
pub(crate) const CACHES: i64 = 100;

/// Everything that runs during a measurement.
pub(crate) struct Testbed {
    pub(crate) gateway: Gateway,
    pub(crate) store: Store,
    pub(crate) sender: Sender,
    /// For seeding, reading, and the reference engine.
    pub(crate) pool: PgPool,
    options: PgConnectOptions,
    sealer: Sealer,
    entropy: Arc<Entropy>,
}

impl Testbed {
    /// A new database and a gateway on it; the deliverer is not started.
    pub(crate) async fn build(server: &Server, database: &str) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy = Arc::new(Entropy::from_seed(1));
        let options = database::make(server, database).await?;
        let sender = sender(&clock)?;
        let made = parts_of(&options, 1, sender.clone(), clock, Arc::clone(&entropy))?;
        let (store, sealer) = (made.store.clone(), assembly::sealer(&parts::config(parts::NO_CLOUD).keys)?);
        let gateway = Gateway::new(made);
        let pool =
            PgPoolOptions::new().max_connections(8).test_before_acquire(false).connect_with(options.clone()).await?;
        cpu::this_is_a_backend(sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&pool).await?);
        Ok(Self { gateway, store, sender, pool, options, sealer, entropy })
    }

    /// Another gateway on the same database, with `times` as many connections. The deliverer is not started.
    pub(crate) fn neighbour(&self, times: u32) -> anyhow::Result<Gateway> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy = Arc::new(Entropy::from_seed(1 + u64::from(times)));
        Ok(Gateway::new(parts_of(&self.options, times, sender(&clock)?, clock, entropy)?))
    }

    /// Closes the database connections.
    pub(crate) async fn close(&self) {
        self.gateway.close().await;
        self.pool.close().await;
    }

    /// An endpoint of `team` at `url`.
    pub(crate) async fn endpoint(&self, team: &str, url: &str) -> anyhow::Result<EndpointId> {
        let id = EndpointId::new(self.gateway.base().clock().now(), &self.entropy);
        let secret = SigningSecret::generate(&self.entropy).text();
        let context = format!("webhook_secret:{id}");
        let sealed = self.sealer.seal(secret.expose_secret().as_bytes(), &context, &self.entropy);
        sqlx::query(
            "WITH w AS (INSERT INTO webhook_endpoints (id, team, url, event_types, secret, created_at)
                 VALUES ($1, $2, $3, '{}', $4, now()))
             INSERT INTO webhook_endpoint_state (endpoint) VALUES ($1)",
        )
        .bind(id.uuid())
        .bind(team)
        .bind(url)
        .bind(sealed)
        .execute(&self.pool)
        .await?;
        Ok(id)
    }

    /// Ready image caches of `team` for the events.
    pub(crate) async fn caches(&self, team: &str) -> anyhow::Result<()> {
        sqlx::query(
            "INSERT INTO image_caches (id, team, account, region, name, images, spec, status, generation, version, sequence,
                 operation, eci_cache_id, evidence, misses, created_at, updated_at)
             SELECT gen_random_uuid(), $1, 'default', 'cn-beijing', 'web-' || n, ARRAY['nginx:1.27'],
                 jsonb_build_object('name', 'web-' || n, 'region', 'cn-beijing', 'images', ARRAY['nginx:1.27']),
                 'ready', 1, 1, 1, gen_random_uuid(), 'imc-' || $1 || n,
                 jsonb_build_object('build_seen', true, 'failed_before', false), 0, now(), now()
             FROM generate_series(1, $2) AS n",
        )
        .bind(team)
        .bind(CACHES)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// `each` deliveries for each endpoint, already due, each with an event of its own; all others are deleted. Returns
    /// their total number.
    pub(crate) async fn backlog(&self, endpoints: &[EndpointId], each: i64) -> anyhow::Result<usize> {
        self.pool.execute("TRUNCATE delivery_attempts, webhook_deliveries, events CASCADE").await?;
        let deliveries = sqlx::query(
            "WITH told AS (
                 INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
                 SELECT gen_random_uuid(), w.team, 'image_cache.ready', c.id, gen_random_uuid()::text, $3, now()
                 FROM generate_series(1, $2) AS n CROSS JOIN webhook_endpoints w
                     CROSS JOIN LATERAL (SELECT id FROM image_caches c WHERE c.team = w.team LIMIT 1) c
                 WHERE w.id = ANY ($1) RETURNING team, seq),
             targets AS (SELECT id, team, row_number() OVER (PARTITION BY team ORDER BY id) - 1 AS place
                 FROM webhook_endpoints WHERE id = ANY ($1)),
             numbered AS (SELECT team, seq, (row_number() OVER (PARTITION BY team ORDER BY seq) - 1) % all_of AS place
                 FROM told JOIN (SELECT team, count(*) AS all_of FROM targets GROUP BY team) sums USING (team))
             INSERT INTO webhook_deliveries (team, event, endpoint, next_attempt_at)
             SELECT n.team, n.seq, t.id, now() FROM numbered n JOIN targets t USING (team, place)",
        )
        .bind(endpoints.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .bind(each)
        .bind(body())
        .execute(&self.pool)
        .await?;
        self.pool
            .execute("VACUUM ANALYZE webhook_deliveries, events, webhook_endpoints, webhook_endpoint_state")
            .await?;
        // Every measurement starts in the same state, with nothing left to be written.
        self.pool.execute("CHECKPOINT").await?;
        Ok(usize::try_from(deliveries.rows_affected())?)
    }

    /// The number of transactions that this database has committed so far. Each statement of the deliverer is one.
    pub(crate) async fn commits(&self) -> anyhow::Result<i64> {
        // A connection reports its statistics at most a second after its last activity.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?)
    }
}

/// A body of typical size.
pub(crate) fn body() -> String {
    let filler = "x".repeat(900);
    format!(r#"{{"type":"image_cache.ready","timestamp":"2026-03-01T08:00:00Z","data":{{"filler":"{filler}"}}}}"#)
}

fn sender(clock: &Arc<dyn Clock>) -> anyhow::Result<Sender> {
    let policy = AddressPolicy { allow_http: true, allow_loopback: true, ..AddressPolicy::default() };
    Ok(Sender::new(policy, SenderSettings::default(), Arc::clone(clock))?)
}

/// With `times` the default number of connections; no cloud is called.
fn parts_of(
    database: &PgConnectOptions,
    times: u32,
    sender: Sender,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
) -> anyhow::Result<Parts> {
    let sizes = PoolSizes { requests: 6 * times, workers: 4 * times, acquire: Duration::from_secs(5) };
    // Requests that hang are dropped between two measurements.
    let settings =
        app::GatewaySettings { webhook_drain: Duration::from_millis(500), ..app::GatewaySettings::default() };
    let given = Overrides { sender: Some(sender), settings: Some(settings), ..Overrides::default() };
    let ground = parts::ground(database, sizes, clock, entropy);
    assembly::parts(&parts::config(parts::NO_CLOUD), ground, given, &[])
}
