//! What is in progress and what it costs: for a team its own, for the platform everything.
#![cfg(test)]

use eci_cache_gateway::app;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::policy::Prices;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway, new_cache};

async fn get(app: &TestGateway, team: &str, scopes: &[Scope], path: &str) -> Answer {
    Answer::of(app.bare(Method::GET, path).bearer_auth(app.token(team, scopes))).await
}

#[tokio::test]
async fn the_platform_sees_what_goes_on_and_what_it_costs() {
    let prices = Prices::read("CNY", ["gib_month=1", "build=5"]).unwrap();
    let settings = app::GatewaySettings { prices, ..Setup::default().settings };
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    app.created().await;
    // One of another team, which the cloud has not answered.
    app.fault(&json!({"action": "CreateImageCache", "kind": "reset", "apply": true})).await;
    let create = app.bare(Method::POST, "/v1/image-caches").bearer_auth(app.token("other", &[Scope::Write]));
    let open = Answer::of(create.json(&new_cache("nginx"))).await.expect(202);
    let operation = open["operation_id"].as_str().unwrap().to_owned();
    let listed = async |team: &str, scopes: &[Scope], query: &str| {
        let page = get(&app, team, scopes, &format!("/v1/operations{query}")).await.expect(200);
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| (item["team"].clone(), item["id"].clone())).collect::<Vec<_>>()
    };
    let expected = vec![(json!("other"), json!(operation))];
    assert_eq!(listed("platform", &[Scope::PlatformRead], "?team=*").await, expected);
    assert_eq!(listed("platform", &[Scope::PlatformRead], "?team=other").await, expected);
    assert_eq!(listed("platform", &[Scope::PlatformRead], "").await, []);
    assert_eq!(listed("other", &[Scope::Read], "").await, expected);
    assert_eq!(listed(TEAM, &[Scope::Read], "").await, []);
    get(&app, TEAM, &[Scope::Read], "/v1/operations?team=*").await.problem(403, "scope_missing");
    let path = format!("/v1/operations/{operation}");
    get(&app, "platform", &[Scope::PlatformRead], &path).await.expect(200);
    get(&app, TEAM, &[Scope::Read], &path).await.problem(404, "not_found");

    let costs = get(&app, "platform", &[Scope::PlatformRead], "/v1/team-costs").await.expect(200);
    let seen: Vec<(&Value, &Value)> =
        costs["items"].as_array().unwrap().iter().map(|item| (&item["team"], &item["used"]["image_caches"])).collect();
    assert_eq!(seen, [(&json!("other"), &json!(1)), (&json!(TEAM), &json!(1))]);
    assert_eq!(costs["items"][1]["currency"], "CNY");
    assert_eq!(costs["items"][1]["used"]["monthly_cost"], "25.00");
    let first = get(&app, "platform", &[Scope::PlatformRead], "/v1/team-costs?limit=1").await.expect(200);
    let next = format!("/v1/team-costs?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = get(&app, "platform", &[Scope::PlatformRead], &next).await.expect(200);
    assert_eq!((&second["items"][0]["team"], &second["has_more"]), (&json!(TEAM), &json!(false)));
}
