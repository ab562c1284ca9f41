//! Problems as clients use them: the pages that explain their codes, whether to repeat, and all faults at once.
#![cfg(test)]

use std::collections::BTreeSet;

use eci_cache_gateway::domain::field::FieldCode;
use eci_cache_gateway::domain::limits::bucket::Rate;
use eci_cache_gateway::domain::problem::Code;
use eci_cache_gateway::http::links::Links;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::limits::setup;
use crate::support::answer::Answer;
use crate::support::gateway::{TestGateway, new_cache};
use crate::support::setup::Setup;

const PAGES: &str = "/docs/problems";

/// Asks for a page as nobody in particular.
async fn page(app: &TestGateway, path: &str, accept: &str) -> Answer {
    Answer::of(app.bare(Method::GET, path).header("accept", accept)).await
}

/// Every element is closed in the order in which it was opened, and nothing leads elsewhere.
fn is_sound(page: &Answer) {
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{page:?}");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let text = page.text.strip_prefix("<!doctype html>\n").unwrap();
    assert!(!["http", "<script", "<img", "<link", "url(", "@import"].iter().any(|word| text.contains(word)), "{text}");
    let mut open = Vec::new();
    for part in text.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap();
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{text}"),
            None if name == "meta" => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn each_code_has_a_page_that_anybody_can_read() {
    let app = TestGateway::start().await;
    let index = page(&app, PAGES, "text/html").await;
    is_sound(&index);
    for code in Code::ALL {
        let name = code.as_str();
        assert!(index.text.contains(&format!("<a href=\"problems/{name}\">")), "{name}");
        let html = page(&app, &format!("{PAGES}/{name}"), "*/*").await;
        is_sound(&html);
        assert!(html.text.contains(&format!("<code>{name}</code>")) && html.text.contains("../problems"), "{html:?}");
        let row = page(&app, &format!("{PAGES}/{name}"), "application/json").await.expect(200);
        assert_eq!((&row["code"], &row["statuses"]), (&json!(name), &json!(code.statuses())), "{row}");
        assert_eq!((&row["meaning"], &row["resolution"]), (&json!(code.meaning()), &json!(code.resolution())));
    }
    let all = page(&app, PAGES, "application/json").await.expect(200);
    assert_eq!(all["problems"].as_array().unwrap().len(), Code::ALL.len());
    assert_eq!(all["field_codes"].as_array().unwrap().len(), FieldCode::ALL.len());
    for absent in ["nothing", "<b>", "not_found%2f", "Not_Found"] {
        let refused = page(&app, &format!("{PAGES}/{absent}"), "text/html").await;
        let problem = refused.problem(404, "not_found");
        assert!(problem["detail"].as_str().unwrap().contains("no problem with this code"), "{problem}");
    }
    assert_eq!(app.count("SELECT count(*) FROM audit_entries").await, 0, "nothing of the API");
}

#[tokio::test]
async fn the_type_leads_to_the_page() {
    for (links, prefix) in [
        (Links::default(), ""),
        (Links::new(Some("https://gw.example.com/eci/"), Vec::new()), "https://gw.example.com/eci"),
    ] {
        let app = TestGateway::with(Setup { links, ..Setup::default() }).await;
        let problem = app.get("/v1/operations/nothing").await.problem(404, "not_found");
        let kind = problem["type"].as_str().unwrap();
        assert_eq!(kind, format!("{prefix}/docs/problems/not_found"));
        page(&app, kind.strip_prefix(prefix).unwrap(), "text/html").await.expect_text(200);
    }
}

#[tokio::test]
async fn only_what_is_safe_to_repeat_is_to_be_repeated() {
    let rate = Rate { per_second: 1, burst: 1 };
    let app = TestGateway::with(setup(|limits| limits.team.rate = rate)).await;
    app.get("/v1/me").await.expect(200);
    let cache = "/v1/image-caches";
    let matches = json!({"region": "cn-beijing", "images": ["nginx:1.27"]});
    let key = |request: RequestBuilder| request.header("idempotency-key", "k");
    let create = || app.request(Method::POST, cache).json(&new_cache("nginx:1.27"));
    let change = |method| app.request(method, "/v1/image-caches/ic_00000000000000000000000001").json(&json!({}));
    for (request, retryable, why) in [
        (app.request(Method::GET, cache), true, "a read"),
        (create(), false, "it may be made twice"),
        (key(create()), true, "with a key"),
        (app.request(Method::POST, "/v1/matches").json(&matches), true, "a read by POST"),
        (key(app.request(Method::POST, "/v1/matches")).json(&matches), true, "a read by POST, with a key"),
        (change(Method::PATCH), false, "PATCH is not idempotent"),
        (change(Method::DELETE), true, "DELETE is idempotent"),
        (app.request(Method::PUT, "/v1/default-policy").json(&json!({})), true, "PUT is idempotent"),
    ] {
        let refused = Answer::of(request).await;
        let problem = refused.problem(429, "rate_limited");
        assert_eq!(problem["retryable"], retryable, "{why}: {problem}");
        assert!(!refused.header("retry-after").is_empty(), "{why}");
    }
    let unknown = Answer::of(app.bare(Method::GET, "/v1/me")).await.problem(401, "token_missing");
    assert_eq!(unknown["retryable"], false, "a repeat does not help");
}

/// Each fault as its place and its code.
fn faults(problem: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = |error: &Value| text(&error["pointer"]) + &text(&error["parameter"]);
    problem["errors"].as_array().unwrap().iter().map(|error| (place(error), text(&error["code"]))).collect()
}

fn expected(faults: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    faults.iter().map(|(place, code)| ((*place).to_owned(), (*code).to_owned())).collect()
}

fn details(problem: &Value) -> String {
    problem["errors"].as_array().unwrap().iter().map(|error| error["detail"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_body_is_told_everything_that_is_wrong_with_it() {
    let app = TestGateway::start().await;
    let body = json!({"region": 7, "size": 20, "sizeGib": 30, "retention_days": 0, "colour": "red",
        "images": ["nginx", 5, "a b"], "registry_credentials": [{"server": "r.example.com", "pasword": "x"}]});
    let problem = app.post("/v1/image-caches", &body).await.problem(422, "invalid_request");
    let wrong = [
        ("/name", "required"),
        ("/region", "invalid_type"),
        ("/size", "unknown_field"),
        ("/sizeGib", "unknown_field"),
        ("/colour", "unknown_field"),
        ("/images/1", "invalid_type"),
        ("/images/2", "invalid"),
        ("/retention_days", "out_of_range"),
        ("/registry_credentials/0/pasword", "unknown_field"),
        ("/registry_credentials/0/password", "required"),
        ("/registry_credentials/0/user_name", "required"),
    ];
    assert_eq!(faults(&problem), expected(&wrong), "{problem:#}");
    assert_eq!(details(&problem).matches("did you mean `size_gib`?").count(), 2, "{problem:#}");
    assert!(details(&problem).contains("did you mean `password`?"), "{problem:#}");
    assert!(!problem.to_string().contains("a b") && app.creations().await == 0, "{problem:#}");

    let endpoint = json!({"event_types": ["nothing"], "format": "xml", "rate_per_second": 5000, "ordered": "no"});
    let problem = app.post("/v1/webhook-endpoints", &endpoint).await.problem(422, "invalid_request");
    let wrong = [
        ("/url", "required"),
        ("/ordered", "invalid_type"),
        ("/event_types/0", "unknown_event_type"),
        ("/format", "invalid"),
        ("/rate_per_second", "out_of_range"),
    ];
    assert_eq!(faults(&problem), expected(&wrong), "{problem:#}");
}

#[tokio::test]
async fn a_query_is_told_everything_that_is_wrong_with_it() {
    let app = TestGateway::start().await;
    let path = "/v1/image-caches?staus=ready&limit=0&Region=cn-beijing&colour=red&name=a&name=b";
    let problem = app.get(path).await.problem(422, "invalid_request");
    let wrong = [
        ("staus", "unknown_parameter"),
        ("limit", "out_of_range"),
        ("Region", "unknown_parameter"),
        ("colour", "unknown_parameter"),
        ("name", "duplicate"),
    ];
    assert_eq!(faults(&problem), expected(&wrong), "{problem:#}");
    let told = details(&problem);
    assert!(told.contains("did you mean `status`?") && told.contains("did you mean `region`?"), "{problem:#}");
    let many: Vec<String> = (0..50).map(|n| format!("p{n}=1")).collect();
    let problem = app.get(&format!("/v1/image-caches?{}", many.join("&"))).await.problem(422, "invalid_request");
    assert_eq!(faults(&problem).len(), 20, "bounded");
}
