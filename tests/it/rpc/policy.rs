//! Refusals by policies in the cloud's format; and a disabled team.
#![cfg(test)]

use eci_cache_gateway::app;
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{RpcKey, error, success};
use crate::platform::policy::rules::cases;
use crate::platform::policy::{admin, register, rule, setup};
use crate::support::gateway::{Setup, TestGateway};

const NEW: [(&str, &str); 2] = [("RegionId", "cn-beijing"), ("ImageCacheName", "web")];

/// The parameters for the members of a REST body.
fn on_the_wire(more: &Value) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut params = Vec::new();
    for (name, value) in more.as_object().unwrap() {
        match name.as_str() {
            "vswitch_ids" => {
                let ids: Vec<String> = value.as_array().unwrap().iter().map(text).collect();
                params.push(("VSwitchId", ids.join(",")));
            }
            "security_group_id" => params.push(("SecurityGroupId", text(value))),
            "eip_instance_id" => params.push(("EipInstanceId", text(value))),
            "resource_group_id" => params.push(("ResourceGroupId", text(value))),
            "size_gib" => params.push(("ImageCacheSize", text(value))),
            "retention_days" => params.push(("RetentionDays", text(value))),
            "images" => params.push(("Image.1", text(&value[0]))),
            "plain_http_registries" => params.push(("PlainHttpRegistry", text(&value[0]))),
            "insecure_registries" => params.push(("InsecureRegistry", text(&value[0]))),
            "acr_registries" => {
                params.push(("AcrRegistryInfo.1.InstanceId", text(&value[0]["instance_id"])));
                params.extend(value[0].get("arn_service").map(|role| ("AcrRegistryInfo.1.ArnService", text(role))));
            }
            other => panic!("{other} has no name here"),
        }
    }
    params
}

#[tokio::test]
async fn each_rule_refuses_a_create_in_the_clouds_shape() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({})).await;
    let key = RpcKey::new(&app).await;
    for (policy, more, expected) in cases() {
        rule(&app, &policy).await;
        let wire = on_the_wire(&more);
        let mut params = NEW.to_vec();
        params.extend(wire.iter().map(|(name, value)| (*name, value.as_str())));
        if !wire.iter().any(|(name, _)| *name == "Image.1") {
            params.push(("Image.1", "nginx:1.27"));
        }
        let refused = error(&key.post(&app, "CreateImageCache", &params).await, 403, "Forbidden.PolicyRefused");
        let message = refused["Message"].as_str().unwrap();
        let named = format!("({})", expected.split(' ').next().unwrap());
        assert!(message.contains(&named) && message.contains("platform@example.com"), "{message}");
        assert!(wire.is_empty() || message.contains(wire.last().unwrap().0), "{message}");
    }
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn an_update_is_judged_and_a_profile_fills_in() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({})).await;
    let profile = json!({"security_group_id": "sg-profile"});
    admin(&app, Method::PUT, "/v1/region-profiles/default:cn-beijing", Some(&profile)).await.expect(200);
    let key = RpcKey::new(&app).await;
    let mut params = NEW.to_vec();
    params.push(("Image.1", "nginx:1.27"));
    let id = success(&key.post(&app, "CreateImageCache", &params).await)["ImageCacheId"].as_str().unwrap().to_owned();
    let cache = app.only_cache().await;
    assert_eq!(cache["security_group_id"], "sg-profile");
    app.until(cache["id"].as_str().unwrap(), "ready").await;
    let change = [("RegionId", "cn-beijing"), ("ImageCacheId", &id), ("VSwitchId", "vsw-1")];
    let told = error(&key.post(&app, "UpdateImageCache", &change).await, 403, "Forbidden.PolicyRefused");
    assert!(told["Message"].as_str().unwrap().contains("must be left out"), "{told}");
    let other = [NEW[0], NEW[1], ("Image.1", "nginx:1"), ("SecurityGroupId", "sg-mine")];
    let told = error(&key.post(&app, "CreateImageCache", &other).await, 403, "Forbidden.PolicyRefused");
    assert!(
        told["Message"].as_str().unwrap().contains("leave the field out, and it is filled in; allowed: sg-profile"),
        "{told}"
    );
    let shown = success(&key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await);
    assert_eq!(shown["ImageCaches"][0]["Tags"], json!([]), "none of ours");
}

#[tokio::test]
async fn a_refusal_lists_what_is_allowed() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({})).await;
    let many: Vec<String> = (0..25).map(|number| format!("vsw-{number}")).collect();
    rule(&app, &json!({"regions": ["cn-hangzhou", "cn-shanghai"], "vswitch_ids": many})).await;
    let key = RpcKey::new(&app).await;
    let params = [NEW[0], NEW[1], ("Image.1", "nginx:1"), ("VSwitchId", "vsw-x")];
    let told = error(&key.post(&app, "CreateImageCache", &params).await, 403, "Forbidden.PolicyRefused");
    let message = told["Message"].as_str().unwrap();
    for part in ["RegionId is not a region", "allowed: cn-hangzhou, cn-shanghai (regions)", "vsw-19 and 5 more"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let body = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1"], "vswitch_ids": ["vsw-x"]});
    let problem = app.post("/v1/image-caches", &body).await.problem(403, "policy_refused");
    assert!(problem["detail"].as_str().unwrap().contains("allowed: cn-hangzhou, cn-shanghai (regions)"), "{problem}");
}

#[tokio::test]
async fn a_disabled_team_is_refused() {
    let settings = app::GatewaySettings { policy_contact: None, ..setup().settings };
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    register(&app, &json!({})).await;
    let key = RpcKey::of(&app, "web", &json!({"scopes": [Scope::Read.as_str()]})).await;
    admin(&app, Method::PATCH, "/v1/teams/web", Some(&json!({"disabled": true}))).await.expect(200);
    let refused = key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await;
    let told = error(&refused, 403, "Forbidden.TeamDisabled");
    assert!(told["Message"].as_str().unwrap().contains("the gateway's administrators"), "{told}");
}
