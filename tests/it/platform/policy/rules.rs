//! Each rule for create, ensure and update; region profiles; adoption.
#![cfg(test)]

use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::ids::OperationId;
use eci_cache_gateway::eci::Attempt;
use reqwest::Method;
use serde_json::{Value, json};

use super::{admin, body, refused_by, register, rule, setup};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

/// Policies, creates that they refuse, and the refusing rules.
pub(crate) fn cases() -> Vec<(Value, Value, &'static str)> {
    let acr = |role: Option<&str>| match role {
        Some(role) => json!({"acr_registries": [{"instance_id": "cri-1", "arn_service": role}]}),
        None => json!({"acr_registries": [{"instance_id": "cri-1"}]}),
    };
    vec![
        (json!({"cloud_accounts": ["other"]}), json!({}), "cloud_accounts"),
        (json!({"regions": ["cn-hangzhou"]}), json!({}), "regions /region"),
        (json!({"vswitch_ids": ["vsw-1"]}), json!({"vswitch_ids": ["vsw-1", "vsw-2"]}), "vswitch_ids /vswitch_ids/1"),
        (json!({}), json!({"security_group_id": "sg-1"}), "security_group_ids /security_group_id"),
        (json!({}), json!({"eip_instance_id": "eip-1"}), "eip_instance_ids /eip_instance_id"),
        (json!({}), json!({"resource_group_id": "rg-1"}), "resource_group_ids /resource_group_id"),
        (json!({}), acr(None), "acr_instance_ids /acr_registries/0/instance_id"),
        (json!({"acr_instance_ids": ["*"]}), acr(Some("acs:ram::1:role/r")), "role_arns /acr_registries/0/arn_service"),
        (
            json!({"registries": ["r.example.com/team-a/*"]}),
            json!({"images": ["r.example.com/team-b/x:1"]}),
            "registries /images/0",
        ),
        (json!({"allow_latest_tag": false}), json!({"images": ["nginx"]}), "allow_latest_tag /images/0"),
        (json!({"min_size_gib": 30}), json!({"size_gib": 20}), "min_size_gib /size_gib"),
        (json!({"max_size_gib": 30}), json!({"size_gib": 40}), "max_size_gib /size_gib"),
        (json!({"max_retention_days": 30}), json!({"retention_days": 31}), "max_retention_days /retention_days"),
        (json!({}), json!({"plain_http_registries": ["r.example.com"]}), "allow_plain_http /plain_http_registries"),
        (
            json!({}),
            json!({"insecure_registries": ["r.example.com"]}),
            "allow_insecure_registries /insecure_registries",
        ),
        (json!({"max_image_caches": 0}), json!({}), "max_image_caches"),
        (json!({"max_total_gib": 19}), json!({}), "max_total_gib"),
        (json!({"monthly_budget": "24.99"}), json!({}), "monthly_budget"),
    ]
}

#[tokio::test]
async fn each_rule_refuses_a_create_and_an_ensure() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({})).await;
    for (policy, more, expected) in cases() {
        rule(&app, &policy).await;
        for path in ["/v1/image-caches", "/v1/image-caches/ensure"] {
            let answer = app.post(path, &body(&more)).await;
            assert_eq!(refused_by(&answer), [expected], "{path} {policy}");
        }
    }
    assert_eq!(app.count("SELECT count(*) FROM image_caches").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM operations").await, 0);
    let refused = "SELECT count(*) FROM audit_entries WHERE code = 'policy_refused' AND outcome = 'refused'";
    assert_eq!(app.count(refused).await, 2 * i64::try_from(cases().len()).unwrap());
}

#[tokio::test]
async fn a_refusal_says_what_is_allowed() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"registries": ["r.example.com/team-a/*"], "max_size_gib": 30})).await;
    let answer = app
        .post("/v1/image-caches", &body(&json!({"images": ["nginx:1", "r.example.com/team-a/x:1"], "size_gib": 40})))
        .await;
    assert_eq!(refused_by(&answer), ["registries /images/0", "max_size_gib /size_gib"], "all at once");
    let problem = answer.json();
    assert_eq!(problem["errors"][0]["allowed"], json!(["r.example.com/team-a/*"]));
    assert_eq!(problem["errors"][1]["detail"], "must be at most 30 (GiB)");
}

#[tokio::test]
async fn an_update_is_judged_by_what_it_changes() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"vswitch_ids": ["*"]})).await;
    let made =
        app.post("/v1/image-caches", &body(&json!({"vswitch_ids": ["vsw-old"], "size_gib": 40}))).await.expect(201);
    let id = made["id"].as_str().unwrap();
    app.until(id, "ready").await;
    let path = format!("/v1/image-caches/{id}");
    for (policy, change, expected) in [
        (json!({}), json!({"vswitch_ids": ["vsw-new"]}), "vswitch_ids /vswitch_ids/0"),
        (json!({}), json!({"security_group_id": "sg-1"}), "security_group_ids /security_group_id"),
        (json!({}), json!({"eip_instance_id": "eip-1"}), "eip_instance_ids /eip_instance_id"),
        (json!({}), json!({"resource_group_id": "rg-1"}), "resource_group_ids /resource_group_id"),
        (
            json!({}),
            json!({"acr_registries": [{"instance_id": "cri-1"}]}),
            "acr_instance_ids /acr_registries/0/instance_id",
        ),
        (json!({"registries": ["redis"]}), json!({"images": ["nginx:1.27", "evil:1"]}), "registries /images/1"),
        (json!({"allow_latest_tag": false}), json!({"images": ["nginx:latest"]}), "allow_latest_tag /images/0"),
        (json!({"max_size_gib": 40}), json!({"size_gib": 41}), "max_size_gib /size_gib"),
        (json!({"max_retention_days": 9}), json!({"retention_days": 10}), "max_retention_days /retention_days"),
        (json!({"max_total_gib": 40}), json!({"size_gib": 41}), "max_total_gib"),
        (json!({"monthly_budget": "45"}), json!({"tags": {"a": "b"}}), "monthly_budget"),
    ] {
        rule(&app, &policy).await;
        assert_eq!(refused_by(&app.patch(&path, &change).await), [expected], "{change}");
    }
    assert_eq!(app.cache(id).await["version"], app.only_cache().await["version"]);
    // Nothing of this one is new but what the policy allows; the size shrinks although it is over the limit.
    rule(&app, &json!({"regions": [], "max_total_gib": 20, "max_image_caches": 0, "registries": []})).await;
    app.patch(&path, &json!({"tags": {"a": "b"}, "size_gib": 30})).await.expect(200);
}

#[tokio::test]
async fn a_region_profile_fills_in_and_opens_what_it_names() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"default_retention_days": 7, "min_size_gib": 25})).await;
    let path = "/v1/region-profiles/default:cn-beijing";
    let profile = json!({"vswitch_ids": ["vsw-1", "vsw-2"], "security_group_id": "sg-1", "resource_group_id": "rg-1", "zone_id": "cn-beijing-a"});
    let put = admin(&app, Method::PUT, path, Some(&profile)).await;
    assert_eq!((put.header("etag"), &put.expect(200)["id"]), ("\"v1\"", &json!("default:cn-beijing")));
    let made = app.post("/v1/image-caches", &body(&json!({}))).await.expect(201);
    for (field, value) in profile.as_object().unwrap() {
        assert_eq!(made[field], *value, "{field}");
    }
    assert_eq!((&made["retention_days"], &made["size_gib"]), (&json!(7), &json!(25)));
    // If it is given explicitly, it is allowed too, but nothing else is.
    let named = |id: &str| body(&json!({"name": "named", "vswitch_ids": [id]}));
    let own = app.post("/v1/image-caches", &named("vsw-2")).await.expect(201);
    assert_eq!(own.get("zone_id"), None, "the zone is that of the profile's vSwitches");
    assert_eq!(refused_by(&app.post("/v1/image-caches", &named("vsw-3")).await), ["vswitch_ids /vswitch_ids/0"]);
    let elsewhere = app.post("/v1/image-caches", &body(&json!({"region": "cn-hangzhou"}))).await.expect(201);
    assert_eq!(elsewhere.get("vswitch_ids"), None);

    let stale =
        app.bare(Method::PUT, path).bearer_auth(app.token("platform", &Scope::PLATFORM)).header("if-match", "\"v9\"");
    Answer::of(stale.json(&json!({}))).await.problem(412, "precondition_failed");
    let wrong = json!({"vswitch_ids": ["a b"]});
    admin(&app, Method::PUT, path, Some(&wrong)).await.problem(422, "invalid_request");
    let listed = admin(&app, Method::GET, "/v1/region-profiles", None).await.expect(200);
    assert_eq!(listed["items"][0], admin(&app, Method::GET, path, None).await.expect(200));
    assert_eq!(admin(&app, Method::DELETE, path, None).await.status, 204);
    admin(&app, Method::GET, path, None).await.problem(404, "not_found");
    admin(&app, Method::DELETE, path, None).await.problem(404, "not_found");
    assert_eq!(refused_by(&app.post("/v1/image-caches", &named("vsw-2")).await), ["vswitch_ids /vswitch_ids/0"]);
}

#[tokio::test]
async fn an_adoption_is_judged_like_a_create() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"max_image_caches": 1, "registries": ["nginx"]})).await;
    for (name, image) in [("a", "nginx:1"), ("b", "nginx:2"), ("c", "redis:7")] {
        let operation = OperationId::new(app.now(), &Entropy::from_os());
        let (client_token, signed_at) = (operation.to_string(), app.now());
        let attempt = Attempt { operation, client_token, signed_at, bucket: None, marks: Vec::new() };
        let spec = serde_json::from_value(json!({"name": name, "region": "cn-beijing", "images": [image]})).unwrap();
        app.cloud_client().create(&spec, &[], &attempt).await.unwrap();
    }
    for dry_run in [true, false] {
        let order = json!({"region": "cn-beijing", "filter": {}, "dry_run": dry_run});
        let request = app.bare(Method::POST, "/v1/image-caches/adopt").bearer_auth(app.token(TEAM, &Scope::PLATFORM));
        let done = Answer::of(request.json(&order)).await.expect(200);
        assert_eq!(done["adopted"].as_array().unwrap().len(), 1, "{done}");
        let rules: Vec<&Value> = done["skipped"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| {
                assert_eq!(one["reason"], "policy_refused", "{done}");
                one["refusals"].as_array().unwrap().iter().map(|refusal| &refusal["rule"])
            })
            .collect();
        assert!(rules.contains(&&json!("max_image_caches")) && rules.contains(&&json!("registries")), "{done}");
    }
    assert_eq!(app.count("SELECT count(*) FROM image_caches").await, 1);
}
