//! Sealing: everything once, whatever the order of commits and the number of gateways; and nothing that no gateway
//! wrote.
#![cfg(test)]

use futures_util::future::join_all;
use reqwest::Method;
use sqlx::Connection as _;

use super::{newest, verified};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

#[tokio::test]
async fn every_entry_becomes_one_leaf() {
    let app = TestGateway::start().await;
    app.created().await;
    app.seal().await;
    let first = newest(&app.store(true)).await;
    app.get("/v1/me").await.expect(200);
    Answer::of(app.bare(Method::GET, "/v1/me")).await.problem(401, "token_missing");
    app.seal().await;
    let second = newest(&app.store(true)).await;
    assert_eq!((second.size, second.previous), (app.count("SELECT count(*) FROM audit_entries").await, first.size));
    assert_eq!(second.size, first.size + 2);
    let report = verified(&app.store(true), Some(first)).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.entries, report.leaves, report.size, report.unsealed), (4, 4, 4, 0));
    // Without new entries there is no new checkpoint.
    app.gateway.audit().seal().await.unwrap();
    assert_eq!(newest(&app.store(true)).await, second);
}

#[tokio::test]
async fn gateways_that_seal_at_once_seal_once() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    for _ in 0..5 {
        join_all((0..8).map(|_| app.get("/v1/me"))).await;
        let (one, two) = tokio::join!(app.gateway.audit().seal(), other.gateway.audit().seal());
        one.unwrap();
        two.unwrap();
    }
    app.seal().await;
    let report = verified(&app.store(true), None).await;
    assert!(report.is_clean() && report.entries == 40, "{report:?}");
}

#[tokio::test]
async fn an_entry_that_commits_late_is_sealed_late_and_not_lost() {
    let app = TestGateway::start().await;
    // An older uncommitted transaction, whose row would come first.
    let mut connection = app.sql().acquire().await.unwrap();
    let mut late = connection.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *late).await.unwrap();
    app.get("/v1/me").await.expect(200);
    app.gateway.audit().seal().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM audit_leaves").await, 0, "an older transaction may still write");
    late.commit().await.unwrap();
    drop(connection);
    app.seal().await;
    assert_eq!(newest(&app.store(true)).await.size, 1);
}

/// A row as the owner of the table could add it, with another row's stamp.
const FORGED: &str =
    "INSERT INTO audit_entries (id, at, team, subject, door, request_id, action, outcome, parameters, stamp)
    SELECT gen_random_uuid(), at, team, 'mallory', door, request_id, action, outcome, parameters, stamp
    FROM audit_entries LIMIT 1 RETURNING id";

#[tokio::test]
async fn a_row_that_no_gateway_wrote_is_never_sealed_and_is_named() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    let forged: uuid::Uuid = sqlx::query_scalar(FORGED).fetch_one(app.sql()).await.unwrap();
    let name = eci_cache_gateway::domain::ids::AuditId::from(forged).to_string();
    let told = "SELECT count(*) FROM audit_entries WHERE action = 'meet_foreign_audit_row' AND outcome = 'refused'";
    while app.count("SELECT count(*) FROM audit_leaves").await < 3 {
        app.gateway.audit().seal().await.unwrap();
        app.get("/v1/me").await.expect(200);
    }
    for _ in 0..3 {
        app.gateway.audit().seal().await.unwrap();
    }
    assert_eq!(app.count(told).await, 1, "it is told once");
    let report = verified(&app.store(true), None).await;
    let named: Vec<_> = report.findings.iter().map(|finding| (finding.kind, finding.entry.clone().unwrap())).collect();
    assert!(named.contains(&("entry_added", name)), "{report:?}");
}

#[tokio::test]
async fn an_entry_that_is_altered_before_it_is_sealed_is_named() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    super::forgery::freely(app.sql(), "UPDATE audit_entries SET subject = 'mallory'").await;
    for _ in 0..3 {
        app.get("/v1/me").await.expect(200);
        app.gateway.audit().seal().await.unwrap();
    }
    while app.count("SELECT count(*) FROM audit_leaves").await < 3 {
        app.gateway.audit().seal().await.unwrap();
    }
    let report = verified(&app.store(true), None).await;
    assert!(report.findings.iter().any(|finding| finding.kind == "entry_added"), "{report:?}");
}

#[tokio::test]
async fn rows_from_before_there_were_stamps_come_first_and_only_then() {
    let app = TestGateway::start().await;
    let before = "INSERT INTO audit_entries (id, at, subject, door, request_id, action, outcome, parameters, txid)
        SELECT gen_random_uuid(), now(), 'old', 'rest', 'r', 'get_me', 'succeeded', '{}', 0 FROM generate_series(1, 5)";
    sqlx::query(before).execute(app.sql()).await.unwrap();
    app.get("/v1/me").await.expect(200);
    app.seal().await;
    let report = verified(&app.store(true), None).await;
    assert!(report.is_clean() && report.entries == 6, "{report:?}");
    sqlx::query(before).execute(app.sql()).await.unwrap();
    app.get("/v1/me").await.expect(200);
    while newest(&app.store(true)).await.size < 7 {
        app.gateway.audit().seal().await.unwrap();
    }
    let report = verified(&app.store(true), None).await;
    assert_eq!(report.findings.iter().filter(|finding| finding.kind == "entry_added").count(), 5, "{report:?}");
}

#[tokio::test]
async fn nothing_is_added_to_a_tree_that_was_altered() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    app.seal().await;
    app.get("/v1/me").await.expect(200);
    super::forgery::freely(app.sql(), "UPDATE audit_leaves SET hash = sha256(hash)").await;
    let refused = app.gateway.audit().seal().await.unwrap_err();
    assert!(std::error::Error::source(&refused).unwrap().to_string().contains("audit verify"), "{refused:?}");
    assert_eq!(app.count("SELECT count(*) FROM audit_checkpoints").await, 1);
}

#[tokio::test]
async fn a_month_that_was_dropped_leaves_its_leaves() {
    let app = TestGateway::start().await;
    app.created().await;
    app.seal().await;
    let store = app.store(true);
    let saved = newest(&store).await;
    // The tests' clock may be in a month without a partition.
    let make = "DO $$ BEGIN
        CREATE TABLE moved AS SELECT * FROM audit_entries;
        SET LOCAL session_replication_role = replica;
        DELETE FROM audit_entries;
        DROP TABLE IF EXISTS audit_entries_2026_03;
        CREATE TABLE audit_entries_2026_03 PARTITION OF audit_entries FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-04-01 00:00:00+00');
        INSERT INTO audit_entries SELECT * FROM moved;
        DROP TABLE moved;
    END $$";
    sqlx::query(make).execute(app.sql()).await.unwrap();
    assert!(verified(&store, Some(saved.clone())).await.is_clean());
    assert!(store.audit_months_before("2026-03-31T00:00:00Z".parse().unwrap()).await.unwrap().is_empty());
    let months = store.audit_months_before("2026-04-01T00:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!((months.len(), months[0].entries), (1, saved.size));
    let origin = eci_cache_gateway::domain::identity::caller::Origin {
        door: eci_cache_gateway::domain::identity::caller::Door::Cli,
        request_id: "drop".into(),
        address: None,
    };
    let actor = eci_cache_gateway::domain::audit::Actor::anonymous(&origin);
    let entropy = eci_cache_gateway::domain::entropy::Entropy::from_seed(3);
    let at = "2026-05-01T00:00:00Z".parse().unwrap();
    let id = eci_cache_gateway::domain::ids::AuditId::new(at, &entropy);
    let entry = actor.entry(id, at, "drop_audit_month", eci_cache_gateway::domain::audit::Outcome::Succeeded);
    store.drop_audit_months(&months, entry).await.unwrap();
    app.seal().await;
    let report = verified(&store, Some(saved.clone())).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.dropped, report.entries), (saved.size, 1));
    // Without the entry that records it, they count as missing.
    super::forgery::freely(app.sql(), "DELETE FROM audit_entries WHERE action = 'drop_audit_month'").await;
    let report = verified(&store, None).await;
    assert_eq!(report.findings.iter().filter(|finding| finding.kind == "entry_missing").count(), 3, "{report:?}");
}
