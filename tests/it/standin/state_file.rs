//! The state file: what survives the process, and what must not be in it.

use std::fs;
use std::path::Path;

use super::*;
use crate::support::folder::TempFolder;

/// Ends a stand-in as if it were killed, and starts the next one with its file, `seconds` later.
async fn restarted(cloud: TestCloud, file: &Path, seconds: i64) -> TestCloud {
    cloud.pass(seconds);
    let clock = cloud.clock.clone();
    drop(cloud);
    TestCloud::start_with(clock, 43, Some(file.to_owned())).await
}

async fn started(file: &Path) -> TestCloud {
    let start = "2026-03-01T08:00:00Z".parse::<Instant>().expect("an instant");
    TestCloud::start_with(Arc::new(ManualClock::at(start)), 42, Some(file.to_owned())).await
}

fn login() -> RegistryCredential {
    RegistryCredential {
        server: "private.example.com".into(),
        user_name: "robot".into(),
        password: "canary-registry-password".into(),
    }
}

#[tokio::test]
async fn a_cache_and_its_token_outlive_the_process() {
    let folder = TempFolder::new("standin");
    let file = folder.path().join("standin.json");
    let cloud = started(&file).await;
    let wanted = spec(&json!({"images": ["private.example.com/app:1"]}));
    let operation = cloud.operation();
    let attempt = cloud.attempt(operation, "token-1");
    let created = cloud.client().create(&wanted, &[login()], &attempt).await.expect("created");
    let other = cloud.created(&spec(&json!({"name": "other", "images": ["nginx:missing"]}))).await;

    let cloud = restarted(cloud, &file, 60).await;
    let seen = cloud.seen(&created.eci_cache_id).await;
    assert_eq!((seen.status.as_str(), seen.progress_percent), ("Ready", Some(100)), "the build went on meanwhile");
    let failed = cloud.seen(&other).await;
    assert_eq!((failed.status.as_str(), failed.events.len()), ("Failed", 2), "{failed:?}");
    let again = cloud.attempt(operation, "token-1");
    let same = cloud.client().create(&wanted, &[login()], &again).await.expect("the same token, the same answer");
    let ids = |created: &Created| (created.eci_cache_id.clone(), created.container_group_id.clone());
    assert_eq!(ids(&same), ids(&created));
    let refused = cloud.client().create(&spec(&json!({"name": "x"})), &[], &again).await.map_err(code);
    assert_eq!(refused.unwrap_err(), "IdempotentParameterMismatch");
    assert_eq!(cloud.ledger().await["created"], json!([created.eci_cache_id, other]));

    let gone = cloud.attempt(operation, "token-2");
    cloud.client().delete(&region(), &created.eci_cache_id, &gone).await.expect("deleted");
    let third = cloud.created(&spec(&json!({"name": "third"}))).await;
    let cloud = restarted(cloud, &file, 1).await;
    let listed: Vec<_> =
        cloud.page(DescribeQuery::default()).await.caches.into_iter().map(|cache| cache.eci_cache_id).collect();
    assert_eq!(listed, [third, other], "newest first, without the deleted one");
}

#[tokio::test]
async fn no_secret_is_in_the_file_and_nothing_lies_beside_it() {
    let folder = TempFolder::new("standin");
    let file = folder.path().join("standin.json");
    let cloud = started(&file).await;
    let wanted = spec(&json!({"images": ["private.example.com/app:1"]}));
    cloud.client().create(&wanted, &[login()], &cloud.attempt(cloud.operation(), "t")).await.expect("created");
    let text = fs::read_to_string(&file).expect("the file is there");
    for secret in ["canary-registry-password", "robot", SECRET, "canary-sts-token", "SignatureNonce"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[tokio::test]
async fn an_unreadable_file_is_set_aside() {
    let folder = TempFolder::new("standin");
    let file = folder.path().join("standin.json");
    fs::write(&file, "{\"caches\": [").expect("written");
    let cloud = started(&file).await;
    assert_eq!(cloud.page(DescribeQuery::default()).await.caches.len(), 0);
    let aside = folder.path().join("standin.json.unreadable-20260301T080000Z");
    assert_eq!(fs::read_to_string(aside).expect("set aside"), "{\"caches\": [");
    let id = cloud.created(&spec(&json!({}))).await;
    let cloud = restarted(cloud, &file, 0).await;
    assert_eq!(cloud.seen(&id).await.status, "Preparing");
}

#[tokio::test]
async fn a_reset_and_forgotten_tokens_are_kept_too() {
    let folder = TempFolder::new("standin");
    let file = folder.path().join("standin.json");
    let cloud = started(&file).await;
    let (wanted, operation) = (spec(&json!({})), cloud.operation());
    let first = cloud.client().create(&wanted, &[], &cloud.attempt(operation, "t")).await.expect("created");
    admin(&cloud, "forget-tokens").await;
    let cloud = restarted(cloud, &file, 0).await;
    let second = cloud.client().create(&wanted, &[], &cloud.attempt(operation, "t")).await.expect("created");
    assert_ne!(first.eci_cache_id, second.eci_cache_id);
    admin(&cloud, "reset").await;
    let cloud = restarted(cloud, &file, 0).await;
    assert_eq!(cloud.page(DescribeQuery::default()).await.caches.len(), 0);
}

async fn admin(cloud: &TestCloud, what: &str) {
    let answer = cloud.http.post(format!("{}/_admin/{what}", cloud.url)).send().await.expect("sent");
    assert_eq!(answer.status(), 200);
}
