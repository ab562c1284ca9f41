//! Dry runs, and parameters that an action does not have: nothing that changes what is done is ignored.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::eci::params::known::{ACTIONS, HARMLESS};
use reqwest::Method;
use serde_json::json;

use super::client::{RpcKey, error, success};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

const REGION: (&str, &str) = ("RegionId", "cn-beijing");

/// The required parameters of an action on the image cache `id`.
fn least<'a>(action: &str, id: &'a str) -> Vec<(&'static str, &'a str)> {
    match action {
        "CreateImageCache" => vec![REGION, ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")],
        "UpdateImageCache" => vec![REGION, ("ImageCacheId", id), ("Image.1", "nginx:1.28")],
        "DeleteImageCache" => vec![REGION, ("ImageCacheId", id)],
        _ => vec![REGION],
    }
}

/// A valid value of a parameter, so that it is not refused for its value.
fn value(parameter: &str) -> &'static str {
    match parameter {
        "ImageCacheSize" => "30",
        "RetentionDays" | "StandardCopyCount" | "FlashCopyCount" | "Limit" | "ImageMatchCountRequest" => "1",
        "Flash" | "AutoMatchImageCache" | "ImageFullMatch" => "false",
        "EliminationStrategy" => "LRU",
        "OsType" => "Linux",
        "Image.1" | "Image" | "MatchImage.1" => "nginx:1.27",
        other if other.starts_with("ImageRegistryCredential") => "r.example.com",
        _ => "x",
    }
}

/// A ready cache; returns the cloud's id.
async fn ready(app: &TestGateway) -> String {
    let id = app.created().await;
    app.until(&id, "ready").await["eci_cache_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_dry_run_does_nothing_whatever_it_is_called() {
    let app = TestGateway::start().await;
    let id = ready(&app).await;
    let key = RpcKey::new(&app).await;
    let operations = app.count("SELECT count(*) FROM operations").await;
    for known in ACTIONS.iter() {
        for (name, said) in
            [("DryRun", "true"), ("DryRun", "True"), ("dryRun", "1"), ("dry_run", "yes"), ("DRYRUN", " TRUE")]
        {
            let mut params = least(known.action.as_str(), &id);
            params.push((name, said));
            for answer in [
                key.get(&app, known.action.as_str(), &params).await,
                key.post(&app, known.action.as_str(), &params).await,
            ] {
                let told = error(&answer, 400, "DryRunOperation");
                assert_eq!(told["Message"], "Request validation has been passed with DryRun flag set.");
            }
        }
        let mut unclear = least(known.action.as_str(), &id);
        unclear.push(("DryRun", "perhaps"));
        let told = error(&key.post(&app, known.action.as_str(), &unclear).await, 400, "InvalidParameter");
        assert!(told["Message"].as_str().unwrap().contains("DryRun is not valid: it must be true or false"), "{told}");
        let in_header =
            key.v3(&app, known.action.as_str(), &least(known.action.as_str(), &id), true).header("dry-run", "true");
        error(&Answer::of(in_header).await, 400, "DryRunOperation");
    }
    assert_eq!(app.count("SELECT count(*) FROM operations").await, operations);
    assert_eq!((app.creations().await, app.only_cache().await["status"].as_str()), (1, Some("ready")));
    let mut real = least("CreateImageCache", &id);
    real.push(("DryRun", "False"));
    success(&key.post(&app, "CreateImageCache", &real).await);
    assert_eq!(app.creations().await, 2);
}

#[tokio::test]
async fn a_dry_run_is_judged_as_the_real_request_would_be() {
    let app = TestGateway::start().await;
    let id = ready(&app).await;
    let key = RpcKey::new(&app).await;
    let dry = ("DryRun", "true");
    let small = [REGION, ("ImageCacheName", "web"), ("Image.1", "nginx"), ("ImageCacheSize", "19"), dry];
    error(&key.post(&app, "CreateImageCache", &small).await, 400, "InvalidParameter");
    error(&key.post(&app, "CreateImageCache", &[REGION, dry]).await, 400, "MissingParameter");
    let absent = ("ImageCacheId", "imc-2ze00000000000000000");
    error(&key.post(&app, "DeleteImageCache", &[REGION, absent, dry]).await, 404, "InvalidParameter.NotFound");
    error(&key.post(&app, "UpdateImageCache", &[REGION, absent, dry]).await, 404, "InvalidParameter.NotFound");
    success(&key.post(&app, "UpdateImageCache", &least("UpdateImageCache", &id)).await);
    let mut again = least("UpdateImageCache", &id);
    again.push(dry);
    error(&key.post(&app, "UpdateImageCache", &again).await, 400, "ImageCache.IncorrectStatus");
    let reader = RpcKey::of(&app, TEAM, &json!({"scopes": [Scope::Read.as_str()]})).await;
    let mut create = least("CreateImageCache", &id);
    create.push(dry);
    error(&reader.post(&app, "CreateImageCache", &create).await, 403, "Forbidden.SubUser");
}

#[tokio::test]
async fn each_parameter_is_taken_harmless_or_refused_by_name() {
    let app = TestGateway::start().await;
    let id = ready(&app).await;
    let key = RpcKey::new(&app).await;
    let mut all: Vec<String> = ACTIONS
        .iter()
        .flat_map(|known| known.taken.iter().map(String::as_str))
        .chain(HARMLESS)
        .map(|name| name.replace(".N", ".1"))
        .collect();
    all.extend(["Unheard.Of", "clientToken", "Images.1", "Force", "ImageCacheSizeGiB"].map(str::to_owned));
    all.sort_unstable();
    all.dedup();
    for known in ACTIONS.iter() {
        for name in &all {
            let mut params = least(known.action.as_str(), &id);
            params.retain(|(had, _)| had != name);
            params.push((name, if name == "ImageCacheId" { &id } else { value(name) }));
            params.push(("DryRun", "true"));
            let form = name.replace(".1", ".N");
            let of_another = ACTIONS.iter().any(|other| other.takes(&form));
            let is_known = known.takes(&form)
                || HARMLESS.contains(&form.as_str())
                || (of_another && ["DeleteImageCache", "ListUsage"].contains(&known.action.as_str()));
            let told = key.post(&app, known.action.as_str(), &params).await.expect_error();
            let message = told["Message"].as_str().unwrap();
            let refused = message.contains(&format!("{name} is not valid: it is no parameter of {}", known.action));
            assert_eq!(refused, !is_known, "{} {name}: {told}", known.action);
        }
    }
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn rest_passes_over_no_dry_run_either() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let new = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
    let one = format!("/v1/image-caches/{id}");
    for (method, path, body) in [
        (Method::POST, "/v1/image-caches", Some(&new)),
        (Method::POST, "/v1/image-caches/ensure", Some(&new)),
        (Method::PATCH, one.as_str(), Some(&json!({"retention_days": 3}))),
        (Method::DELETE, one.as_str(), None),
    ] {
        for query in ["?dry_run=true", "?dryRun", "?validate_only=1", "?DryRun=maybe"] {
            let mut request = app.request(method.clone(), &format!("{path}{query}"));
            if let Some(body) = body {
                request = request.json(body);
            }
            let problem = Answer::of(request).await.problem(422, "invalid_request");
            assert_eq!(problem["errors"][0]["code"], "unknown_parameter", "{problem}");
        }
        for (name, said) in [("dry-run", "true"), ("x-dry-run", "1"), ("x-validate-only", "yes"), ("prefer", "dry-run")]
        {
            let mut request = app.request(method.clone(), path).header(name, said);
            if let Some(body) = body {
                request = request.json(body);
            }
            Answer::of(request).await.problem(400, "no_dry_run");
        }
    }
    for member in ["dry_run", "dryRun", "DryRun", "validate_only"] {
        let mut body = new.clone();
        body[member] = json!(true);
        app.post("/v1/image-caches", &body).await.problem(422, "invalid_request");
    }
    assert_eq!((app.creations().await, app.only_cache().await["status"].as_str()), (1, Some("ready")));
    let plain = app.request(Method::POST, "/v1/image-caches/dry-run").header("dry-run", "true").json(&new);
    assert_eq!(Answer::of(plain).await.status, 200, "that is one");
    let not = app.request(Method::POST, "/v1/image-caches").header("dry-run", "false").json(&new);
    assert_eq!(Answer::of(not).await.status, 201);
}
