//! Caches without a row.

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;

use super::*;
use crate::support::answer::Answer;
use crate::support::gateway::TEAM;

/// What an administrator sees.
async fn found(app: &TestGateway, query: &str) -> Vec<Value> {
    let token = app.token(TEAM, &Scope::PLATFORM);
    let request = app.bare(Method::GET, &format!("/v1/found-image-caches{query}")).bearer_auth(token);
    Answer::of(request).await.expect(200)["items"].as_array().unwrap().clone()
}

async fn adopt(app: &TestGateway, imc: &str) {
    let order = json!({"region": "cn-beijing", "eci_cache_id": imc});
    let request = app.bare(Method::POST, "/v1/image-caches/adopt").bearer_auth(app.token(TEAM, &Scope::PLATFORM));
    Answer::of(request.json(&order)).await.expect(200);
}

#[tokio::test]
async fn a_stranger_is_found_offered_and_adopted() {
    let app = TestGateway::start().await;
    ready(&app, &json!({})).await;
    let imc = made_outside(&app, "outside").await;
    compare(&app).await;
    let made = made_outside(&app, "later").await;
    turn(&app).await;
    let listed = found(&app, "").await;
    let names: Vec<&Value> = listed.iter().map(|found| &found["name"]).collect();
    assert_eq!(names, ["later", "outside"], "ours is not among them");
    let first = json!({"eci_cache_id": imc, "cloud_account": "default", "region": "cn-beijing", "name": "outside",
        "images": ["redis:7"], "size_gib": 20, "provider_status": "Preparing", "created_at": listed[1]["created_at"],
        "found_at": listed[1]["found_at"]});
    assert_eq!(listed[1], first);
    let after = listed[0]["found_at"].as_str().unwrap();
    assert_eq!(found(&app, &format!("?found_after={after}")).await.len(), 1);
    assert_eq!(found(&app, "?name=outside&region=cn-beijing").await.len(), 1);
    assert_eq!(found(&app, "?region=cn-hangzhou").await.len(), 0);
    let entries = "SELECT count(*) FROM audit_entries WHERE action = 'find_image_cache' AND team IS NULL
                   AND subject = 'worker:reconciler'";
    assert_eq!(app.count(entries).await, 2, "once each");
    assert_eq!(app.items("/v1/audit-entries?action=find_image_cache").await.len(), 0, "it is no team's");

    adopt(&app, &imc).await;
    assert_eq!(found(&app, "").await.len(), 1, "at once");
    app.cloud_client().delete(&region(), &made, &attempt(&app)).await.unwrap();
    turn(&app).await;
    assert_eq!(found(&app, "").await.len(), 0);
    assert_eq!(app.count("SELECT count(*) FROM found_caches WHERE ended_at IS NULL").await, 0);
    assert_eq!(app.ledger().await["deleted"], json!([made]), "nobody removes a stranger");
    Answer::of(app.request(Method::GET, "/v1/found-image-caches")).await.problem(403, "scope_missing");
}

#[tokio::test]
async fn two_gateways_find_a_stranger_once() {
    let app = TestGateway::start().await;
    let second = app.second_gateway(Setup::default()).await;
    ready(&app, &json!({})).await;
    for number in 0..3 {
        made_outside(&app, &format!("outside-{number}")).await;
        app.advance(TURN);
        let (one, other) = tokio::join!(app.gateway.reconciler().reconcile(), second.gateway.reconciler().reconcile());
        assert!(one.is_ok() && other.is_ok());
    }
    assert_eq!(app.count("SELECT count(*) FROM audit_entries WHERE action = 'find_image_cache'").await, 3);
    assert_eq!(found(&app, "").await.len(), 3);
}

#[tokio::test]
async fn what_a_refused_create_left_behind_is_removed_after_its_window() {
    let app = TestGateway::start().await;
    let refusal =
        json!({"action": "CreateImageCache", "kind": "error", "http": 403, "code": "QuotaExceeded", "apply": true});
    app.fault(&refusal).await;
    app.create("nginx:1.27").await.problem(409, "cloud_refused");
    assert_eq!(app.creations().await, 1, "the cloud did it and denied it");
    let cache = app.only_cache().await;
    let id = cache["id"].as_str().unwrap();
    let orphan = app.ledger().await["created"][0].clone();
    ready(&app, &json!({"name": "other"})).await;
    compare(&app).await;
    turn(&app).await;
    assert_eq!(app.ledger().await["deleted"], json!([]), "it might be accepted once more");
    assert_eq!(found(&app, "").await.len(), 0, "and is nobody's to adopt");
    app.advance(16 * 60);
    // The response to the first delete is lost.
    app.fault(&json!({"action": "DeleteImageCache", "kind": "reset"})).await;
    compare(&app).await;
    assert_eq!(app.ledger().await["deleted"], json!([]));
    turn(&app).await;
    assert_eq!(app.ledger().await["deleted"], json!([orphan]));
    let events = events_of(&app, "orphan_removed").await;
    assert_eq!((events.len(), &events[0]["data"]["image_cache"]["id"]), (1, &json!(id)));
    for (action, count) in [("find_image_cache", 1), ("remove_orphan", 1)] {
        let entries = app.items(&format!("/v1/audit-entries?resource={id}&action={action}")).await;
        assert_eq!((entries.len(), &entries[0]["parameters"]["eci_cache_id"]), (count, &orphan));
        assert_eq!(entries[0]["operation_id"], cache["operation_id"]);
    }
    turn(&app).await;
    assert_eq!(events_of(&app, "orphan_removed").await.len(), 1);
    assert_eq!(app.cache(id).await["status"], "failed");
}

#[tokio::test]
async fn a_create_under_way_is_no_stranger() {
    let app = TestGateway::start().await;
    ready(&app, &json!({})).await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "reset", "apply": true})).await;
    let mut body = new_cache("nginx:1.28");
    body["name"] = "in-doubt".into();
    let id = app.post("/v1/image-caches", &body).await.expect(202)["id"].as_str().unwrap().to_owned();
    compare(&app).await;
    assert_eq!(app.count("SELECT count(*) FROM found_caches").await, 0);
    app.until(&id, "ready").await;
    turn(&app).await;
    assert_eq!(app.count("SELECT count(*) FROM found_caches").await, 0);
    assert_eq!(app.ledger().await["deleted"], json!([]));
}
