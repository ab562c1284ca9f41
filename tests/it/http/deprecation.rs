//! What an operation that will be removed says with each response.
#![cfg(test)]

use chrono::{TimeZone as _, Utc};
use eci_cache_gateway::http::HttpSettings;
use eci_cache_gateway::http::deprecation::Deprecation;
use reqwest::Method;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

#[tokio::test]
async fn a_deprecated_operation_says_until_when_it_works_and_what_replaces_it() {
    let deprecation = Deprecation {
        operation: "list_image_caches",
        since: Utc.with_ymd_and_hms(2026, 3, 1, 0, 0, 0).unwrap(),
        sunset: Utc.with_ymd_and_hms(2027, 3, 1, 0, 0, 0).unwrap(),
        instead: "https://docs.example.com/changes#lists",
    };
    let http = HttpSettings { deprecated: Vec::leak(vec![deprecation]), ..HttpSettings::default() };
    let app = TestGateway::with(Setup { http, ..Setup::default() }).await;
    app.created().await;
    app.created().await;
    for answer in [
        app.get("/v1/image-caches?limit=1").await,
        Answer::of(app.bare(Method::GET, "/v1/image-caches")).await,
        app.get("/v1/image-caches?limit=0").await,
    ] {
        assert_eq!(answer.header("deprecation"), "@1772323200", "{answer:?}");
        assert_eq!(answer.header("sunset"), "Mon, 01 Mar 2027 00:00:00 GMT");
        let links: Vec<&str> = answer.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
        let said = r#"<https://docs.example.com/changes#lists>; rel="deprecation"; type="text/html""#;
        assert!(links.contains(&said), "{links:?}");
        assert_eq!(links.len(), if answer.status == 200 { 2 } else { 1 }, "the next page, too: {links:?}");
    }
    let other = app.get("/v1/me").await;
    assert_eq!((other.header("deprecation"), other.header("sunset"), other.header("link")), ("", "", ""));
}
