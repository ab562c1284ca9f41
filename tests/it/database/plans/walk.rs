//! A walk through the doors of a gateway and its workers' work, so that each of its statements is executed.
#![cfg(test)]

use std::collections::BTreeSet;

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::http::openapi::document_3_1;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rpc::client::RpcKey;
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway, new_cache};
use crate::support::hook::Hook;

/// One of the team's seeded image caches.
const SEEDED: &str =
    "SELECT id::text FROM image_caches WHERE team = 'web' AND status = 'ready' ORDER BY id LIMIT 1 OFFSET 30";

/// The whole walk. The quota comes first: from then on it is counted in every change.
pub(super) async fn through_the_doors(app: &TestGateway) {
    let quota = json!({"max_image_caches": 2_000_000, "max_total_gib": 2_000_000_000, "vswitch_ids": ["*"],
        "security_group_ids": ["*"]});
    let admin = app.bare(Method::PUT, "/v1/default-policy").bearer_auth(app.token(TEAM, &Scope::ALL));
    Answer::of(admin.json(&quota)).await.expect(200);
    let hook = Hook::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    reads(app).await;
    let id = changes(app).await;
    signed(app).await;
    about(app, &id, &endpoint).await;
    upkeep(app).await;
}

/// All filters of the list of image caches.
const FILTERS: [&str; 22] = [
    "region=cn-seed-0",
    "name=web-5000",
    "cloud_account=default",
    "region=cn-seed-0&region=cn-seed-1",
    "cloud_account=default&cloud_account=other",
    "image=nginx:1.5000&image=nginx:1.5001",
    "status=ready",
    "status=failed",
    "image=nginx:1.5000",
    "tag=service",
    "tag=service%3Dweb",
    "q=web",
    "drifted=true",
    "drifted=false",
    "eci_cache_id=imc-5000",
    "snapshot_id=s-1",
    "resource_group_id=rg-1",
    "created_after=2026-01-02T00:00:00Z",
    "created_before=2026-01-02T00:00:00Z",
    "expires_after=2026-01-02T00:00:00Z",
    "expires_before=2027-01-01T00:00:00Z",
    "idle_since=2026-02-01T00:00:00Z",
];

#[test]
fn each_filter_is_walked() {
    let document: Value = serde_json::from_str(&document_3_1()).unwrap();
    let parameters = document["paths"]["/v1/image-caches"]["get"]["parameters"].as_array().unwrap();
    let query = parameters.iter().filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str());
    let filters: BTreeSet<&str> = query.filter(|name| !["limit", "cursor"].contains(name)).collect();
    let walked: BTreeSet<&str> = FILTERS.iter().filter_map(|filter| filter.split('=').next()).collect();
    assert_eq!(walked, filters, "a filter has its example in FILTERS");
}

/// Reads of image caches.
async fn reads(app: &TestGateway) {
    let uuid: String = sqlx::query_scalar(SEEDED).fetch_one(app.sql()).await.unwrap();
    let id = eci_cache_gateway::domain::ids::CacheId::from(uuid.parse::<uuid::Uuid>().unwrap());
    app.get(&format!("/v1/image-caches/{id}")).await.expect(200);
    app.get(&format!("/v1/image-caches/{id}/transitions")).await.expect(200);
    let page = app.get("/v1/image-caches?limit=50").await.expect(200);
    app.get(&format!("/v1/image-caches?limit=50&cursor={}", page["next_cursor"].as_str().unwrap())).await.expect(200);
    for filter in FILTERS {
        let answer = app.get(&format!("/v1/image-caches?{filter}")).await;
        assert_eq!(answer.status, 200, "{filter}: {answer:?}");
    }
    let images = json!({"region": "cn-seed-0", "images": ["nginx:1.5000"]});
    app.post("/v1/matches", &images).await.expect(200);
    app.get("/v1/gate?region=cn-seed-0&image=nginx:1.5000").await;
    for path in ["/v1/policy", "/v1/me", "/v1/usage?region=cn-beijing", "/v1/events?limit=50", "/v1/audit-entries"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    let admin = |path: &str| app.bare(Method::GET, path).bearer_auth(app.token(TEAM, &Scope::ALL));
    for path in ["/v1/found-image-caches", "/v1/teams", "/v1/api-keys", "/v1/access-keys", "/v1/revocations"] {
        Answer::of(admin(path)).await.expect(200);
    }
}

/// A lifecycle from ensure to delete, with all workers; returns the id of the image cache.
async fn changes(app: &TestGateway) -> String {
    app.post("/v1/image-caches/dry-run", &new_cache("nginx:1.27")).await.expect(200);
    app.post("/v1/image-caches/ensure", &new_cache("nginx:1.27")).await.expect(201);
    let keyed = app.request(Method::POST, "/v1/image-caches").header("idempotency-key", "k1");
    let made = Answer::of(keyed.json(&new_cache("redis:7"))).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    app.post("/v1/image-caches/ensure", &new_cache("redis:7")).await.expect(200);
    let path = format!("/v1/image-caches/{id}");
    let updated = app.patch(&path, &json!({"images": ["redis:7.2"]})).await.json();
    app.get(&format!("/v1/operations/{}", updated["operation_id"].as_str().unwrap())).await.expect(200);
    app.until(&id, "ready").await;
    app.get(&format!("{path}/provider-record")).await.expect(200);
    app.get(&format!("{path}/wait?for=ready&wait_seconds=1")).await;
    app.delete(&path).await.expect(200);
    app.until(&id, "deleted").await;
    id
}

/// The same through the cloud's own API.
async fn signed(app: &TestGateway) {
    let key = RpcKey::new(app).await;
    let create = [
        ("RegionId", "cn-beijing"),
        ("ImageCacheName", "rpc"),
        ("Image.1", "nginx:1"),
        ("SecurityGroupId", "sg-1"),
        ("VSwitchId", "vsw-1"),
    ];
    let made = key.get(app, "CreateImageCache", &create).await.expect(200);
    let made = made["ImageCacheId"].as_str().unwrap();
    let of = [("RegionId", "cn-beijing"), ("ImageCacheId", made)];
    key.get(app, "DescribeImageCaches", &of[..1]).await.expect(200);
    key.get(app, "DescribeImageCaches", &of).await.expect(200);
    key.get(app, "DeleteImageCache", &of).await.expect(200);
    app.drain().await;
}

/// What is stored about it: feed, audit, deliveries.
async fn about(app: &TestGateway, id: &str, endpoint: &str) {
    let feed = app.get("/v1/events?limit=50").await.expect(200);
    let cursor = feed["next_cursor"].as_str().unwrap_or_default();
    for path in [
        format!("/v1/events?image_cache_id={id}"),
        format!("/v1/events?cursor={cursor}"),
        format!("/v1/audit-entries?resource={id}"),
        "/v1/audit-entries?action=create_image_cache".to_owned(),
        "/v1/audit-entries?outcome=refused".to_owned(),
        "/v1/deliveries".to_owned(),
        format!("/v1/deliveries?webhook_endpoint_id={endpoint}"),
        "/v1/deliveries?status=delivered".to_owned(),
        "/v1/webhook-endpoints".to_owned(),
        format!("/v1/webhook-endpoints/{endpoint}"),
    ] {
        let answer = app.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let first: Value = app.get("/v1/deliveries").await.json()["items"][0]["id"].clone();
    if let Some(delivery) = first.as_str() {
        app.get(&format!("/v1/deliveries/{delivery}/attempts")).await.expect(200);
    }
}

/// One pass of each kind of background work.
async fn upkeep(app: &TestGateway) {
    app.gateway.audit().seal().await.unwrap();
    app.gateway.reconciler().reconcile().await.unwrap();
    app.gateway.upkeep().clean().await.unwrap();
    app.drain().await;
    assert_eq!(app.bare(Method::GET, "/readyz").send().await.unwrap().status().as_u16() / 100, 5, "no worker runs");
}
