//! Caches that were changed outside the gateway.

use super::*;

#[tokio::test]
async fn a_change_past_the_gateway_is_told_once_and_its_end_too() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({"tags": {"env": "prod"}})).await;
    changed_outside(&app, &id, &json!({"name": "other", "images": ["nginx:2"], "tags": {"env": "test"}})).await;
    turn(&app).await;
    app.drain().await;
    turn(&app).await;
    let drift = json!([
        {"field": "name", "expected": ["web"], "seen": ["other"]},
        {"field": "images", "expected": ["nginx:1.27"], "seen": ["nginx:2"]},
        {"field": "tags", "expected": ["env=prod"], "seen": ["env=test"]},
    ]);
    let cache = app.cache(&id).await;
    assert_eq!((&cache["drift"], &cache["status"], &cache["name"]), (&drift, &json!("ready"), &json!("web")));
    let events = events_of(&app, "drifted").await;
    assert_eq!((events.len(), &events[0]["data"]["image_cache"]["drift"]), (1, &drift));
    assert_eq!(app.items("/v1/image-caches?drifted=true").await.len(), 1);
    assert_eq!(app.items("/v1/image-caches?drifted=false").await.len(), 0);
    turn(&app).await;
    assert_eq!(events_of(&app, "drifted").await.len(), 1, "once");

    changed_outside(&app, &id, &json!({"name": "web", "images": ["nginx:1.27"], "tags": {"env": "prod"}})).await;
    turn(&app).await;
    app.drain().await;
    turn(&app).await;
    assert_eq!(app.cache(&id).await["drift"], Value::Null);
    assert_eq!(events_of(&app, "drift_resolved").await.len(), 1);
    assert_eq!(findings(&app, &id).await.iter().filter(|found| found.contains("drift")).count(), 2);
    assert_eq!(app.items("/v1/image-caches?drifted=false").await.len(), 1);
}

#[tokio::test]
async fn two_gateways_tell_of_a_drift_once() {
    let app = TestGateway::start().await;
    let second = app.second_gateway(Setup::default()).await;
    let id = ready(&app, &json!({"size_gib": 25})).await;
    changed_outside(&app, &id, &json!({"size_gib": 30})).await;
    for _ in 0..3 {
        app.advance(TURN);
        let (one, other) = tokio::join!(app.gateway.reconciler().reconcile(), second.gateway.reconciler().reconcile());
        assert!(one.is_ok() && other.is_ok());
        app.drain().await;
    }
    assert_eq!(events_of(&app, "drifted").await.len(), 1);
    let drift = json!([{"field": "size_gib", "expected": ["25"], "seen": ["30"]}]);
    assert_eq!(app.cache(&id).await["drift"], drift);
}

#[tokio::test]
async fn what_the_gateway_changes_is_no_drift() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({"tags": {"env": "prod"}, "retention_days": 3})).await;
    compare(&app).await;
    changed_outside(&app, &id, &json!({"retention_days": 30})).await;
    turn(&app).await;
    app.drain().await;
    turn(&app).await;
    assert_eq!(app.cache(&id).await["drift"][0]["field"], "expires_at");
    let path = format!("/v1/image-caches/{id}");
    app.patch(&path, &json!({"images": ["nginx:1.28"], "retention_days": 9})).await.expect(200);
    // While it is being built, and afterwards.
    app.advance(TURN);
    compare(&app).await;
    app.until(&id, "ready").await;
    turn(&app).await;
    assert_eq!(app.cache(&id).await["drift"], Value::Null, "an update sets what is expected");
    assert_eq!(events_of(&app, "drifted").await.len(), 1);
}
