//! The admin API is for people and tests on this machine: neither webhooks nor web pages can use it.

use serde_json::json;

use super::*;
use crate::support::gateway::TestGateway;

/// What is refused: headers that requests of people and tests do not have.
const FOREIGN: [(&str, &str); 10] = [
    ("webhook-id", "evt_1"),
    ("webhook-signature", "v1,abc"),
    ("origin", "http://evil.example"),
    ("origin", "null"),
    ("origin", "http://127.0.0.1:8080"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-origin"),
    ("host", "evil.example"),
    ("host", "127.0.0.1.evil.example:80"),
    ("referer", "http://evil.example/"),
];

#[tokio::test]
async fn neither_a_page_in_a_browser_nor_a_webhook_reaches_the_admin_door() {
    let cloud = TestCloud::start().await;
    cloud.created(&spec(&json!({}))).await;
    for (name, value) in FOREIGN {
        for (method, what) in [(reqwest::Method::POST, "reset"), (reqwest::Method::GET, "calls")] {
            let asked = cloud.http.request(method.clone(), format!("{}/_admin/{what}", cloud.url)).header(name, value);
            let answer = asked.send().await.expect("an answer");
            assert_eq!(answer.status(), 403, "{method} {what} with {name}: {value}");
        }
    }
    assert_eq!(cloud.creations().await, 1, "nothing was forgotten");
    for host in ["localhost:1", "127.0.0.1", "[::1]:9", "127.9.9.9:80"] {
        let asked = cloud.http.get(format!("{}/_admin/calls", cloud.url)).header("host", host);
        assert_eq!(asked.send().await.expect("an answer").status(), 200, "{host}");
    }
}

#[tokio::test]
async fn an_endpoint_that_points_to_it_changes_nothing_there() {
    let app = TestGateway::start().await;
    app.created().await;
    let url = format!("{}/_admin/reset", app.cloud());
    let body = json!({"url": url, "skip_challenge": true, "headers": {"x-any": "thing"}});
    let made = app.post("/v1/webhook-endpoints", &body).await;
    if made.status == 201 {
        let path = format!("/v1/webhook-endpoints/{}/test", made.json()["id"].as_str().expect("an id"));
        let tested = app.post(&path, &json!({})).await;
        assert_ne!(tested.json()["outcome"], "delivered", "{tested:?}");
    }
    assert_eq!(app.creations().await, 1);
}
