//! The cloud compared with the rows: vanished, changed and unmanaged caches; each is found once, by whichever gateway.
#![cfg(test)]

use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::ids::OperationId;
use eci_cache_gateway::domain::image_cache::spec::ImageCacheChanges;
use eci_cache_gateway::domain::image_cache::spec::fields::{ALL, AuditForm};
use eci_cache_gateway::domain::region::Region;
use eci_cache_gateway::eci::Attempt;
use serde_json::{Value, json};

use crate::support::gateway::{Setup, TestGateway, new_cache};

mod drift;
mod lying_cloud;
mod short_lies;
mod unmanaged_caches;
mod vanished_caches;

/// Longer than the interval of lists, including jitter.
const TURN: i64 = 661;
/// Longer than the interval of reads.
const APART: i64 = 61;

fn region() -> Region {
    "cn-beijing".parse().unwrap()
}

/// Runs the comparison that is due.
async fn compare(app: &TestGateway) {
    while app.gateway.reconciler().reconcile().await.unwrap() {}
}

/// A list, and the second reads that follow from it.
async fn turn(app: &TestGateway) {
    app.advance(TURN);
    compare(app).await;
    app.advance(APART);
    compare(app).await;
}

/// A ready cache with these additional fields; returns its id.
async fn ready(app: &TestGateway, more: &Value) -> String {
    let mut body = new_cache("nginx:1.27");
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let id = app.post("/v1/image-caches", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    id
}

fn attempt(app: &TestGateway) -> Attempt {
    let operation = OperationId::new(app.now(), &Entropy::from_os());
    Attempt { operation, client_token: operation.to_string(), signed_at: app.now(), bucket: None, marks: Vec::new() }
}

/// Created outside the gateway; returns the cloud's id.
async fn made_outside(app: &TestGateway, name: &str) -> String {
    let spec = json!({"name": name, "region": "cn-beijing", "images": ["redis:7"]});
    let spec = serde_json::from_value(spec).unwrap();
    app.cloud_client().create(&spec, &[], &attempt(app)).await.unwrap().eci_cache_id
}

async fn imc(app: &TestGateway, id: &str) -> String {
    app.cache(id).await["eci_cache_id"].as_str().unwrap().to_owned()
}

/// Deleted outside the gateway.
async fn removed_outside(app: &TestGateway, id: &str) {
    let imc = imc(app, id).await;
    app.cloud_client().delete(&region(), &imc, &attempt(app)).await.unwrap();
}

/// Changed outside the gateway, and rebuilt.
async fn changed_outside(app: &TestGateway, id: &str, changes: &Value) {
    let imc = imc(app, id).await;
    let taken = ALL.iter().filter(|field| field.in_update.is_some() && field.audit != AuditForm::Secret);
    let all: Value = taken.map(|field| (field.name.to_owned(), changes[field.name].clone())).collect();
    let changes: ImageCacheChanges = serde_json::from_value(all).unwrap();
    app.cloud_client().update(&region(), &imc, &changes, &[], &attempt(app)).await.unwrap();
    app.advance(60);
}

/// The team's events of this type.
async fn events_of(app: &TestGateway, kind: &str) -> Vec<Value> {
    let kind = format!("image_cache.{kind}");
    app.events().await.into_iter().filter(|event| event["type"] == kind.as_str()).collect()
}

/// The findings in the reconciler's audit entries about this cache.
async fn findings(app: &TestGateway, id: &str) -> Vec<String> {
    let entries = app.items(&format!("/v1/audit-entries?resource={id}&action=reconcile_image_cache")).await;
    assert!(entries.iter().all(|entry| entry["subject"] == "worker:reconciler" && entry["outcome"] == "succeeded"));
    entries.iter().map(|entry| entry["parameters"]["finding"].as_str().unwrap().to_owned()).collect()
}

/// The newest transition: from, to, reason.
async fn last_step(app: &TestGateway, id: &str) -> String {
    let all = app.items(&format!("/v1/image-caches/{id}/transitions")).await;
    let last = all.last().unwrap();
    ["from", "to", "reason"].map(|name| last[name].as_str().unwrap_or("-")).join(" ")
}
