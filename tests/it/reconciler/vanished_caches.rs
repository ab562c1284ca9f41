//! How a cache vanished.

use super::*;

#[tokio::test]
async fn the_least_recently_used_makes_room_and_is_evicted() {
    let app = TestGateway::start().await;
    app.set_limits(&json!({"quota": 2})).await;
    let lru = ready(&app, &json!({"elimination_strategy": "lru", "images": ["redis:7"]})).await;
    let kept = ready(&app, &json!({})).await;
    compare(&app).await;
    made_outside(&app, "third").await;
    assert_eq!(app.ledger().await["evicted"], json!([imc(&app, &lru).await]));
    app.advance(TURN);
    compare(&app).await;
    assert_eq!(app.cache(&lru).await["status"], "ready", "one look is not enough");
    app.advance(APART);
    compare(&app).await;
    assert_eq!(app.cache(&lru).await["status"], "evicted");
    assert_eq!(last_step(&app, &lru).await, "ready evicted evicted_at_quota");
    let events = events_of(&app, "evicted").await;
    assert_eq!((events.len(), &events[0]["data"]["reason"]), (1, &json!("evicted_at_quota")));
    assert_eq!(events[0]["data"]["image_cache"], app.cache(&lru).await);
    assert_eq!(findings(&app, &lru).await, ["evicted_at_quota"]);
    // Not in any list or count, but still found by its id.
    let left = app.items("/v1/image-caches").await;
    assert_eq!((left.len(), &left[0]["id"]), (1, &json!(kept)));
    assert_eq!(app.items("/v1/image-caches?status=evicted").await.len(), 1);
    assert_eq!(app.get("/v1/usage?region=cn-beijing").await.expect(200)["team_image_caches"], 1);
    let question = json!({"region": "cn-beijing", "images": ["redis:7"]});
    assert_eq!(app.post("/v1/matches", &question).await.expect(200)["winner_id"], Value::Null);
    assert_eq!(app.delete(&format!("/v1/image-caches/{lru}")).await.expect(200)["status"], "evicted");
    turn(&app).await;
    assert_eq!(events_of(&app, "evicted").await.len(), 1);
}

#[tokio::test]
async fn what_somebody_removed_is_lost_and_two_gateways_find_it_once() {
    let app = TestGateway::start().await;
    let second = app.second_gateway(Setup::default()).await;
    let id = ready(&app, &json!({})).await;
    made_outside(&app, "other").await;
    removed_outside(&app, &id).await;
    app.advance(APART);
    // Both read concurrently, several times.
    for _ in 0..4 {
        let (one, other) = tokio::join!(app.gateway.reconciler().reconcile(), second.gateway.reconciler().reconcile());
        assert!(one.is_ok() && other.is_ok());
        app.advance(APART);
    }
    assert_eq!(app.cache(&id).await["status"], "lost");
    assert_eq!(last_step(&app, &id).await, "ready lost deleted_elsewhere");
    let events = events_of(&app, "lost").await;
    assert_eq!((events.len(), &events[0]["data"]["reason"]), (1, &json!("deleted_elsewhere")));
    assert_eq!(findings(&app, &id).await, ["deleted_elsewhere"]);
}

#[tokio::test]
async fn two_that_judge_the_same_row_write_one_finding() {
    let app = TestGateway::start().await;
    let second = app.second_gateway(Setup::default()).await;
    let id = ready(&app, &json!({})).await;
    made_outside(&app, "other").await;
    removed_outside(&app, &id).await;
    app.advance(APART);
    compare(&app).await;
    app.advance(APART);
    // The first holds the group, and is paused before its second read; the other takes the group over.
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "latency", "ms": 300})).await;
    let slow = app.gateway.reconciler().reconcile();
    let fast = async {
        while app.ledger().await["faults_waiting"] != 0 {
            tokio::task::yield_now().await;
        }
        let ended = "UPDATE reconcile_groups SET lease_until = '-infinity' WHERE lease_token IS NOT NULL";
        sqlx::query(ended).execute(app.sql()).await.unwrap();
        second.gateway.reconciler().reconcile().await
    };
    let (slow, fast) = tokio::join!(slow, fast);
    assert!(slow.unwrap() && fast.unwrap());
    assert_eq!(app.cache(&id).await["status"], "lost");
    assert_eq!(events_of(&app, "lost").await.len(), 1);
    assert_eq!(findings(&app, &id).await, ["deleted_elsewhere"]);
}

#[tokio::test]
async fn what_the_cloud_drops_after_a_failure_stays_failed() {
    let app = TestGateway::start().await;
    let id = app.create("example.com/does-not-exist:1").await.expect(201)["id"].as_str().unwrap().to_owned();
    app.until(&id, "failed").await;
    turn(&app).await;
    assert_eq!(findings(&app, &id).await, [] as [&str; 0], "the cloud has it still");
    app.advance(86_400);
    turn(&app).await;
    let cache = app.cache(&id).await;
    assert_eq!(cache["status"], "failed", "not lost");
    assert!(cache["dropped_at"].is_string() && cache["failure"]["message"].is_string(), "{cache}");
    let events = events_of(&app, "dropped").await;
    assert_eq!((events.len(), &events[0]["data"]["reason"]), (1, &json!("dropped_after_failure")));
    assert_eq!(findings(&app, &id).await, ["dropped_after_failure"]);
    let looks = app.ledger().await["calls"]["DescribeImageCaches"].clone();
    turn(&app).await;
    turn(&app).await;
    assert_eq!(findings(&app, &id).await.len(), 1, "once");
    let after = app.ledger().await["calls"]["DescribeImageCaches"].clone();
    assert_eq!(
        after.as_u64().unwrap() - looks.as_u64().unwrap(),
        2,
        "two lists, and no look at what is known to be gone"
    );
}

#[tokio::test]
async fn what_ends_by_itself_is_warned_of_once_and_then_expired() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({"retention_days": 2})).await;
    turn(&app).await;
    assert_eq!(events_of(&app, "expiring").await.len(), 0, "two days are left");
    app.set_clock("2026-03-02T08:00:01Z".parse().unwrap());
    compare(&app).await;
    turn(&app).await;
    let events = events_of(&app, "expiring").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"]["image_cache"]["expires_at"], "2026-03-03T08:00:00Z");
    app.set_clock("2026-03-03T08:00:00Z".parse().unwrap());
    compare(&app).await;
    app.advance(APART);
    compare(&app).await;
    assert_eq!(last_step(&app, &id).await, "ready expired retention_ended");
    assert_eq!(findings(&app, &id).await, ["retention_ended", "retention_ends"]);
    assert_eq!(events_of(&app, "expired").await[0]["data"]["reason"], "retention_ended");
}

#[tokio::test]
async fn an_incomplete_list_proves_nothing() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    for number in 0..20 {
        made_outside(&app, &format!("outside-{number}")).await;
    }
    removed_outside(&app, &id).await;
    app.advance(APART);
    let skip = json!({"action": "DescribeImageCaches", "kind": "latency", "ms": 0});
    let state = "SELECT (SELECT count(*) FROM found_caches) + (SELECT sum(misses) FROM image_caches)::bigint
                 + (SELECT count(*) FROM reconcile_groups WHERE completed_at IS NOT NULL)";
    made_outside(&app, "on-page-two").await;
    for broken in
        [json!({"kind": "error"}), json!({"kind": "reset"}), json!({"kind": "garbage"}), json!({"kind": "throttle"})]
    {
        let mut fault = json!({"action": "DescribeImageCaches", "times": 3});
        fault.as_object_mut().unwrap().extend(broken.as_object().unwrap().clone());
        app.fault(&json!([skip, fault])).await;
        compare_for_long(&app).await;
        assert_eq!(app.ledger().await["faults_waiting"], 0, "{broken}: page two met it");
        assert_eq!(app.count(state).await, 0, "{broken}");
        app.advance(APART);
    }
    compare(&app).await;
    app.advance(APART);
    compare(&app).await;
    assert_eq!(app.cache(&id).await["status"], "lost", "a whole list begins the proof");
    assert_eq!(app.count("SELECT count(*) FROM found_caches WHERE ended_at IS NULL").await, 21);
}

/// As `compare`, while time goes by: who was throttled waits for it.
async fn compare_for_long(app: &TestGateway) {
    let time = async {
        loop {
            app.ledger().await;
            app.advance(1);
        }
    };
    tokio::select! {
        () = compare(app) => {}
        () = time => {}
    }
}

#[tokio::test]
async fn one_fault_of_a_page_is_asked_again_and_costs_no_list() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    for number in 0..21 {
        made_outside(&app, &format!("outside-{number}")).await;
    }
    removed_outside(&app, &id).await;
    app.advance(APART);
    let fault = |kind: &str, times: u32| json!({"action": "DescribeImageCaches", "kind": kind, "times": times});
    let looks = async || app.ledger().await["calls"]["DescribeImageCaches"].as_u64().unwrap();
    let before = looks().await;
    // Each page, and the look at what the list lacks.
    app.fault(&json!([fault("reset", 2), fault("latency", 1), fault("garbage", 1)])).await;
    compare(&app).await;
    assert_eq!((app.ledger().await["faults_waiting"].clone(), looks().await - before), (json!(0), 6));
    assert_eq!(app.count("SELECT sum(misses)::bigint FROM image_caches").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM found_caches").await, 21);

    // What the cloud refuses, it refuses again.
    app.advance(TURN);
    let before = looks().await;
    let refusal = json!({"action": "DescribeImageCaches", "kind": "error", "http": 403, "code": "Forbidden.RAM"});
    app.fault(&refusal).await;
    compare(&app).await;
    assert_eq!(looks().await - before, 1);
}

#[tokio::test]
async fn what_is_only_missing_from_lists_is_not_lost() {
    let app = TestGateway::start().await;
    app.set_limits(&json!({"list_lag_seconds": 3_600})).await;
    let building = app.created().await;
    compare(&app).await;
    let id = ready(&app, &json!({"name": "late"})).await;
    turn(&app).await;
    turn(&app).await;
    for id in [&id, &building] {
        assert_eq!(app.cache(id).await["status"], "ready");
        assert_eq!(findings(&app, id).await, [] as [&str; 0]);
    }
    assert_eq!(app.count("SELECT sum(misses)::bigint FROM image_caches").await, 0, "a look by id finds it");
    assert_eq!(app.count("SELECT count(*) FROM found_caches").await, 0);
}

#[tokio::test]
async fn an_unchanged_account_costs_a_list_and_no_write() {
    let app = TestGateway::start().await;
    ready(&app, &json!({"tags": {"env": "prod"}, "size_gib": 25, "retention_days": 9, "images": ["nginx", "redis:7"]}))
        .await;
    ready(&app, &json!({"elimination_strategy": "lru"})).await;
    turn(&app).await;
    let rows = "SELECT sum(version)::bigint + (SELECT count(*) FROM audit_entries) FROM image_caches";
    let (before, calls) = (app.count(rows).await, app.ledger().await["calls"].clone());
    for _ in 0..3 {
        turn(&app).await;
    }
    assert_eq!(app.count(rows).await, before);
    let after = app.ledger().await["calls"].clone();
    let spent = after["DescribeImageCaches"].as_u64().unwrap() - calls["DescribeImageCaches"].as_u64().unwrap();
    assert_eq!((spent, &after["ListUsage"]), (3, &calls["ListUsage"]));
}

#[tokio::test]
async fn a_use_is_seen_long_after_the_build() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    app.advance(3_600);
    let used = json!({"image_cache_id": imc(&app, &id).await});
    app.used_at_cloud(&used).await;
    compare(&app).await;
    assert!(app.cache(&id).await["last_matched_at"].is_string());
    assert_eq!(findings(&app, &id).await, [] as [&str; 0], "that is no finding");
}
