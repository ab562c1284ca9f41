//! The lifecycle of a cache through the cloud's own API.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{RpcKey, error, success};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

const REGION: (&str, &str) = ("RegionId", "cn-beijing");
const NEW: [(&str, &str); 5] =
    [REGION, ("ImageCacheName", "web"), ("Image.1", "nginx:1.27"), ("Tag.1.Key", "env"), ("Tag.1.Value", "test")];

async fn described(app: &TestGateway, key: &RpcKey, filter: &[(&str, &str)]) -> Vec<Value> {
    let mut params = vec![REGION];
    params.extend(filter);
    let page = success(&key.get(app, "DescribeImageCaches", &params).await);
    page["ImageCaches"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_cache_lives_under_the_clouds_words() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let made = success(&key.post(&app, "CreateImageCache", &NEW).await);
    let id = made["ImageCacheId"].as_str().unwrap();
    assert!(id.starts_with("imc-2ze") && made["ContainerGroupId"].as_str().unwrap().starts_with("eci-"), "{made}");

    let by_id = [("ImageCacheId", id)];
    let seen = described(&app, &key, &by_id).await;
    assert_eq!((&seen[0]["Status"], &seen[0]["Images"]), (&json!("Preparing"), &json!(["nginx:1.27"])));
    let ours = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.until(&ours, "ready").await;
    let seen = &described(&app, &key, &by_id).await[0];
    let told = |name: &str| seen[name].clone();
    assert_eq!((told("Status"), told("Progress"), told("ImageCacheSize")), (json!("Ready"), json!("100%"), json!(20)));
    assert_eq!(
        (told("ImageCacheId"), told("RegionId"), told("ImageCacheName")),
        (json!(id), json!("cn-beijing"), json!("web"))
    );
    assert_eq!(told("Tags"), json!([{"Key": "env", "Value": "test"}]), "ours is hidden");
    assert!(told("SnapshotId").as_str().unwrap().starts_with("s-") && !told("Events").as_array().unwrap().is_empty());
    assert_eq!(told("CreationTime").as_str().unwrap().len(), "2026-03-01T08:00:00Z".len());

    let update = [REGION, by_id[0], ("Image.1", "nginx:1.28"), ("ImageCacheName", "web")];
    success(&key.get(&app, "UpdateImageCache", &update).await);
    assert_eq!(described(&app, &key, &by_id).await[0]["Status"], "Updating");
    error(&key.get(&app, "UpdateImageCache", &update).await, 400, "ImageCache.IncorrectStatus");
    app.until(&ours, "ready").await;
    assert_eq!(described(&app, &key, &by_id).await[0]["Images"], json!(["nginx:1.28"]));

    success(&key.get(&app, "DeleteImageCache", &[REGION, by_id[0]]).await);
    assert!(described(&app, &key, &by_id).await.is_empty(), "what is being deleted is no longer listed");
    error(&key.get(&app, "DeleteImageCache", &[REGION, by_id[0]]).await, 404, "InvalidParameter.NotFound");
    app.until(&ours, "deleted").await;
    assert!(described(&app, &key, &[]).await.is_empty());
}

#[tokio::test]
async fn the_audit_tells_of_it_in_our_words() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    success(&key.post(&app, "CreateImageCache", &NEW).await);
    described(&app, &key, &[("ImageCacheId", "imc-nobodys")]).await;
    error(&key.get(&app, "Nonsense", &[]).await, 400, "InvalidApi.NotFound");
    let sql = "SELECT concat_ws(' ', action, outcome, door, subject = 'access_key:' || credential, http_status, code,
                   CASE WHEN resource LIKE 'ic_%' THEN 'ic_' ELSE resource END)
               FROM audit_entries WHERE door = 'rpc' AND team = 'web' ORDER BY seq";
    let trail: Vec<String> = sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap();
    assert_eq!(
        trail,
        [
            "create_image_cache accepted rpc t ic_",
            "list_image_caches succeeded rpc t 200 imc-nobodys",
            "unknown_action refused rpc t 400 InvalidApi.NotFound",
        ]
    );
}

#[tokio::test]
async fn describe_filters_and_pages() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    for (place, image) in [(0, "nginx:1.27"), (1, "docker.io/library/nginx:1.28"), (2, "redis:7")] {
        let name = format!("cache-{place}");
        let params =
            [REGION, ("ImageCacheName", &name), ("Image.1", image), ("Tag.1.Key", "k"), ("Tag.1.Value", &name)];
        success(&key.get(&app, "CreateImageCache", &params).await);
        // Newest first; caches of one instant have no order.
        app.advance(1);
    }
    let names = async |filter: &[(&str, &str)]| {
        let found = described(&app, &key, filter).await;
        found.iter().map(|one| one["ImageCacheName"].as_str().unwrap()[6..].to_owned()).collect::<String>()
    };
    assert_eq!(names(&[]).await, "210", "the newest first");
    assert_eq!(names(&[("ImageCacheName", "cache-1")]).await, "1");
    assert_eq!(names(&[("Image", "nginx")]).await, "10");
    assert_eq!(names(&[("Image", "nginx:1.27")]).await, "0");
    assert_eq!(names(&[("Tag.1.Key", "k")]).await, "210");
    assert_eq!(names(&[("Tag.1.Key", "k"), ("Tag.1.Value", "cache-2")]).await, "2");
    assert_eq!(names(&[("ImageCacheId", "imc-2ze")]).await, "", "an id is exact");
    assert_eq!(names(&[("SnapshotId", "s-1")]).await, "");
    assert_eq!(names(&[("ResourceGroupId", "rg-1")]).await, "");
    let elsewhere = key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-hangzhou")]).await;
    assert_eq!(success(&elsewhere)["TotalCount"], 0);

    let first = success(&key.get(&app, "DescribeImageCaches", &[REGION, ("Limit", "2")]).await);
    assert_eq!((first["ImageCaches"].as_array().unwrap().len(), &first["TotalCount"]), (2, &json!(3)));
    let token = first["NextToken"].as_str().unwrap();
    let rest = success(&key.get(&app, "DescribeImageCaches", &[REGION, ("NextToken", token)]).await);
    assert_eq!(rest["ImageCaches"][0]["ImageCacheName"], "cache-0");
    assert!(rest.get("NextToken").is_none());
    let other = [REGION, ("NextToken", token), ("Image", "nginx")];
    let refused = error(&key.get(&app, "DescribeImageCaches", &other).await, 400, "InvalidParameter");
    assert!(refused["Message"].as_str().unwrap().contains("NextToken"), "{refused}");
}

#[tokio::test]
async fn describe_puts_the_best_match_first() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    for (place, image) in [(0, "nginx:1.27"), (1, "nginx:1.28"), (2, "redis:7"), (3, "docker.io/library/nginx:1.27")] {
        let name = format!("cache-{place}");
        success(&key.get(&app, "CreateImageCache", &[REGION, ("ImageCacheName", &name), ("Image.1", image)]).await);
        app.advance(1);
    }
    let names = async |filter: &[(&str, &str)]| {
        let found = described(&app, &key, filter).await;
        found.iter().map(|one| one["ImageCacheName"].as_str().unwrap()[6..].to_owned()).collect::<String>()
    };
    let wanted = ("MatchImage.1", "nginx:1.27");
    assert_eq!(names(&[wanted]).await, "", "what is not ready serves no instance");
    for _ in 0..3 {
        app.advance(20);
        app.drain().await;
    }
    assert_eq!(names(&[wanted]).await, "301", "exact ones first, the newest of equals first");
    assert_eq!(names(&[wanted, ("ImageFullMatch", "True")]).await, "30");
    assert_eq!(names(&[wanted, ("ImageMatchCountRequest", "1")]).await, "30");
    assert_eq!(names(&[wanted, ("ImageCacheName", "cache-1")]).await, "1");
    let page = [REGION, wanted, ("Limit", "2")];
    let first = success(&key.get(&app, "DescribeImageCaches", &page).await);
    let token = first["NextToken"].as_str().unwrap();
    assert_eq!((names(&[wanted, ("NextToken", token)]).await.as_str(), &first["TotalCount"]), ("1", &json!(3)));
    let wrong =
        error(&key.get(&app, "DescribeImageCaches", &[REGION, ("MatchImage.2", "A b")]).await, 400, "InvalidParameter");
    assert!(wrong["Message"].as_str().unwrap().contains("MatchImage."), "{wrong}");
}

#[tokio::test]
async fn a_change_with_the_same_token_happens_once() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let made = success(&key.post(&app, "CreateImageCache", &NEW).await);
    let target = ("ImageCacheId", made["ImageCacheId"].as_str().unwrap());
    let ours = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.until(&ours, "ready").await;
    let token = ("ClientToken", "token");
    for _ in 0..2 {
        success(&key.post(&app, "UpdateImageCache", &[REGION, target, token, ("Image.1", "nginx:1.28")]).await);
    }
    let other = [REGION, target, token, ("Image.1", "nginx:1.29")];
    error(&key.post(&app, "UpdateImageCache", &other).await, 400, "IdempotentParameterMismatch");
    assert_eq!(app.until(&ours, "ready").await["generation"], 2);
    for _ in 0..2 {
        success(&key.post(&app, "DeleteImageCache", &[REGION, target, token]).await);
    }
    assert_eq!(app.count("SELECT count(*) FROM operations").await, 3);
}

#[tokio::test]
async fn usage_is_the_clouds_and_the_teams() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    success(&key.post(&app, "CreateImageCache", &NEW).await);
    let usage = success(&key.get(&app, "ListUsage", &[REGION]).await);
    let told = |name: &str| usage["Attributes"][name].clone();
    assert!(told("MaxImageCacheCount").is_number(), "{usage}");
    assert_eq!((told("TeamUsedImageCacheCount"), told("TeamReadyImageCacheCount")), (json!(1), json!(0)));
}

#[tokio::test]
async fn a_team_meets_its_own_alone() {
    let app = TestGateway::start().await;
    let (key, other) = (RpcKey::new(&app).await, RpcKey::of(&app, "other", &json!({})).await);
    let made = success(&key.post(&app, "CreateImageCache", &NEW).await);
    let theirs = [REGION, ("ImageCacheId", made["ImageCacheId"].as_str().unwrap())];
    let absent = [REGION, ("ImageCacheId", "imc-2ze00000000000000000")];
    assert!(described(&app, &other, &[]).await.is_empty() && described(&app, &other, &theirs[1..]).await.is_empty());
    for action in ["UpdateImageCache", "DeleteImageCache"] {
        let mut told = Vec::new();
        for target in [theirs, absent] {
            let params = [target[0], target[1], ("Image.1", "nginx")];
            let answer = other.get(&app, action, &params).await;
            error(&answer, 404, "InvalidParameter.NotFound");
            told.push(answer.text.replace(answer.header("x-request-id"), ""));
        }
        assert_eq!(told[0], told[1]);
    }
    assert_eq!(app.only_cache().await["version"], 2, "nothing has moved");
}

#[tokio::test]
async fn keys_are_listed_and_revoked() {
    let app = TestGateway::start().await;
    let key = RpcKey::of(&app, TEAM, &json!({"description": "ci", "scopes": ["read"]})).await;
    let refused = error(&key.post(&app, "CreateImageCache", &NEW).await, 403, "Forbidden.SubUser");
    assert!(refused["Message"].as_str().unwrap().contains("write"), "{refused}");
    assert!(described(&app, &key, &[]).await.is_empty());
    let admin = |method, path: &str| app.bare(method, path).bearer_auth(app.token(TEAM, &Scope::ALL));
    let list = Answer::of(admin(Method::GET, "/v1/access-keys")).await.expect(200);
    let item = &list["items"][0];
    assert_eq!((&item["id"], &item["scopes"], &item["description"]), (&json!(key.id), &json!(["read"]), &json!("ci")));
    assert!(item.get("access_key_secret").is_none() && item.get("revoked_at").is_none(), "{item}");
    let path = format!("/v1/access-keys/{}", key.id);
    assert_eq!(Answer::of(admin(Method::DELETE, &path)).await.status, 204);
    error(&key.get(&app, "DescribeImageCaches", &[REGION]).await, 400, "InvalidAccessKeyId.Inactive");
    let list = Answer::of(admin(Method::GET, "/v1/access-keys")).await.expect(200);
    assert!(list["items"][0]["revoked_at"].is_string(), "{list}");
    let wrong = admin(Method::POST, "/v1/access-keys").json(&json!({"scopes": ["admin", "nonsense"]}));
    Answer::of(wrong).await.problem(422, "invalid_request");
}
