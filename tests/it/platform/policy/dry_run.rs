//! The dry run: everything is reported, nothing is done.
#![cfg(test)]

use reqwest::Method;
use serde_json::json;

use super::{CONTACT, admin, body, register, rule, setup};
use crate::support::gateway::TestGateway;

const PATH: &str = "/v1/image-caches/dry-run";

#[tokio::test]
async fn a_dry_run_tells_everything_and_does_nothing() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"max_image_caches": 1, "max_retention_days": 60, "monthly_budget": "100"})).await;
    let profile = json!({"vswitch_ids": ["vsw-1"], "zone_id": "cn-beijing-a"});
    admin(&app, Method::PUT, "/v1/region-profiles/default:cn-beijing", Some(&profile)).await.expect(200);
    let told = app.post(PATH, &body(&json!({"size_gib": 40, "retention_days": 15}))).await.expect(200);
    assert_eq!((&told["allowed"], &told["refusals"], &told["contact"]), (&json!(true), &json!([]), &json!(CONTACT)));
    assert_eq!(told["filled_in"], json!(["vswitch_ids", "zone_id"]));
    assert_eq!(told["policy_source"], "team");
    assert_eq!(
        told["image_cache"],
        json!({
            "cloud_account": "default", "name": "web", "region": "cn-beijing", "images": ["nginx:1.27"],
            "vswitch_ids": ["vsw-1"], "zone_id": "cn-beijing-a", "size_gib": 40, "retention_days": 15, "acr_registries": [],
        })
    );
    assert_eq!(told["used"], json!({"image_caches": 0, "total_gib": 0, "monthly_cost": "0.00"}));
    assert_eq!(told["used_after"], json!({"image_caches": 1, "total_gib": 40, "monthly_cost": "45.00"}));
    assert_eq!(told["limits"], json!({"image_caches": 1, "monthly_cost": "100.00"}));
    assert_eq!(told["cost"], json!({"currency": "CNY", "month": "40.00", "build": "5.00", "whole": "25.00"}));
    assert_eq!((&told["expected_seconds"], &told["ensure_outcome"]), (&json!(180), &json!("created")));
    assert_eq!(told["ensure_ready_at"], "2026-03-01T08:03:00Z");
    assert_eq!(told["matches"]["candidates"], json!([]));
    for table in [
        "SELECT count(*) FROM image_caches",
        "SELECT count(*) FROM operations",
        "SELECT count(*) FROM idempotency_keys",
    ] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    assert_eq!(
        app.count("SELECT count(*) FROM audit_entries WHERE action = 'dry_run_image_cache' AND outcome = 'succeeded'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_dry_run_tells_all_refusals_and_what_is_there_already() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"max_image_caches": 1})).await;
    let id = app.created().await;
    let joined = app.post(PATH, &body(&json!({}))).await.expect(200);
    assert_eq!((&joined["ensure_outcome"], &joined["ensure_image_cache_id"]), (&json!("joined"), &json!(id)));
    app.until(&id, "ready").await;
    rule(&app, &json!({"max_image_caches": 1, "max_total_gib": 30, "max_size_gib": 20, "allow_latest_tag": false}))
        .await;
    let told = app.post(PATH, &body(&json!({"images": ["nginx:latest"], "size_gib": 30}))).await.expect(200);
    let rules: Vec<_> = told["refusals"].as_array().unwrap().iter().map(|refusal| refusal["rule"].clone()).collect();
    assert_eq!(rules, ["allow_latest_tag", "max_size_gib", "max_image_caches", "max_total_gib"]);
    assert_eq!((&told["allowed"], &told["ensure_outcome"]), (&json!(false), &json!("created")));
    let reused = app.post(PATH, &body(&json!({}))).await.expect(200);
    assert_eq!((&reused["ensure_outcome"], &reused["matches"]["winner_id"]), (&json!("reused"), &json!(id)));
    assert_eq!(reused["ensure_ready_at"], app.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    app.post(PATH, &body(&json!({"size_gib": 1}))).await.problem(422, "invalid_request");
    app.post("/v1/image-caches", &body(&json!({"dry_run": true}))).await.problem(422, "invalid_request");
    assert_eq!(app.creations().await, 1);
}
