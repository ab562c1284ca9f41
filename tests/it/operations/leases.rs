//! Work is leased while it is done: the lease is renewed, and without it the work is dropped.

use std::time::Duration;

use eci_cache_gateway::app;

use crate::support::answer::Answer;
use crate::support::gate::Gate;
use crate::support::gateway::{Setup, TestGateway, new_cache};

/// A gateway with short leases, behind a gate that holds back the cloud's responses.
async fn waiting() -> (TestGateway, Gate, TestGateway) {
    let world = TestGateway::start().await;
    let gate = Gate::before(&world.cloud()).await;
    let mut settings = app::GatewaySettings::default();
    settings.work.lease = Duration::from_secs(3);
    let setup = Setup { cloud: Some(gate.url.clone()), settings, ..Setup::default() };
    let holder = world.second_gateway(setup).await;
    let create = holder.request(reqwest::Method::POST, "/v1/image-caches").header("prefer", "wait=0");
    Answer::of(create.json(&new_cache("nginx:1.27"))).await.expect(202);
    gate.answered(1).await;
    (world, gate, holder)
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_cloud_is_slow() {
    let (world, gate, holder) = waiting().await;
    let until = "SELECT (extract(epoch FROM lease_until) * 1000)::bigint FROM operations";
    let first = world.count(until).await;
    while world.count(until).await <= first {
        tokio::task::yield_now().await;
    }
    gate.open();
    holder.gateway.base().drain().await;
    assert_eq!(world.only_cache().await["status"], "preparing");
}

#[tokio::test]
async fn work_is_dropped_once_its_lease_is_lost() {
    let (world, gate, holder) = waiting().await;
    let sql =
        "UPDATE operations SET lease_token = gen_random_uuid(), lease_until = clock_timestamp() + interval '1 hour'";
    sqlx::query(sql).execute(world.sql()).await.unwrap();
    // Ends although the gate is closed, because the renewal failed.
    holder.gateway.base().drain().await;
    gate.open();
    assert_eq!(world.only_cache().await["status"], "pending", "it is in other hands");
    assert_eq!(world.creations().await, 1);
}
