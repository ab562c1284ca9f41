//! Clocks that jump: the database's clock is not simply believed, nothing is deleted meanwhile, and what was written by
//! a clock that was ahead blocks nobody. And machines that are suspended, after which the gateway's time is still
//! right.
#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration as Seconds;

use chrono::Duration;
use eci_cache_gateway::app;
use eci_cache_gateway::domain::clock::{Clock, Instant, ManualClock, SteadyClock, SystemClock, Uptime};
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::identity::api_keys::admin;
use crate::support::answer::Answer;
use crate::support::degraded::degraded_in;
use crate::support::gate::Gate;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway, new_cache};
use crate::support::listener::Listener;

/// A gateway with the same kind of clock as `serve`, and that clock.
async fn steady() -> (TestGateway, Arc<SteadyClock>) {
    let start = Setup::default().start;
    let clock = Arc::new(SteadyClock::set_by(Arc::new(ManualClock::at(start))));
    clock.learn(start, Uptime::now());
    let app = TestGateway::with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    (app, clock)
}

async fn create(app: &TestGateway) -> Answer {
    let request = app.request(Method::POST, "/v1/image-caches").json(&new_cache("nginx:1.27"));
    Answer::of(request.header("idempotency-key", "key").header("prefer", "wait=10")).await
}

async fn me(app: &TestGateway, token: &str) -> Answer {
    Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(token)).await
}

async fn readyz(app: &TestGateway) -> Value {
    app.gateway.upkeep().beat("a test").await.unwrap();
    Answer::of(app.bare(Method::GET, "/readyz")).await.expect(200)
}

#[tokio::test]
async fn nothing_is_forgotten_by_a_leap_of_the_databases_clock() {
    let (app, clock) = steady().await;
    let cache = create(&app).await.expect(201);
    let token = app.token("other", &SCOPES);
    admin(&app, Method::POST, "/v1/revocations", Some(&json!({"jti": "token-of-other", "reason": "lost"})))
        .await
        .expect(201);
    assert_eq!(readyz(&app).await["clock"], true);
    for leap in [Duration::days(9), -Duration::seconds(600), Duration::days(4_000)] {
        clock.learn(app.now() + leap, Uptime::now());
        app.gateway.upkeep().clean().await.unwrap();
        let page = readyz(&app).await;
        assert_eq!(page["clock"], false, "it is told");
        assert!(degraded_in(&page)[0].contains("clock leapt by"), "{page}");
        let again = create(&app).await;
        assert_eq!((&again.expect(201)["id"], again.header("idempotent-replayed")), (&cache["id"], "true"));
        me(&app, &token).await.problem(401, "token_revoked");
    }
    clock.learn(clock.now(), Uptime::now());
    assert_eq!(readyz(&app).await["clock"], true);
    app.gateway.upkeep().clean().await.unwrap();
    let again = create(&app).await;
    assert_eq!((&again.expect(201)["id"], again.header("idempotent-replayed")), (&cache["id"], "true"));
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn nothing_is_forgotten_either_by_a_gateway_that_starts_during_a_leap() {
    let (first, _) = steady().await;
    create(&first).await.expect(201);
    let start = Setup::default().start;
    let clock = Arc::new(SteadyClock::set_by(Arc::new(ManualClock::at(start))));
    clock.learn(start + Duration::days(9), Uptime::now());
    let second = first.second_gateway(Setup { clock: Some(clock), ..Setup::default() }).await;
    assert_eq!(readyz(&second).await["clock"], false);
    second.gateway.upkeep().clean().await.unwrap();
    assert_eq!(create(&first).await.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn a_gateway_that_starts_while_the_databases_clock_is_behind_sends_nothing_again() {
    let (first, _) = steady().await;
    first.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": true})).await;
    let cache = create(&first).await.expect(202);
    let made = first.ledger().await["created"].clone();
    // The window has passed, and the cloud has forgotten the token; by the database's clock ten seconds have passed.
    first.forget_tokens().await;
    let machine = Setup::default().start + Duration::seconds(310);
    let clock = Arc::new(SteadyClock::set_by(Arc::new(ManualClock::at(machine))));
    clock.learn(machine - Duration::seconds(300), Uptime::now());
    assert!(!clock.is_sure());
    let second = first.second_gateway(Setup { clock: Some(clock), ..Setup::default() }).await;
    second.drain().await;
    assert_eq!(first.ledger().await["created"], made, "it is looked for");
    let shown = first.get(&format!("/v1/image-caches/{}", cache["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown["eci_cache_id"], made[0]);
}

#[tokio::test]
async fn a_gateway_that_starts_while_the_databases_clock_is_behind_follows_builds_and_says_what_it_cannot_tell() {
    let (first, _) = steady().await;
    create(&first).await.expect(201);
    let (token, machine) = (first.token(TEAM, &SCOPES), Setup::default().start);
    let clock = Arc::new(SteadyClock::set_by(Arc::new(ManualClock::at(machine))));
    clock.learn(machine - Duration::seconds(600), Uptime::now());
    let second = first.second_gateway(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    // By its time, the next read is in ten minutes.
    let away = async || {
        let sql = "SELECT count(*) FROM tracker_groups WHERE due_at > $1";
        sqlx::query_scalar::<_, i64>(sql)
            .bind(clock.now() + Duration::minutes(3))
            .fetch_one(second.sql())
            .await
            .unwrap()
    };
    assert_eq!(away().await, 1);
    second.gateway.upkeep().clean().await.unwrap();
    assert_eq!(away().await, 0, "a look may come early by any clock");
    // The token was created with the other gateway's clock.
    me(&first, &token).await.expect(200);
    assert_eq!(me(&second, &token).await.problem(503, "clock_in_doubt")["retryable"], true);
}

#[tokio::test]
async fn the_clouds_time_tells_whether_the_databases_clock_or_the_machines_is_wrong() {
    let (first, _) = steady().await;
    create(&first).await.expect(201);
    // The time in the stand-in's responses is this machine's.
    let right = SystemClock.now();
    for (told, machine, sure) in [(right - Duration::hours(1), right, false), (right, right - Duration::hours(1), true)]
    {
        let clock = Arc::new(SteadyClock::set_by(Arc::new(ManualClock::at(machine))));
        clock.learn(told, Uptime::now());
        assert!(!clock.is_sure());
        let second = first.second_gateway(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
        assert!(second.gateway.tracker().track().await.unwrap(), "a look is due");
        assert_eq!(clock.is_sure(), sure, "told {told}, machine {machine}");
    }
}

/// As a clock nine days ahead would have written it.
const AHEAD: &str = "
    UPDATE operations SET due_at = due_at + interval '9 days', lease_token = gen_random_uuid(),
        lease_until = clock_timestamp() + interval '9 days';
    UPDATE operations SET last_signed_at = last_signed_at + interval '9 days',
        window_opened_at = window_opened_at + interval '9 days', created_at = created_at + interval '9 days';
    UPDATE image_caches SET updated_at = updated_at + interval '9 days',
        evidence = jsonb_set(evidence, '{accepted_at}', to_jsonb(created_at + interval '9 days'));
    INSERT INTO reconcile_groups (account, region, due_at, list_at, since)
        SELECT account, region, created_at + interval '9 days', created_at + interval '9 days', created_at
        FROM image_caches;
    INSERT INTO tracker_groups (account, region, due_at, lease_token, lease_until)
        SELECT account, region, created_at + interval '9 days', gen_random_uuid(), clock_timestamp() + interval '9 days'
        FROM image_caches;
    INSERT INTO webhook_workers VALUES (gen_random_uuid(), clock_timestamp() + interval '9 days');
    INSERT INTO worker_heartbeats VALUES ('dead', clock_timestamp() + interval '9 days')";

/// Everybody who held a lease is dead: a minute passes in the database.
const A_MINUTE: &str = "
    UPDATE operations SET lease_until = lease_until - interval '61 seconds';
    UPDATE tracker_groups SET lease_until = lease_until - interval '61 seconds';
    UPDATE webhook_workers SET alive_until = alive_until - interval '61 seconds'";

#[tokio::test]
async fn what_a_clock_that_was_ahead_has_written_holds_nobody_up() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": true})).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    app.sql().execute(AHEAD).await.unwrap();
    Answer::of(app.bare(Method::GET, "/readyz")).await.problem(503, "not_ready");
    app.gateway.upkeep().clean().await.unwrap();
    let far = "SELECT (SELECT count(*) FROM operations WHERE lease_until > clock_timestamp() + interval '1 minute')
        + (SELECT count(*) FROM tracker_groups WHERE lease_until > clock_timestamp() + interval '1 minute')
        + (SELECT count(*) FROM webhook_workers WHERE alive_until > clock_timestamp() + interval '1 minute')";
    assert_eq!(app.count(far).await, 0, "no lease is longer than a lease");
    let rows = "SELECT (SELECT count(*) FROM image_caches WHERE updated_at > created_at + interval '1 day'
            OR (evidence ->> 'accepted_at')::timestamptz > created_at + interval '1 day')
        + (SELECT count(*) FROM operations o JOIN image_caches c ON c.id = o.image_cache
            WHERE o.created_at > c.created_at + interval '1 day' OR o.last_signed_at > c.created_at + interval '1 day')";
    assert_eq!(app.count(rows).await, 0, "nor is what happened ahead");
    let held = "SELECT count(*) FROM operations WHERE lease_until > clock_timestamp()";
    assert_eq!(app.count(held).await, 1, "whoever lives keeps it");
    app.sql().execute(A_MINUTE).await.unwrap();
    app.until(cache["id"].as_str().unwrap(), "ready").await;
    assert_eq!(app.creations().await, 1);
    assert!(app.gateway.reconciler().reconcile().await.unwrap(), "the comparison is due");
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM webhook_workers").await, 0);
}

/// The clock of a machine that was suspended for this many seconds, and has not been corrected since.
#[derive(Debug)]
struct Suspended(ManualClock, AtomicU64);

impl Clock for Suspended {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn uptime(&self) -> Uptime {
        Uptime::now() + Seconds::from_secs(self.1.load(Ordering::Relaxed))
    }
}

impl Suspended {
    fn wakes_after(&self, seconds: u64) {
        self.1.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// A gateway on a machine that can be suspended, beside `first`.
async fn on_a_laptop(first: &TestGateway, setup: Setup) -> (TestGateway, Arc<Suspended>, Arc<SteadyClock>) {
    let start = Setup::default().start;
    let machine = Arc::new(Suspended(ManualClock::at(start), AtomicU64::new(0)));
    let clock = Arc::new(SteadyClock::set_by(machine.clone()));
    clock.learn(start, clock.uptime());
    let app = first.second_gateway(Setup { clock: Some(clock.clone()), ..setup }).await;
    (app, machine, clock)
}

#[tokio::test]
async fn after_a_pause_the_time_is_right_at_once_and_nothing_is_believed_that_was_read_before() {
    let first = TestGateway::start().await;
    let (app, machine, clock) = on_a_laptop(&first, Setup::default()).await;
    let token = app.token("other", &SCOPES);
    me(&app, &token).await.expect(200);
    let lost = json!({"jti": "token-of-other", "reason": "lost"});
    admin(&first, Method::POST, "/v1/revocations", Some(&lost)).await.expect(201);
    machine.wakes_after(1_200);
    me(&app, &token).await.problem(401, "token_revoked");
    let right = Setup::default().start + Duration::seconds(1_200);
    assert!(clock.now() >= right && clock.now() < right + Duration::seconds(120), "{}", clock.now());
    let moved = clock.learn(clock.now(), clock.uptime());
    assert!(moved.abs() < Duration::seconds(1) && clock.doubt().is_none(), "{moved}");
    assert_eq!(readyz(&app).await["clock"], true);
}

#[tokio::test]
async fn after_a_pause_nobody_is_told_anything_whose_credential_was_not_looked_at() {
    let first = TestGateway::start().await;
    let settings = app::GatewaySettings { credential_look: Seconds::from_mins(5), ..app::GatewaySettings::default() };
    let (app, machine, _) = on_a_laptop(&first, Setup { settings, ..Setup::default() }).await;
    let token = first.token_of_teams(&[TEAM, "zoo"], &[Scope::Read]);
    let stream = app.bare(Method::GET, "/v1/events/stream").bearer_auth(&token).header("x-team", TEAM);
    let mut listener = Listener::open(stream).await;
    app.waiting(1).await;
    let lost = json!({"jti": "token-of-web-zoo", "reason": "lost"});
    admin(&first, Method::POST, "/v1/revocations", Some(&lost)).await.expect(201);
    machine.wakes_after(1_200);
    first.created().await;
    while let Some(told) = listener.next().await {
        assert_ne!(told.event, "image_cache.created");
    }
}

#[tokio::test]
async fn work_that_was_in_hand_before_a_pause_is_dropped_after_it() {
    let first = TestGateway::start().await;
    let gate = Gate::before(&first.cloud()).await;
    let (app, machine, _) = on_a_laptop(&first, Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let create = app.request(Method::POST, "/v1/image-caches").header("prefer", "wait=0");
    Answer::of(create.json(&new_cache("nginx:1.27"))).await.expect(202);
    gate.answered(1).await;
    machine.wakes_after(3_600);
    gate.open();
    app.gateway.base().drain().await;
    assert_eq!(first.count("SELECT count(*) FROM operation_attempts WHERE finished_at IS NOT NULL").await, 0);
    assert_eq!(first.only_cache().await["status"], "pending", "the answer came to one who may write no more");
}

#[tokio::test]
async fn what_was_signed_before_a_pause_is_not_sent_after_it() {
    let first = TestGateway::start().await;
    let gate = Gate::before(&first.cloud()).await;
    let setup = Setup { cloud: Some(gate.url.clone()), role: Some("caches"), ..Setup::default() };
    let (app, machine, _) = on_a_laptop(&first, setup).await;
    let create = app.request(Method::POST, "/v1/image-caches").header("prefer", "wait=0");
    Answer::of(create.json(&new_cache("nginx:1.27"))).await.expect(202);
    // The attempt is recorded, and waits for the role's credentials.
    gate.answered(1).await;
    // Shorter than a lease, longer than an attempt may be in transit.
    machine.wakes_after(11);
    gate.open();
    app.gateway.base().drain().await;
    assert_eq!(first.count("SELECT count(*) FROM operation_attempts").await, 1);
    assert_eq!(first.creations().await, 0);
}

#[tokio::test]
async fn workers_whose_signs_of_life_go_on_are_not_dead_when_the_databases_clock_leaps() {
    let first = TestGateway::start().await;
    let (app, machine, _) = on_a_laptop(&first, Setup::default()).await;
    readyz(&app).await;
    // As if ten minutes had passed in the database at once: the heartbeat is old, and there is no newer one.
    let old = "UPDATE worker_heartbeats SET beat_at = beat_at - interval '10 minutes'";
    app.sql().execute(old).await.unwrap();
    Answer::of(app.bare(Method::GET, "/readyz")).await.expect(200);
    machine.wakes_after(31);
    Answer::of(app.bare(Method::GET, "/readyz")).await.problem(503, "not_ready");
    readyz(&app).await;
}
