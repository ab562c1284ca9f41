//! Links in responses, behind a proxy that removes a prefix from the path.
#![cfg(test)]

use eci_cache_gateway::http::links::Links;
use reqwest::Method;
use serde_json::json;

use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway, new_cache};

/// All links in the API's responses to requests with this prefix.
async fn links(app: &TestGateway, prefix: &str) -> Vec<String> {
    let request = |method, path: &str| app.request(method, path).header("x-forwarded-prefix", prefix);
    let create = |image: &str| request(Method::POST, "/v1/image-caches").json(&new_cache(image));
    let keyed = || create("redis:7").header("idempotency-key", "k");
    let mut found = Vec::new();
    let mut keep = |answer: &Answer, name: &str| found.push(answer.header(name).to_owned());
    keep(&Answer::of(create("nginx:1")).await, "location");
    keep(&Answer::of(create("nginx:2").header("prefer", "wait=0")).await, "location");
    Answer::of(keyed()).await.expect(201);
    keep(&Answer::of(keyed()).await, "link");
    keep(&Answer::of(request(Method::GET, "/v1/image-caches?limit=1")).await, "link");
    keep(&Answer::of(request(Method::GET, "/v1/events?limit=1")).await, "link");
    let endpoint = json!({"url": "http://127.0.0.1:9/", "skip_challenge": true});
    keep(&Answer::of(request(Method::POST, "/v1/webhook-endpoints").json(&endpoint)).await, "location");
    found
}

/// The server in the document, and where the documentation links to.
async fn pages(app: &TestGateway, prefix: &str) -> (String, String) {
    let get = |path: &str| app.bare(Method::GET, path).header("x-forwarded-prefix", prefix);
    let document = Answer::of(get("/openapi.json")).await.expect(200);
    let older = Answer::of(get("/openapi-3.0.json")).await.expect(200);
    assert_eq!(document["servers"], older["servers"]);
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let docs = http.get(format!("http://{}/docs", app.address)).header("x-forwarded-prefix", prefix);
    let docs = Answer::of(docs).await.header("location").to_owned();
    let script = Answer::of(get("/docs/swagger-initializer.js")).await.text;
    assert!(script.contains("../openapi.json"), "relative to the page: {script}");
    (document["servers"][0]["url"].as_str().unwrap().to_owned(), docs)
}

fn all_begin_with(found: &[String], base: &str) {
    assert_eq!(found.len(), 6);
    for link in found {
        let path = link.trim_start_matches('<');
        assert!(path.starts_with(&format!("{base}/v1/")), "{base}: {link}");
    }
}

#[tokio::test]
async fn every_link_has_the_prefix_of_a_trusted_proxy() {
    let trusted = Links::new(None, vec!["127.0.0.0/8".parse().unwrap()]);
    let app = TestGateway::with(Setup { links: trusted, ..Setup::default() }).await;
    all_begin_with(&links(&app, "/eci").await, "/eci");
    assert_eq!(pages(&app, "/eci").await, ("/eci".to_owned(), "/eci/docs/".to_owned()));
    assert_eq!(pages(&app, "/").await, ("/".to_owned(), "/docs/".to_owned()));
}

#[tokio::test]
async fn nobody_else_names_a_prefix() {
    let app = TestGateway::start().await;
    all_begin_with(&links(&app, "/evil").await, "");
    assert_eq!(pages(&app, "/evil").await.0, "/");
}

#[tokio::test]
async fn every_link_has_the_public_url() {
    let public = Links::new(Some("https://gw.example.com/eci"), vec!["127.0.0.0/8".parse().unwrap()]);
    let app = TestGateway::with(Setup { links: public, ..Setup::default() }).await;
    all_begin_with(&links(&app, "/other").await, "https://gw.example.com/eci");
    let (server, docs) = pages(&app, "/other").await;
    assert_eq!((&*server, &*docs), ("https://gw.example.com/eci", "https://gw.example.com/eci/docs/"));
    let next = app.get("/v1/image-caches?limit=1").await;
    let link = next.header("link");
    let path = link.trim_start_matches("<https://gw.example.com/eci").split('>').next().unwrap();
    app.get(path).await.expect(200);
    let team = json!({"id": "t", "display_name": "T"});
    admin(&app, Method::POST, "/v1/teams", Some(&team)).await.expect(201);
}
