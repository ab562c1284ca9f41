//! Sessions that are terminated, and read-only sessions, on a server that keeps running.

use std::pin::pin;
use std::time::Duration;

use eci_cache_gateway::store::{PoolSizes, Store};
use futures_util::poll;
use reqwest::Method;
use serde_json::json;
use sqlx::postgres::PgSslMode;
use sqlx::{AssertSqlSafe, postgres::PgConnectOptions};

use crate::chaos::proxy::{FaultProxy, ProxyTarget, Sky};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway, new_cache, stamp};

/// Terminates all sessions of the gateways; returns their number.
async fn end_sessions(app: &TestGateway) -> i64 {
    app.count(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = 'eci_runtime'",
    )
    .await
}

#[tokio::test]
async fn nobody_is_told_of_sessions_that_were_ended() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    for round in 0..8 {
        let ended = end_sessions(&app).await;
        assert!(ended > 0, "there were some");
        let cache = app.cache(&id).await;
        let list = app.items("/v1/image-caches").await;
        assert!(cache["id"] == id && list.len() > round, "{list:?}");
        end_sessions(&app).await;
        let created = app.create(&format!("nginx:1.{round}")).await.expect(201);
        end_sessions(&app).await;
        let deleted = app.delete(&format!("/v1/image-caches/{}", created["id"].as_str().unwrap())).await;
        assert!(deleted.status < 300, "{deleted:?}");
        end_sessions(&app).await;
        let ensure = app.request(Method::POST, "/v1/image-caches/ensure").json(&new_cache("busybox:1"));
        let ensured = ensure.send().await.unwrap();
        assert!(ensured.status().as_u16() < 500, "{ensured:?}");
        end_sessions(&app).await;
        app.get("/readyz").await.expect(503)["detail"].as_str().filter(|words| words.ends_with("workers")).unwrap();
    }
    let audited = "SELECT count(*) - count(DISTINCT id) FROM audit_entries";
    assert_eq!(app.count(audited).await, 0, "no entry is there twice");
}

#[tokio::test]
async fn a_database_that_was_set_read_only_is_told_of_and_found_again() {
    let app = TestGateway::start().await;
    // The default: a busy machine needs time to connect.
    let acquire = Duration::from_secs(5);
    let sizes = PoolSizes { requests: 6, workers: 4, acquire };
    let other = app.second_gateway(Setup { sizes, ..Setup::default() }).await;
    let id = other.created().await;
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(app.sql()).await.unwrap();
    // Existing sessions can still write: the setting only applies to new ones.
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    sqlx::query(AssertSqlSafe(set)).execute(app.sql()).await.unwrap();
    end_sessions(&app).await;
    let told = other.get("/readyz").await.expect(503);
    assert!(told["detail"].as_str().unwrap().contains("default_transaction_read_only is on"), "{told}");
    let refused = other.create("nginx:1.28").await.expect(503);
    assert!(["database_unavailable", "audit_unavailable"].contains(&refused["code"].as_str().unwrap()), "{refused}");
    let reset = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    sqlx::query(AssertSqlSafe(reset)).execute(app.sql()).await.unwrap();
    other.create("nginx:1.28").await.expect(201);
    assert_eq!(other.cache(&id).await["id"], id);
}

/// The number of sessions that are idle in a transaction.
const OPEN: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'eci_runtime' AND state LIKE 'idle in transaction%'";

#[tokio::test]
async fn who_leaves_while_a_transaction_begins_leaves_none_behind() {
    let app = TestGateway::start().await;
    let own = app.runtime_database();
    let socket = own.get_socket().unwrap().join(format!(".s.PGSQL.{}", own.get_port()));
    let proxy = FaultProxy::before(ProxyTarget::Postgres(socket)).await;
    let way = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(proxy.address.port());
    let way = way.username(own.get_username()).database(own.get_database().unwrap()).ssl_mode(PgSslMode::Disable);
    let sizes = PoolSizes { requests: 1, workers: 1, acquire: Duration::from_mins(1) };
    let store = Store::open(&way, sizes, stamp());
    for _ in 0..20 {
        // By then, the workers' only connection exists, has just been used, and is back in its pool.
        store.now().await.unwrap();
        assert_eq!(app.count(OPEN).await, 0);
        proxy.set(Sky { silent: true, ..Sky::default() });
        {
            let mut begins = pin!(store.audit_view());
            for _ in 0..3 {
                assert!(poll!(&mut begins).is_pending());
                tokio::task::yield_now().await;
            }
        }
        proxy.set(Sky::default());
        store.now().await.unwrap();
        assert_eq!(app.count(OPEN).await, 0, "the next one does not write into it");
    }
    store.close().await;
}

#[tokio::test]
async fn a_client_that_leaves_costs_the_others_nothing() {
    let app = TestGateway::start().await;
    let sizes = PoolSizes { requests: 1, workers: 1, acquire: Duration::from_mins(1) };
    let other = app.second_gateway(Setup { sizes, ..Setup::default() }).await;
    for tenths in 0..40 {
        let endpoint = json!({"url": format!("http://127.0.0.1:9/{tenths}"), "skip_challenge": true});
        let request = Answer::of(other.request(Method::POST, "/v1/webhook-endpoints").json(&endpoint));
        // Wherever it is at that time.
        drop(tokio::time::timeout(Duration::from_micros(tenths * 250), request).await);
    }
    other.created().await;
    assert_eq!(other.items("/v1/image-caches").await.len(), 1);
    while app.count(OPEN).await > 0 {
        tokio::task::yield_now().await;
    }
}
