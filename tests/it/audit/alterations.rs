//! Random alterations by the tables' owner: each is detected, and what was altered is named.
//!
//! Two hundred here; `ECG_ALTERATIONS=10000 cargo test --release --test it audit::alterations` makes that many,
//! `ECG_SEED` selects another sequence.
#![cfg(test)]

use sqlx::AssertSqlSafe;

use super::forgery::{Alteration, Dice, ForgeryTargets, TABLES, alteration, freely};
use super::{newest, verified};
use crate::support::gateway::TestGateway;

fn number(name: &str, default: u64) -> u64 {
    std::env::var_os(name).and_then(|text| text.to_str()?.parse().ok()).unwrap_or(default)
}

/// A gateway with entries that were sealed in several batches.
async fn sealed() -> TestGateway {
    let app = TestGateway::start().await;
    for round in 0..6 {
        app.created().await;
        for _ in 0..round {
            app.get("/v1/image-caches?name=web").await.expect(200);
        }
        app.get("/v1/image-caches/ic_1").await.problem(404, "not_found");
        app.seal().await;
    }
    for table in TABLES {
        let sql = format!("CREATE TABLE saved_{table} AS SELECT * FROM {table}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(app.sql()).await.unwrap();
    }
    app
}

/// Whether a sentence names it: `leaf 1` is not part of `leaf 12`.
fn names(detail: &str, name: &str) -> bool {
    let ends = |at: usize| !detail[at + name.len()..].starts_with(|next: char| next.is_ascii_digit());
    detail.match_indices(name).any(|(at, _)| ends(at))
}

/// Undoes the alteration.
async fn restore(app: &TestGateway, done: &Alteration) {
    let touched = TABLES.iter().filter(|table| done.sql.contains(**table));
    let sql: Vec<String> =
        touched.map(|table| format!("TRUNCATE {table}; INSERT INTO {table} SELECT * FROM saved_{table}")).collect();
    freely(app.sql(), &sql.join("; ")).await;
}

#[tokio::test]
async fn every_alteration_is_found_and_named() {
    let app = sealed().await;
    let store = app.store(true);
    let (ground, saved) = (ForgeryTargets::of(&store).await, newest(&store).await);
    assert!(verified(&store, Some(saved.clone())).await.is_clean());
    let mut dice = Dice(number("ECG_SEED", 1));
    for number in 0..number("ECG_ALTERATIONS", 200) {
        let done = alteration(&ground, &mut dice);
        freely(app.sql(), &done.sql).await;
        let report = verified(&store, done.saved.then(|| saved.clone())).await;
        assert!(!report.is_clean(), "{number}: not found: {done:?}");
        let told: Vec<&str> = report.findings.iter().map(|finding| finding.detail.as_str()).collect();
        let named = done.names.iter().any(|name| told.iter().any(|detail| names(detail, name)));
        assert!(named, "{number}: not named: {done:?}\n{told:#?}");
        assert!(told.len() <= 12, "{number}: too much is told: {done:?}\n{told:#?}");
        restore(&app, &done).await;
    }
    let report = verified(&store, Some(saved)).await;
    assert!(report.is_clean(), "{report:?}");
}
