//! What sealing and verifying cost: `cargo test --release --test it audit::figures -- --ignored --nocapture`.
#![cfg(test)]

use std::time::Instant;

use eci_cache_gateway::domain::audit::{Actor, Outcome};
use eci_cache_gateway::domain::caller::{Door, Origin};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::ids::AuditId;
use futures_util::future::join_all;

use super::verified;
use crate::support::gateway::TestGateway;

const ENTRIES: u32 = 100_000;

#[tokio::test]
#[ignore = "prints figures, asserts nothing about them"]
async fn what_a_hundred_thousand_entries_cost() {
    let (app, entropy) = (TestGateway::start().await, Entropy::from_seed(1));
    let store = app.store(false);
    let entry = || {
        let origin = Origin { door: Door::Rest, request_id: "req_1".into(), address: None };
        let mut entry =
            Actor::anonymous(&origin).entry(AuditId::new(app.now(), &entropy), app.now(), "get_me", Outcome::Refused);
        entry.parameters.insert("name".into(), "web".into());
        entry
    };
    let began = Instant::now();
    for _ in 0..ENTRIES / 1_000 {
        join_all((0..1_000).map(|_| store.append_audit(entry()))).await;
    }
    let written = began.elapsed();
    let began = Instant::now();
    app.seal().await;
    let sealed = began.elapsed();
    let began = Instant::now();
    let report = verified(&app.store(true), None).await;
    let verified = began.elapsed();
    assert!(report.is_clean() && report.entries == i64::from(ENTRIES), "{report:?}");
    println!(
        "{ENTRIES} entries: written {:?} each, sealed {:?} each, verified in {verified:?}",
        written / ENTRIES,
        sealed / ENTRIES
    );
}
