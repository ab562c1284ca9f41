//! The deliverer at work: handover, order, rate limits, rests, warnings, and a second deliverer.
#![cfg(test)]

use eci_cache_gateway::app;
use eci_cache_gateway::app::{Error, Gateway};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::gateway::{Setup, TestGateway};
use crate::support::hook::Hook;

/// A deliverer that runs until it is told to stop.
struct RunningDeliverer {
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl RunningDeliverer {
    fn start(gateway: &Gateway) -> Self {
        let (stop, gateway) = (CancellationToken::new(), gateway.clone());
        let told = stop.clone();
        Self { stop, task: tokio::spawn(async move { gateway.webhooks().deliver_until(&told).await }) }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn deliver(app: &TestGateway) -> usize {
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap()
}

async fn endpoint(app: &TestGateway, hook: &Hook, more: Value) -> String {
    let mut body = json!({"url": hook.url()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.post("/v1/webhook-endpoints", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// Until a query returns `wanted`: what a running deliverer writes.
async fn until(app: &TestGateway, sql: &'static str, wanted: i64) {
    while app.count(sql).await != wanted {
        tokio::task::yield_now().await;
    }
}

const IN_HAND: &str = "SELECT count(*) FROM webhook_deliveries WHERE state = 1";
const WAITING: &str = "SELECT count(*) FROM webhook_deliveries WHERE state = 0";
const DELIVERED: &str = "SELECT count(*) FROM webhook_deliveries WHERE state = 2 AND attempts = 1";

#[tokio::test]
async fn what_is_committed_goes_over_in_memory_once_the_team_is_in_our_hands() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let running = RunningDeliverer::start(&app.gateway);
    // The first one is found in the queue, and with it the team.
    app.created().await;
    hook.wait_for(1).await;
    hook.hold();
    app.created().await;
    // Its own transaction assigned it to us: it was never queued.
    assert_eq!(app.count(WAITING).await, 0);
    hook.wait_for(2).await;
    hook.release();
    until(&app, DELIVERED, 2).await;
    running.stop().await;
    for table in ["webhook_workers", "webhook_holders"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(app.sql()).await.unwrap();
        assert_eq!(left, 0, "{table}: a worker that leaves leaves nothing");
    }
}

#[tokio::test]
async fn two_workers_deliver_each_once_and_keep_the_limits_together() {
    let mut settings = Setup::default().settings;
    (settings.webhook.running_per_endpoint, settings.webhook.running_per_team) = (2, 3);
    let app = TestGateway::with(Setup { settings: settings.clone(), ..Setup::default() }).await;
    let other = app.second_gateway(Setup { settings, ..Setup::default() }).await;
    let hooks = [Hook::start().await, Hook::start().await];
    for hook in &hooks {
        app.endpoint(&hook.url()).await;
        hook.hold();
    }
    for _ in 0..6 {
        app.created().await;
    }
    let workers = [RunningDeliverer::start(&app.gateway), RunningDeliverer::start(&other.gateway)];
    let seen = || hooks.iter().map(|hook| hook.received().len()).sum::<usize>();
    while seen() < 3 {
        tokio::task::yield_now().await;
    }
    until(&app, "SELECT count(DISTINCT lease_token) FROM webhook_deliveries WHERE state = 1", 1).await;
    assert!(hooks.iter().all(|hook| hook.received().len() <= 2) && seen() == 3, "two to each, three for the team");
    hooks.iter().for_each(Hook::release);
    until(&app, DELIVERED, 12).await;
    assert_eq!(seen(), 12, "none twice");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn the_events_of_one_image_cache_come_in_order_where_that_is_asked_for() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    endpoint(&app, &hook, json!({"ordered": true})).await;
    hook.script(&["500 Oops"]);
    let id = app.created().await;
    deliver(&app).await;
    app.until(&id, "ready").await;
    app.drain().await;
    // The second attempt for the first event came before the second event.
    assert_eq!(hook.kinds(), ["image_cache.created", "image_cache.created", "image_cache.ready"]);
    hook.script(&["500 Oops"]);
    let one = app.created().await;
    deliver(&app).await;
    let two = app.created().await;
    deliver(&app).await;
    let about = |place: usize| hook.received()[place].json()["data"]["image_cache"]["id"].clone();
    assert_eq!((about(3), about(4)), (json!(one), json!(two)), "another image cache is not held up");
}

#[tokio::test]
async fn a_rate_holds_through_passes_and_workers() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    endpoint(&app, &hook, json!({"rate_per_second": 2})).await;
    for _ in 0..3 {
        app.created().await;
    }
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(deliver(&app).await, 0, "another pass brings no other rate");
    assert_eq!(
        app.count("SELECT max(attempts)::bigint FROM webhook_deliveries WHERE state = 0").await,
        0,
        "what waits has lost no attempt"
    );
    app.set_clock(app.now() + chrono::Duration::milliseconds(500));
    assert_eq!((deliver(&app).await, hook.received().len()), (1, 2));
    app.advance(10);
    assert_eq!((deliver(&app).await, hook.received().len()), (1, 3));
}

#[tokio::test]
async fn an_endpoint_that_fails_and_fails_is_tried_singly_and_rests() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let id = endpoint(&app, &hook, json!({})).await;
    hook.script(&["500 Oops"; 40]);
    for _ in 0..20 {
        app.created().await;
    }
    deliver(&app).await;
    let shown = app.get(&format!("/v1/webhook-endpoints/{id}")).await.expect(200);
    let failures = shown["consecutive_failures"].as_i64().unwrap();
    assert!((10..18).contains(&failures), "{shown}");
    assert!(shown["resting_until"].as_str().unwrap() >= "2026-03-01T08:00:30Z", "{shown}");
    let before = hook.received().len();
    app.advance(6);
    assert_eq!((deliver(&app).await, hook.received().len()), (0, before), "what is due waits for the end of the rest");
    app.advance(600);
    assert_eq!(deliver(&app).await, 1, "one tries whether it is back; it is not");
}

#[tokio::test]
async fn a_day_of_failures_is_told_and_five_switch_off() {
    let app = TestGateway::start().await;
    let (bad, good) = (Hook::start().await, Hook::start().await);
    let failing = endpoint(&app, &bad, json!({"event_types": ["image_cache.created"]})).await;
    endpoint(&app, &good, json!({"event_types": ["webhook_endpoint.failing", "webhook_endpoint.disabled"]})).await;
    bad.script(&["500 Oops"; 30]);
    app.created().await;
    deliver(&app).await;
    app.advance(86_400);
    deliver(&app).await;
    deliver(&app).await;
    assert_eq!(good.kinds(), ["webhook_endpoint.failing"]);
    for _ in 0..9 {
        app.advance(86_400 / 2 + 3_600);
        app.created().await;
        deliver(&app).await;
        deliver(&app).await;
    }
    let shown = app.get(&format!("/v1/webhook-endpoints/{failing}")).await.expect(200);
    assert_eq!((&shown["disabled"], &shown["disabled_reason"]), (&json!(true), &json!("failing")), "{shown}");
    assert_eq!(good.kinds(), ["webhook_endpoint.failing", "webhook_endpoint.disabled"], "each once");
    let told = &good.received()[1].json()["data"]["webhook_endpoint"];
    assert_eq!((&told["id"], &told["disabled_reason"]), (&json!(failing), &json!("failing")));
    let audited = "SELECT count(*) FROM audit_entries WHERE action = 'disable_webhook_endpoint'";
    assert_eq!(app.count(audited).await, 1);
}

#[tokio::test]
async fn a_worker_frozen_past_its_lease_changes_nothing_when_it_wakes() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    app.created().await;
    hook.hold();
    let frozen = app.second_gateway(Setup::default()).await.gateway.clone();
    let waking = tokio::spawn(async move { frozen.webhooks().deliver(&CancellationToken::new()).await });
    hook.wait_for(1).await;
    // Everybody else considers it dead; another one takes over and is done before it resumes.
    let dead = "UPDATE webhook_workers SET alive_until = clock_timestamp() - interval '1 second'";
    sqlx::query(dead).execute(app.sql()).await.unwrap();
    app.gateway.upkeep().clean().await.unwrap();
    let (sent, ()) = tokio::join!(deliver(&app), async {
        hook.wait_for(2).await;
        hook.script(&["500 Oops", "204 No Content"]);
        hook.release();
    });
    assert_eq!(sent, 1);
    // Its result is one of the two; whatever it is, nothing of it is recorded.
    let _woken = waking.await.unwrap();
    let attempts = "SELECT count(*) FROM delivery_attempts";
    assert_eq!(app.count(attempts).await, 2, "the one that was lost, and the other worker's");
    assert_eq!(app.count(IN_HAND).await, 0);
}

#[tokio::test]
async fn what_was_committed_without_an_answer_is_found_again() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let running = RunningDeliverer::start(&app.gateway);
    app.created().await;
    hook.wait_for(1).await;
    until(&app, DELIVERED, 1).await;
    // As if its handover had been lost: assigned to us in the database, but not in our memory.
    let lost = "UPDATE webhook_deliveries SET state = 1, lease_token = (SELECT worker FROM webhook_workers), \
                leased_at = clock_timestamp() - interval '11 seconds'";
    sqlx::query(lost).execute(app.sql()).await.unwrap();
    hook.wait_for(2).await;
    until(&app, DELIVERED, 1).await;
    running.stop().await;
}

#[tokio::test]
async fn two_hundred_in_flight_end_before_the_process_does_and_none_is_sent_twice() {
    let mut setup = Setup::default();
    (setup.settings.webhook.running_per_endpoint, setup.settings.webhook.running_per_team) = (200, 200);
    setup.settings.webhook_hand_per_endpoint = 250;
    let app = TestGateway::with(setup).await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let first = app.created().await;
    deliver(&app).await;
    let more = "INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
        SELECT gen_random_uuid(), team, type, image_cache, n::text, body, occurred_at FROM events, generate_series(1, 250) AS n";
    sqlx::query(more).execute(app.sql()).await.unwrap();
    let queue = "INSERT INTO webhook_deliveries (team, event, endpoint, next_attempt_at)
        SELECT e.team, e.seq, w.id, e.occurred_at FROM events e, webhook_endpoints w ON CONFLICT DO NOTHING";
    sqlx::query(queue).execute(app.sql()).await.unwrap();
    hook.hold();
    let running = RunningDeliverer::start(&app.gateway);
    hook.wait_for(1 + 200).await;
    running.stop.cancel();
    hook.release();
    running.stop().await;
    assert_eq!(app.count(IN_HAND).await, 0, "{first}");
    let sent = hook.received().len();
    assert_eq!(deliver(&app).await + sent, 251);
    let mut ids: Vec<_> = hook.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 251, "each once");
}

#[tokio::test]
async fn attempts_are_kept_by_the_day_and_forgotten_as_whole_days() {
    let keep_attempts = app::GatewaySettings::default().keep_attempts;
    let settings = app::GatewaySettings { keep_attempts, ..Setup::default().settings };
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    app.gateway.upkeep().clean().await.unwrap();
    let days = "SELECT count(*) FROM pg_class WHERE relname ~ '^delivery_attempts_[0-9]+$' AND relkind = 'r'";
    assert_eq!(app.count(days).await, 3, "today and two to come");
    // They use the database's clock: as if days had passed there.
    let age = "DO $$ DECLARE day date; BEGIN
        FOR age IN 30..31 LOOP
            day := (now() AT TIME ZONE 'UTC')::date - age;
            EXECUTE format('CREATE TABLE %I PARTITION OF delivery_attempts FOR VALUES FROM (%L) TO (%L)',
                'delivery_attempts_' || to_char(day, 'YYYYMMDD'), day || ' 00:00+00', day + 1 || ' 00:00+00');
        END LOOP;
        INSERT INTO delivery_attempts (delivery, number, outcome, at)
            SELECT gen_random_uuid(), 1, 'delivered', now() - age * interval '1 day' FROM generate_series(30, 31) AS age;
    END $$";
    sqlx::raw_sql(age).execute(app.sql()).await.unwrap();
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM delivery_attempts").await, 1, "30 days are kept");
    assert_eq!(app.count(days).await, 4, "and the day that is over is gone as a whole");
}
