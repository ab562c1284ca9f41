//! The calls of Terraform's provider, and what may happen in between: everything is in the query of a POST, without
//! ClientToken; after a create it reads that id until it is Ready, and accepts only Preparing and Creating before that;
//! a delete is one call; 404 means that the cache is gone, and removes it from the state.
#![cfg(test)]

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::client::{RpcKey, error, send_as_terraform, success};
use crate::support::answer::Answer;
use crate::support::gate::Gate;
use crate::support::gateway::{Setup, TestGateway};

const REGION: (&str, &str) = ("RegionId", "cn-beijing");

/// The provider, connected to a gateway.
struct TerraformProvider<'a> {
    app: &'a TestGateway,
    key: RpcKey,
}

impl<'a> TerraformProvider<'a> {
    async fn of(app: &'a TestGateway) -> Self {
        Self { app, key: RpcKey::new(app).await }
    }

    async fn call(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        let all = [&[REGION], params].concat();
        send_as_terraform(self.app, &self.key, action, &all).await
    }

    async fn create(&self, name: &str) -> Answer {
        let params = [
            ("ImageCacheName", name),
            ("Image.1", "nginx:1.27"),
            ("SecurityGroupId", "sg-uf66jeqopgqa9hdn0001"),
            ("VSwitchId", "vsw-a"),
            ("ImageCacheSize", "20"),
        ];
        self.call("CreateImageCache", &params).await
    }

    /// The result of a read; a refusal does not mean "gone", whatever it says.
    async fn read(&self, id: &str) -> Result<Option<Value>, Value> {
        let answer = self.call("DescribeImageCaches", &[("ImageCacheId", id)]).await;
        assert_ne!(answer.status, 404, "that would empty the state: {answer:?}");
        if answer.status != 200 {
            return Err(answer.json());
        }
        let found = success(&answer)["ImageCaches"].as_array().unwrap().clone();
        assert!(found.iter().all(|one| one["ImageCacheId"] == id), "it takes the first unchecked: {found:?}");
        Ok(found.into_iter().next())
    }

    /// Polls until the cache is Ready, like the provider.
    async fn until_ready(&self, id: &str) {
        for _ in 0..60 {
            let seen = self.read(id).await.unwrap().expect("a cache that was just made");
            match seen["Status"].as_str().unwrap() {
                "Ready" => return,
                "Preparing" | "Creating" => {}
                other => panic!("{other} ends an apply: {seen}"),
            }
            self.app.advance(3);
            self.app.drain().await;
        }
        panic!("{id} never was Ready");
    }
}

#[tokio::test]
async fn an_apply_a_plan_and_a_destroy() {
    let app = TestGateway::start().await;
    let provider = TerraformProvider::of(&app).await;
    let made = success(&provider.create("web").await);
    let id = made["ImageCacheId"].as_str().unwrap();
    provider.until_ready(id).await;
    let kept = provider.read(id).await.unwrap().unwrap();
    for name in ["ContainerGroupId", "ImageCacheName", "Status"] {
        assert!(kept[name].is_string(), "{name} in {kept}");
    }
    assert_eq!(kept["Images"], json!(["nginx:1.27"]), "an empty plan afterwards");
    success(&provider.call("DeleteImageCache", &[("ImageCacheId", id)]).await);
    assert_eq!(provider.read(id).await.unwrap(), None, "gone is an empty list");
    error(&provider.call("DeleteImageCache", &[("ImageCacheId", id)]).await, 404, "InvalidParameter.NotFound");
}

#[tokio::test]
async fn nothing_but_a_cache_that_is_not_there_is_404() {
    let app = TestGateway::start().await;
    let provider = TerraformProvider::of(&app).await;
    let made = success(&provider.create("web").await);
    let id = made["ImageCacheId"].as_str().unwrap().to_owned();
    let nobody = TerraformProvider { app: &app, key: RpcKey { id: "LTAInobody".into(), secret: "x".into() } };
    let wrong = TerraformProvider { app: &app, key: RpcKey { id: provider.key.id.clone(), secret: "x".into() } };
    for (provider, code) in [(&nobody, "InvalidAccessKeyId.NotFound"), (&wrong, "SignatureDoesNotMatch")] {
        assert_eq!(provider.read(&id).await.unwrap_err()["Code"], code);
        for answer in [
            provider.create("other").await,
            provider.call("DeleteImageCache", &[("ImageCacheId", &id)]).await,
            provider.call("ListUsage", &[]).await,
        ] {
            assert!(answer.status != 404 && answer.json()["Code"] == code, "{answer:?}");
        }
    }
    let unknown = provider.call("DescribeContainerGroups", &[]).await;
    error(&unknown, 400, "InvalidApi.NotFound");
    // What the cloud answers with 404 for other reasons.
    for (action, code) in [
        ("CreateImageCache", "InvalidVSwitchId.NotFound"),
        ("CreateImageCache", "InvalidParameter.NotFound"),
        ("ListUsage", "InvalidRegionId.NotFound"),
        ("UpdateImageCache", "InvalidSecurityGroupId.NotFound"),
    ] {
        if action == "UpdateImageCache" {
            provider.until_ready(&id).await;
        }
        app.fault(
            &json!({"action": action, "kind": "error", "http": 404, "code": code, "message": "It is not found."}),
        )
        .await;
        let answer = match action {
            "CreateImageCache" => provider.create("other").await,
            "ListUsage" => provider.call(action, &[]).await,
            _ => provider.call(action, &[("ImageCacheId", &id), ("Image.1", "nginx:1.28")]).await,
        };
        error(&answer, 400, code);
    }
    // The gateway's own key for the cloud: the caller cannot fix it, and it is not the caller's key.
    let own = json!({"action": "CreateImageCache", "kind": "error", "http": 404, "code": "InvalidAccessKeyId.NotFound",
        "message": "Specified access key is not found."});
    app.fault(&own).await;
    let told = error(&provider.create("other").await, 503, "ServiceUnavailable");
    assert!(told["Message"].as_str().unwrap().contains("the gateway's own key"), "{told}");
    assert!(provider.read(&id).await.unwrap().is_some(), "all the while it is there");
}

#[tokio::test]
async fn a_slow_cloud_delays_an_apply_and_breaks_nothing() {
    let backend = TestGateway::start().await;
    let gate = Gate::before(&backend.cloud()).await;
    let app = backend.second_gateway(Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let provider = TerraformProvider::of(&app).await;
    let meanwhile = async {
        gate.answered(1).await;
        // While the create waits, a plan of another workspace reads.
        assert_eq!(provider.read("imc-2ze00000000000000000").await.unwrap(), None);
        gate.open();
    };
    let (made, ()) = tokio::join!(provider.create("web"), meanwhile);
    let id = success(&made)["ImageCacheId"].as_str().unwrap().to_owned();
    provider.until_ready(&id).await;
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn a_throttled_destroy_is_one_call_all_the_same() {
    let app = TestGateway::start().await;
    let provider = TerraformProvider::of(&app).await;
    let id = success(&provider.create("web").await)["ImageCacheId"].as_str().unwrap().to_owned();
    provider.until_ready(&id).await;
    app.fault(&json!({"action": "DeleteImageCache", "kind": "throttle", "apply": false})).await;
    let meanwhile = async {
        let put_off = "SELECT count(*) FROM operations WHERE kind = 'delete' AND attempts = 1 AND lease_token IS NULL";
        while app.count(put_off).await == 0 {
            tokio::task::yield_now().await;
        }
        // A poll in between sees what exists.
        assert!(provider.read(&id).await.unwrap().is_some());
        app.advance(2);
        app.drain().await;
    };
    let target = [("ImageCacheId", id.as_str())];
    let (deleted, ()) = tokio::join!(provider.call("DeleteImageCache", &target), meanwhile);
    success(&deleted);
    assert_eq!(provider.read(&id).await.unwrap(), None);
}

/// An error of the gateway makes the poll fail, but never means "gone": afterwards the cache exists as before.
#[tokio::test]
async fn a_poll_that_cannot_be_answered_empties_no_state() {
    let app = TestGateway::start().await;
    let provider = TerraformProvider::of(&app).await;
    let id = success(&provider.create("web").await)["ImageCacheId"].as_str().unwrap().to_owned();
    for (breaks, mends) in [
        ("ALTER TABLE access_keys RENAME TO away", "ALTER TABLE away RENAME TO access_keys"),
        ("ALTER TABLE image_caches RENAME TO away", "ALTER TABLE away RENAME TO image_caches"),
        ("ALTER TABLE audit_entries RENAME TO away", "ALTER TABLE away RENAME TO audit_entries"),
    ] {
        sqlx::query(breaks).execute(app.sql()).await.unwrap();
        let refused = provider.read(&id).await.unwrap_err();
        let code = refused["Code"].as_str().unwrap();
        assert!(["InternalError", "ServiceUnavailable"].contains(&code), "{breaks}: {refused}");
        sqlx::query(mends).execute(app.sql()).await.unwrap();
    }
    provider.until_ready(&id).await;
}

#[tokio::test]
async fn a_failed_build_says_why() {
    let app = TestGateway::start().await;
    let provider = TerraformProvider::of(&app).await;
    let params = [("ImageCacheName", "web"), ("Image.1", "registry.example.com/does-not-exist:1")];
    let made = success(&provider.call("CreateImageCache", &params).await);
    let id = made["ImageCacheId"].as_str().unwrap();
    let mut seen = provider.read(id).await.unwrap().unwrap();
    for _ in 0..60 {
        if seen["Status"] == "Failed" {
            break;
        }
        app.advance(3);
        app.drain().await;
        seen = provider.read(id).await.unwrap().unwrap();
    }
    assert_eq!(seen["Status"], "Failed", "{seen}");
    let events = seen["Events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["Type"] == "Warning" && event["Message"].is_string()), "{seen}");
}

#[tokio::test]
async fn nine_and_fifty_data_sources_at_once_are_all_served() {
    let app = TestGateway::start().await;
    let provider = TerraformProvider::of(&app).await;
    success(&provider.create("web").await);
    for count in [9, 50] {
        let reads = (0..count).map(|_| provider.call("DescribeImageCaches", &[]));
        for answer in join_all(reads).await {
            assert_eq!(success(&answer)["ImageCaches"].as_array().unwrap().len(), 1);
        }
    }
}

/// More than a page: the provider does not page, so it sees the first 20; by id it sees each.
#[tokio::test]
async fn a_data_source_sees_the_newest_page() {
    let app = TestGateway::start().await;
    let provider = TerraformProvider::of(&app).await;
    let mut ids = Vec::new();
    for place in 0..21 {
        let made = success(&provider.create(&format!("web-{place}")).await);
        ids.push(made["ImageCacheId"].as_str().unwrap().to_owned());
        app.advance(1);
    }
    let page = success(&provider.call("DescribeImageCaches", &[]).await);
    assert_eq!((page["ImageCaches"].as_array().unwrap().len(), &page["TotalCount"]), (20, &json!(21)));
    assert!(page["NextToken"].is_string());
    assert!(provider.read(&ids[0]).await.unwrap().is_some());
}
