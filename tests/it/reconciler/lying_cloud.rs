//! A cloud that returns wrong data: for a while it shows nothing, or another account; it acknowledges deletes without
//! carrying them out.

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;

use super::*;
use crate::support::answer::Answer;
use crate::support::degraded::degraded;
use crate::support::gateway::TEAM;
use crate::support::setup::{NOWHERE, SECOND};

/// A gateway on the same database with the key of another account, and without access to STS: the account contains
/// nothing of ours.
async fn elsewhere(app: &TestGateway) -> TestGateway {
    app.second_gateway(Setup { key: SECOND, sts: Some(NOWHERE.into()), ..Setup::default() }).await
}

async fn status(app: &TestGateway, id: &str) -> String {
    app.cache(id).await["status"].as_str().unwrap().to_owned()
}

/// Requests an adoption as an administrator; returns why it is refused, or the id of the cache.
async fn adopt(app: &TestGateway, imc: &str) -> String {
    let order = json!({"region": "cn-beijing", "eci_cache_id": imc});
    let request = app.bare(Method::POST, "/v1/image-caches/adopt").bearer_auth(app.token(TEAM, &Scope::PLATFORM));
    let answer = Answer::of(request.json(&order)).await.expect(200);
    let text = |list: &str, name: &str| answer[list][0][name].as_str().map(str::to_owned);
    text("skipped", "reason").or_else(|| text("adopted", "image_cache_id")).unwrap()
}

async fn remove(app: &TestGateway, id: &str) -> Value {
    app.delete(&format!("/v1/image-caches/{id}")).await.expect(200)
}

#[tokio::test]
async fn what_vanishes_all_at_once_is_an_alarm_and_no_fact() {
    let app = TestGateway::start().await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(ready(&app, &json!({"name": format!("web-{number}")})).await);
    }
    turn(&app).await;
    let building = app.created().await;
    let other = elsewhere(&app).await;
    for _ in 0..3 {
        app.advance(TURN);
        other.drain().await;
        compare(&other).await;
        app.advance(APART);
        other.drain().await;
        compare(&other).await;
    }
    for id in &ids {
        assert_eq!(status(&app, id).await, "ready");
    }
    assert_eq!(status(&app, &building).await, "preparing");
    assert_eq!(events_of(&app, "lost").await.len(), 0);
    let told = degraded(&app).await;
    assert_eq!(told.len(), 1, "{told:?}");
    for part in ["default", "5 of the 5", "accept-vanished --account default --region cn-beijing"] {
        assert!(told[0].contains(part), "{told:?}");
    }

    // A delete in the meantime is not believed either.
    assert_eq!(remove(&other, &ids[0]).await["status"], "deleting");
    for _ in 0..3 {
        app.advance(30);
        other.drain().await;
    }
    assert_eq!(status(&app, &ids[0]).await, "deleting");
    assert_eq!(app.ledger().await["deleted"], json!([]));

    // The right cloud again: it recovers by itself.
    app.advance(APART);
    compare(&app).await;
    assert_eq!(degraded(&app).await, [] as [&str; 0]);
    app.until(&building, "ready").await;
    assert_eq!(status(&app, &ids[1]).await, "ready");
    app.advance(301);
    app.drain().await;
    app.gateway.upkeep().clean().await.unwrap();
    app.until(&ids[0], "deleted").await;
    assert_eq!(app.ledger().await["deleted"], json!([imc(&app, &ids[0]).await]));
    for action in ["note_mass_vanishing", "end_mass_vanishing"] {
        let sql = "SELECT count(*) FROM audit_entries WHERE team IS NULL AND action = $1";
        let count: i64 = sqlx::query_scalar(sql).bind(action).fetch_one(app.sql()).await.unwrap();
        assert_eq!(count, 1, "{action}");
    }
}

#[tokio::test]
async fn one_build_alone_is_not_lost_because_nothing_is_shown() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let other = elsewhere(&app).await;
    for _ in 0..20 {
        app.advance(10);
        other.drain().await;
    }
    assert_eq!(status(&app, &id).await, "preparing");
    app.until(&id, "preparing").await;
    compare(&app).await;
    app.until(&id, "ready").await;
}

#[tokio::test]
async fn the_only_one_is_gone_once_that_has_lasted() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({"name": "only"})).await;
    removed_outside(&app, &id).await;
    turn(&app).await;
    turn(&app).await;
    assert_eq!(status(&app, &id).await, "ready");
    let told = degraded(&app).await;
    assert!(told.len() == 1 && told[0].contains("or it lasts until "), "{told:?}");
    app.advance(3_600);
    for _ in 0..3 {
        turn(&app).await;
    }
    assert_eq!(last_step(&app, &id).await, "ready lost deleted_elsewhere");
    turn(&app).await;
    assert_eq!(degraded(&app).await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_had_ended_and_is_shown_again_goes_on_under_its_id() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({"name": "back"})).await;
    let gone = "UPDATE image_caches SET status = 'lost', version = version + 1 WHERE name = 'back'";
    sqlx::query(gone).execute(app.sql()).await.unwrap();
    turn(&app).await;
    assert_eq!(status(&app, &id).await, "ready");
    assert_eq!(last_step(&app, &id).await, "lost ready shown_again");
    assert_eq!(findings(&app, &id).await, ["shown_again"]);
    let events = events_of(&app, "revived").await;
    assert_eq!((events.len(), &events[0]["data"]["image_cache"]["id"]), (1, &json!(id)));
    turn(&app).await;
    assert_eq!(events_of(&app, "revived").await.len(), 1, "once");

    // It is really lost, and that is reported too.
    made_outside(&app, "other").await;
    removed_outside(&app, &id).await;
    turn(&app).await;
    turn(&app).await;
    assert_eq!(last_step(&app, &id).await, "ready lost deleted_elsewhere");
}

#[tokio::test]
async fn nobody_meets_a_manager_of_what_nobody_manages() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({"name": "back"})).await;
    let imc = imc(&app, &id).await;
    assert_eq!(adopt(&app, &imc).await, "already_managed");
    let gone = "UPDATE image_caches SET status = 'expired', version = version + 1 WHERE name = 'back'";
    sqlx::query(gone).execute(app.sql()).await.unwrap();
    app.advance(APART);
    assert_eq!(adopt(&app, &imc).await, "revived");
    assert_eq!(last_step(&app, &id).await, "expired ready shown_again");
    assert_eq!(adopt(&app, &imc).await, "already_managed");
}

#[tokio::test]
async fn a_delete_that_the_cloud_knew_nothing_of_is_sent_once_it_shows_the_cache() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    let other = elsewhere(&app).await;
    assert_eq!(remove(&other, &id).await["status"], "deleting");
    other.until(&id, "deleted").await;
    assert_eq!(app.ledger().await["deleted"], json!([]), "the cloud has it");
    turn(&app).await;
    assert_eq!(last_step(&app, &id).await, "deleted deleting shown_again");
    app.advance(301);
    app.drain().await;
    app.gateway.upkeep().clean().await.unwrap();
    app.until(&id, "deleted").await;
    assert_eq!(app.ledger().await["deleted"], json!([imc(&app, &id).await]));
    assert_eq!(events_of(&app, "deleted").await.len(), 2, "each end is told");
}

#[tokio::test]
async fn a_delete_that_is_accepted_and_not_carried_out_is_sent_again() {
    let app = TestGateway::start().await;
    let unheeded =
        json!({"action": "DeleteImageCache", "kind": "status", "http": 200, "body": "{\"RequestId\":\"r\"}"});
    let (one, two) = (ready(&app, &json!({})).await, ready(&app, &json!({"name": "two"})).await);
    for id in [&one, &two] {
        app.fault(&unheeded).await;
        assert_eq!(remove(&app, id).await["status"], "deleting");
    }
    let calls = async || app.ledger().await["calls"]["DeleteImageCache"].clone();
    assert_eq!(remove(&app, &one).await["status"], "deleting");
    assert_eq!(calls().await, 2, "asking twice in a moment sends nothing");
    app.advance(APART);
    app.drain().await;
    assert_eq!((status(&app, &one).await, app.ledger().await["deleted"].clone()), ("deleting".into(), json!([])));

    // A repeated request is accepted.
    assert_eq!(remove(&app, &one).await["status"], "deleting");
    assert_eq!(app.ledger().await["deleted"], json!([imc(&app, &one).await]));
    app.until(&one, "deleted").await;
    // No request is needed.
    app.gateway.upkeep().clean().await.unwrap();
    app.drain().await;
    assert_eq!(calls().await, 3, "the cloud has its time");
    app.advance(301);
    app.drain().await;
    app.gateway.upkeep().clean().await.unwrap();
    app.until(&two, "deleted").await;
    assert_eq!(calls().await, 4);
    let entries = app.items(&format!("/v1/audit-entries?resource={two}&action=delete_image_cache")).await;
    assert!(entries.iter().any(|entry| entry["parameters"]["reason"] == "not_carried_out"), "{entries:?}");
}

#[tokio::test]
async fn a_new_cache_may_be_missing_for_as_long_as_the_setting_says() {
    let mut setup = Setup::default();
    setup.settings.rule.list_lag = chrono::Duration::seconds(300);
    let app = TestGateway::with(setup).await;
    let id = app.created().await;
    let hidden = json!({"action": "DescribeImageCaches", "kind": "left_out", "times": 900});
    app.fault(&hidden).await;
    for _ in 0..14 {
        app.advance(20);
        app.drain().await;
    }
    assert_eq!(status(&app, &id).await, "preparing");
    assert_eq!(app.count("SELECT sum(misses)::bigint FROM image_caches").await, 0);
    app.forget_faults().await;
    app.until(&id, "ready").await;
}

#[tokio::test]
async fn what_is_ready_here_and_failed_at_the_cloud_is_a_drift_and_shuts_the_gate() {
    const GATE: &str = "/v1/gate?region=cn-beijing&image=nginx:1.27";
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    app.get(GATE).await.expect(200);
    app.advance(TURN);
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "word", "id": "Failed"})).await;
    compare(&app).await;
    assert_eq!(app.cache(&id).await["drift"], Value::Null, "the look by its id shows that it is ready");
    app.get(GATE).await.expect(200);
    app.advance(TURN);
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "word", "id": "Failed", "times": 2})).await;
    compare(&app).await;
    let cache = app.cache(&id).await;
    assert_eq!(cache["drift"], json!([{"field": "status", "expected": ["ready"], "seen": ["failed"]}]));
    assert_eq!((&cache["status"], &cache["provider_status"]), (&json!("ready"), &json!("Failed")));
    let problem = app.get(GATE).await.problem(409, "image_cache_failed");
    assert_eq!(problem["image_cache_id"], json!(id));
    assert!(problem["detail"].as_str().unwrap().contains("shows it as Failed"), "{problem}");
    turn(&app).await;
    assert_eq!(app.cache(&id).await["drift"], Value::Null);
    assert_eq!(events_of(&app, "drift_resolved").await.len(), 1);
    app.get(GATE).await.expect(200);
}

#[tokio::test]
async fn a_build_that_one_look_shows_as_failed_goes_on() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "word", "id": "Failed"})).await;
    let failed = app.until(&id, "failed").await;
    assert_eq!(failed["failure"]["code"], "BuildFailed");
    turn(&app).await;
    let cache = app.cache(&id).await;
    assert_eq!((&cache["status"], &cache["failure"]), (&json!("ready"), &Value::Null));
    let steps = app.get(&format!("/v1/image-caches/{id}/transitions")).await.expect(200);
    let last = steps["items"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["from"], &last["to"], &last["reason"]),
        (&json!("failed"), &json!("ready"), &json!("shown_again"))
    );
    assert_eq!(events_of(&app, "ready").await.len(), 1);
}

#[tokio::test]
async fn an_orphan_that_is_taken_over_is_not_removed() {
    let app = TestGateway::start().await;
    let refusal =
        json!({"action": "CreateImageCache", "kind": "error", "http": 403, "code": "QuotaExceeded", "apply": true});
    app.fault(&refusal).await;
    app.create("nginx:1.27").await.problem(409, "cloud_refused");
    let orphan = app.ledger().await["created"][0].as_str().unwrap().to_owned();
    ready(&app, &json!({"name": "other"})).await;
    app.advance(17 * 60);
    // It is unknown whether this delete will be carried out after all, so nobody may rely on the cache.
    app.fault(&json!({"action": "DeleteImageCache", "kind": "reset"})).await;
    compare(&app).await;
    assert_eq!(adopt(&app, &orphan).await, "being_removed");
    // This one is permanently refused.
    app.advance(APART);
    app.fault(&json!({"action": "DeleteImageCache", "kind": "error", "http": 403, "code": "Forbidden"})).await;
    compare(&app).await;
    app.advance(17 * 60);
    let id = adopt(&app, &orphan).await;
    assert!(id.starts_with("ic_"), "{id}");
    turn(&app).await;
    turn(&app).await;
    assert_eq!(app.ledger().await["deleted"], json!([]));
    assert_eq!(app.count("SELECT count(*) FROM found_caches WHERE ended_at IS NULL").await, 0);
    assert_eq!(status(&app, &id).await, "ready");
}
