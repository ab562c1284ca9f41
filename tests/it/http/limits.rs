//! Rates, counts and queues through the doors: who is turned away, how they are told, and who is not.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::limits::bucket::Rate;
use eci_cache_gateway::domain::limits::queue::Capacity;
use eci_cache_gateway::domain::limits::{Limits, TeamLimits};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::rpc::client::RpcKey;
use crate::support::answer::Answer;
use crate::support::gate::Gate;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway, new_cache};

mod bursts;
mod unknown_credentials;

pub(super) fn setup(change: impl FnOnce(&mut Limits)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.settings.limits);
    setup
}

fn of(app: &TestGateway, team: &str, path: &str) -> RequestBuilder {
    app.bare(Method::GET, path).bearer_auth(app.token(team, &SCOPES))
}

#[tokio::test]
async fn a_team_that_sends_more_than_it_may_is_told_when_to_come_back() {
    let rate = Rate { per_second: 2, burst: 3 };
    let app = TestGateway::with(setup(|limits| limits.team.rate = rate)).await;
    for left in [2, 1, 0] {
        let answer = app.get("/v1/me").await;
        assert_eq!(answer.header("ratelimit-policy"), r#""team";q=3;w=2"#, "{answer:?}");
        assert!(answer.header("ratelimit").starts_with(&format!(r#""team";r={left};t="#)), "{answer:?}");
        answer.expect(200);
    }
    for _ in 0..5 {
        let refused = app.get("/v1/me").await;
        let problem = refused.problem(429, "rate_limited");
        assert_eq!((&problem["retryable"], refused.header("retry-after")), (&json!(true), "1"));
        assert_eq!(refused.header("ratelimit"), r#""team";r=0;t=2"#);
    }
    Answer::of(of(&app, "another", "/v1/me")).await.expect(200);
    app.advance(1);
    app.get("/v1/me").await.expect(200);
    app.get("/v1/me").await.expect(200);
    app.get("/v1/me").await.problem(429, "rate_limited");
    app.gateway.admission().write_turned_away().await;
    let noted = "SELECT sum((parameters->>'count')::bigint)::bigint FROM audit_entries
                 WHERE action = 'turned_away' AND code = 'rate_limited' AND team = 'web' AND http_status = 429";
    assert_eq!(app.count(noted).await, 6);
    assert_eq!(app.count("SELECT count(*) FROM audit_entries WHERE action = 'get_me'").await, 6, "3, 1 and 2");
}

#[tokio::test]
async fn the_clouds_own_door_says_it_in_the_clouds_words() {
    let rate = Rate { per_second: 1, burst: 1 };
    let mut setup = setup(|limits| limits.team.rate = rate);
    // Shorter than the wait that the rate would cause.
    setup.http.rpc_deadline = Duration::from_millis(900);
    let app = TestGateway::with(setup).await;
    let key = RpcKey::new(&app).await;
    app.advance(1);
    let good = key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await;
    assert_eq!(good.header("ratelimit-policy"), r#""team";q=1;w=1"#, "{good:?}");
    good.expect(200);
    let refused = key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await;
    assert_eq!(refused.header("retry-after"), "1");
    let body = refused.expect(400);
    assert_eq!(body["Code"], "Throttling.User");
    assert!(body["Message"].as_str().unwrap().starts_with("Request was denied due to user flow control."), "{body}");
    assert!(body["RequestId"].is_string() && body["HostId"].is_string());
}

#[tokio::test]
async fn what_hangs_at_the_cloud_counts_for_its_team_alone() {
    let app = TestGateway::start().await;
    let gate = Gate::before(&app.cloud()).await;
    let mut limited = setup(|limits| {
        limits.team.running = 2;
        limits.room.running = 1;
    });
    limited.cloud = Some(gate.url.clone());
    let other = app.second_gateway(limited).await;
    let hang = async {
        let create = || other.create("nginx:1.27");
        let (first, second) = tokio::join!(create(), create());
        (first.expect(201), second.expect(201))
    };
    let look = async {
        gate.answered(2).await;
        other.get("/v1/me").await.problem(429, "too_many_requests");
        // The two waiting ones hold no slot, so others can use it.
        Answer::of(of(&other, "another", "/v1/image-caches")).await.expect(200);
        assert_eq!(other.gateway.admission().busy(), (0, 0));
        gate.open();
    };
    tokio::join!(hang, look);
    other.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn who_waits_is_counted_apart() {
    let app = TestGateway::with(setup(|limits| {
        limits.team = TeamLimits { running: 1, waiting: 2, ..limits.team };
        limits.room.running = 1;
    }))
    .await;
    app.created().await;
    let poll = || app.get("/v1/events?wait_seconds=55");
    let cursor = app.end_of_feed().await;
    let path = format!("/v1/events?wait_seconds=55&cursor={cursor}");
    let polls = async {
        tokio::join!(app.get(&path), async {
            app.waiting(1).await;
            app.get(&path).await
        })
    };
    let look = async {
        app.waiting(2).await;
        let refused = app.get(&path).await;
        assert_eq!(refused.header("retry-after"), "5");
        refused.problem(429, "too_many_waiting");
        app.get("/v1/me").await.expect(200);
        app.created().await;
    };
    let ((first, second), ()) = tokio::join!(polls, look);
    first.expect(200);
    second.expect(200);
    poll().await.expect(200);
}

/// Blocks all reads of image caches until this is dropped.
async fn lock(app: &TestGateway) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut lock = app.sql().begin().await.unwrap();
    sqlx::query("LOCK TABLE image_caches IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    lock
}

/// Waits until this many requests are running and this many are queued.
async fn busy(app: &TestGateway, running: usize, queued: usize) {
    while app.gateway.admission().busy() != (running, queued) {
        tokio::task::yield_now().await;
    }
}

fn patient(queue: usize) -> Setup {
    let long = Duration::from_mins(1);
    setup(|limits| limits.room = Capacity { running: 1, lists: 1, queue, max_wait: long, target: long, lately: long })
}

#[tokio::test]
async fn lists_are_turned_away_before_reads_and_reads_before_changes() {
    let app = TestGateway::with(patient(1)).await;
    let id = app.created().await;
    let (read, list) = (format!("/v1/image-caches/{id}"), "/v1/image-caches");
    let locked = lock(&app).await;
    let running = async { app.get(&read).await.expect(200) };
    let queued = async {
        busy(&app, 1, 0).await;
        let shed = app.get(list).await;
        let problem = shed.problem(503, "overloaded");
        assert_eq!((&problem["retryable"], shed.header("retry-after")), (&json!(true), "1"));
        assert!(shed.header("ratelimit").starts_with("\"team\""), "{shed:?}");
    };
    let next = async {
        busy(&app, 1, 1).await;
        // The list makes room for the read, and the read for the change.
        app.get(&read).await.problem(503, "overloaded");
    };
    let change = async {
        while app.count("SELECT 1::bigint").await == 1 && app.gateway.admission().turned_away() < 1 {
            tokio::task::yield_now().await;
        }
        let change = app.create("nginx:2");
        let look = async {
            while app.gateway.admission().turned_away() < 2 {
                tokio::task::yield_now().await;
            }
            app.get(list).await.problem(503, "overloaded");
            assert_eq!(Answer::of(app.bare(Method::GET, "/healthz")).await.status, 200);
            let metrics = app.bare(Method::GET, "/metrics").bearer_auth(app.token("platform", &[Scope::PlatformRead]));
            assert_eq!(Answer::of(metrics).await.status, 200, "it stands in no line");
            locked.rollback().await.unwrap();
        };
        let (created, ()) = tokio::join!(change, look);
        created.expect(201);
    };
    tokio::join!(running, queued, next, change);
}

#[tokio::test]
async fn a_team_that_sends_ten_times_its_share_waits_in_its_own_line() {
    let app = TestGateway::with(patient(100)).await;
    let read = async |team: &'static str| {
        Answer::of(of(&app, team, "/v1/image-caches/ic_00000000000000000000000000")).await.problem(404, "not_found");
    };
    let locked = lock(&app).await;
    let first = read("greedy");
    let greedy = async {
        busy(&app, 1, 0).await;
        join_all((0..10).map(|_| read("greedy"))).await;
    };
    let modest = async {
        busy(&app, 1, 10).await;
        read("modest").await;
    };
    let open = async {
        busy(&app, 1, 11).await;
        locked.rollback().await.unwrap();
    };
    tokio::join!(first, greedy, modest, open);
    // Entries are queued in the order in which the work finished; the responses wait for a common commit.
    let sql = "SELECT team FROM audit_entries WHERE action = 'get_image_cache' ORDER BY seq";
    let order: Vec<String> = sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap();
    let place = order.iter().position(|team| team == "modest").unwrap();
    assert!(
        (1..=3).contains(&place),
        "the one that was running, one or two more of the greedy team's, then this: {order:?}"
    );
}

#[tokio::test]
async fn a_team_that_had_more_than_its_share_of_lists_leaves_half_of_the_places_to_others() {
    let mut setup = patient(100);
    (setup.settings.limits.room.running, setup.settings.limits.room.lists) = (4, 2);
    let app = TestGateway::with(setup).await;
    let list = async |team: &'static str| {
        Answer::of(of(&app, team, "/v1/image-caches")).await.expect(200);
    };
    for _ in 0..20 {
        list("greedy").await;
    }
    list("modest").await;
    let locked = lock(&app).await;
    let another = async {
        busy(&app, 1, 0).await;
        list("greedy").await;
    };
    let modest = async {
        busy(&app, 1, 1).await;
        list("modest").await;
    };
    let open = async {
        busy(&app, 2, 1).await;
        locked.rollback().await.unwrap();
    };
    tokio::join!(list("greedy"), another, modest, open);
}

#[tokio::test]
async fn a_full_house_says_so_at_the_clouds_own_door_too() {
    let app = TestGateway::with(patient(0)).await;
    let id = app.created().await;
    let key = RpcKey::new(&app).await;
    let locked = lock(&app).await;
    let path = format!("/v1/image-caches/{id}");
    let shed = async {
        busy(&app, 1, 0).await;
        let shed = key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await;
        assert_eq!((shed.header("retry-after"), &shed.expect(503)["Code"]), ("1", &json!("ServiceUnavailable")));
        locked.rollback().await.unwrap();
    };
    let (read, ()) = tokio::join!(app.get(&path), shed);
    read.expect(200);
    app.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_flood_without_a_credential_costs_no_entry_each() {
    let rate = Rate { per_second: 1, burst: 5 };
    let app = TestGateway::with(setup(|limits| limits.unauthenticated = rate)).await;
    let bad = || Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth("nonsense"));
    for _ in 0..5 {
        assert_eq!(bad().await.status, 401);
    }
    for _ in 0..20 {
        let refused = bad().await;
        refused.problem(429, "too_many_refused");
        assert_eq!(refused.header("retry-after"), "1");
    }
    Answer::of(app.bare(Method::GET, "/v1/nothing")).await.problem(429, "too_many_refused");
    app.get("/v1/me").await.expect(200);
    assert_eq!(app.count("SELECT count(*) FROM audit_entries WHERE team IS NULL").await, 5);
    app.gateway.admission().write_turned_away().await;
    let noted = "SELECT sum((parameters->>'count')::bigint)::bigint FROM audit_entries
                 WHERE action = 'turned_away' AND team IS NULL AND subject = 'anonymous' AND address IS NOT NULL";
    assert_eq!(app.count(noted).await, 21);
    app.advance(1);
    assert_eq!(bad().await.status, 401);
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_and_a_url_that_is_too_long_are_refused() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut setup = Setup::default();
    setup.http.body_deadline = Duration::from_millis(50);
    setup.http.max_url_bytes = 100;
    let app = TestGateway::with(setup).await;
    let token = app.token(TEAM, &SCOPES);
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /v1/image-caches HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body_timeout"), "{answer}");
    let fits = format!("/v1/me?{}", "a".repeat(93));
    assert_ne!(app.get(&fits).await.status, 414);
    app.get(&format!("{fits}a")).await.problem(414, "url_too_long");
    let rpc = Answer::of(app.bare(Method::GET, &format!("/?{}", "a".repeat(100)))).await;
    assert!(rpc.expect(414)["Code"].is_string());
}

#[tokio::test]
async fn who_sends_its_body_slowly_holds_no_place() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut setup = setup(|limits| limits.room.running = 1);
    setup.http.body_deadline = Duration::from_mins(1);
    let app = TestGateway::with(setup).await;
    let token = app.token(TEAM, &SCOPES);
    let body = new_cache("nginx:1").to_string();
    let head = format!(
        "POST /v1/image-caches HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body.as_bytes()[..1]).await.unwrap();
        slow.push(stream);
    }
    app.get("/v1/image-caches").await.expect(200);
    for mut stream in slow {
        stream.write_all(&body.as_bytes()[1..]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
}
