//! Bursts: who is queued and for how long, and that nobody is turned away because of a short burst.
#![cfg(test)]

use std::time::{Duration, Instant};

use eci_cache_gateway::domain::limits::Limits;
use eci_cache_gateway::domain::limits::bucket::Rate;
use eci_cache_gateway::domain::limits::queue::Capacity;
use futures_util::future::join_all;

use super::{busy, lock, setup};
use crate::rpc::client::RpcKey;
use crate::support::gateway::{Setup, TestGateway};

/// Longer than a busy machine takes.
const LONG: Duration = Duration::from_mins(1);

/// A gateway with the default number of slots, whose callers tolerate a busy machine.
fn calm(change: impl FnOnce(&mut Limits)) -> Setup {
    let mut setup = setup(|limits| {
        limits.room = Capacity { max_wait: LONG, ..Limits::default().room };
        change(limits);
    });
    (setup.http.rpc_deadline, setup.http.audit_deadline) = (LONG, LONG);
    setup
}

#[tokio::test]
async fn what_a_signed_request_reads_waits_for_the_rate_and_what_it_changes_does_not() {
    let rate = Rate { per_second: 20, burst: 1 };
    let mut setup = setup(|limits| limits.team.rate = rate);
    (setup.http.rpc_deadline, setup.http.audit_deadline) = (LONG, LONG);
    let app = TestGateway::with(setup).await;
    app.created().await;
    app.advance(1);
    let key = RpcKey::new(&app).await;
    app.advance(1);
    let began = Instant::now();
    let poll = || key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]);
    for polled in join_all((0..10).map(|_| poll())).await {
        assert_eq!(polled.expect(200)["TotalCount"], 1);
    }
    assert!(began.elapsed() >= Duration::from_millis(9 * 50), "each in its turn");
    app.get("/v1/me").await.problem(429, "rate_limited");
    let change = key.get(&app, "DeleteImageCache", &[("RegionId", "cn-beijing"), ("ImageCacheId", "imc-x")]).await;
    assert_eq!(change.expect(400)["Code"], "Throttling.User");
}

#[tokio::test]
async fn a_burst_of_lists_on_an_idle_gateway_is_served_through_both_doors() {
    let app = TestGateway::with(calm(|_| {})).await;
    app.created().await;
    let key = RpcKey::new(&app).await;
    for count in [9, 50] {
        let list = async |limit: usize| app.get(&format!("/v1/image-caches?limit={limit}")).await;
        let lists = (1..=count).map(list);
        let data_sources = (0..count).map(|_| key.post(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]));
        let (lists, data_sources) = tokio::join!(join_all(lists), join_all(data_sources));
        for answer in lists.into_iter().chain(data_sources) {
            answer.expect(200);
        }
    }
    assert_eq!(app.gateway.admission().turned_away(), 0);
}

#[tokio::test]
async fn whoever_stands_in_line_waits_for_what_is_slow_and_is_not_in_hand() {
    let app = TestGateway::with(calm(|limits| limits.team.running = 10)).await;
    app.created().await;
    let locked = lock(&app).await;
    let lists = join_all((0..20).map(|_| app.get("/v1/image-caches")));
    let open = async {
        // More than the team may have running; the database waits four seconds for a lock.
        while app.gateway.admission().busy().1 <= 10 {
            tokio::task::yield_now().await;
        }
        // This takes far longer than the target wait in an overload.
        tokio::time::sleep(Duration::from_millis(300)).await;
        locked.rollback().await.unwrap();
    };
    for answer in tokio::join!(lists, open).0 {
        answer.expect(200);
    }
}

#[tokio::test]
async fn a_wait_in_line_ends_with_what_its_caller_would_wait() {
    let mut setup = setup(|limits| {
        limits.room = Capacity { running: 1, lists: 1, max_wait: Duration::from_millis(50), ..limits.room };
    });
    setup.http.rpc_deadline = Duration::from_mins(1);
    let app = TestGateway::with(setup).await;
    let id = app.created().await;
    let key = RpcKey::new(&app).await;
    let locked = lock(&app).await;
    let path = format!("/v1/image-caches/{id}");
    let others = async {
        busy(&app, 1, 0).await;
        let signed = key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]);
        let rest = async {
            busy(&app, 1, 1).await;
            app.get("/v1/image-caches").await.problem(503, "overloaded");
            locked.rollback().await.unwrap();
        };
        tokio::join!(signed, rest).0.expect(200);
    };
    tokio::join!(app.get(&path), others).0.expect(200);
}
