//! What teams may do: rules at every door, quotas, profiles, dry runs, and who manages them.
#![cfg(test)]

use eci_cache_gateway::app;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::policy::Prices;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway, new_cache};

mod dry_run;
mod owner_tags;
mod quotas;
pub(crate) mod rules;
mod teams;

/// Whom to contact to change policies.
const CONTACT: &str = "platform@example.com";

/// A gateway with prices and a contact.
pub(crate) fn setup() -> Setup {
    let prices = Prices::read("CNY", ["gib_month=1", "build=5"]).unwrap();
    let usual = Setup::default().settings;
    let settings = app::GatewaySettings { policy_contact: Some(CONTACT.into()), prices, ..usual };
    Setup { settings, ..Setup::default() }
}

/// A request of an administrator.
pub(crate) async fn admin(app: &TestGateway, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = app.bare(method, path).bearer_auth(app.token("platform", &Scope::PLATFORM));
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

/// Registers [`TEAM`] with this policy.
pub(crate) async fn register(app: &TestGateway, policy: &Value) {
    let body = json!({"id": TEAM, "display_name": "Web", "cost_centre": "4711", "policy": policy});
    admin(app, Method::POST, "/v1/teams", Some(&body)).await.expect(201);
}

/// Gives [`TEAM`] this policy.
pub(crate) async fn rule(app: &TestGateway, policy: &Value) {
    admin(app, Method::PUT, "/v1/teams/web/policy", Some(policy)).await.expect(200);
}

/// The body of a create with these additional members.
fn body(more: &Value) -> Value {
    let mut body = new_cache("nginx:1.27");
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The refusing rules, each with its field.
#[track_caller]
fn refused_by(answer: &Answer) -> Vec<String> {
    let problem = answer.problem(403, "policy_refused");
    assert_eq!(problem["contact"], CONTACT, "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains(CONTACT), "{problem}");
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| format!("{} {}", text(error, "rule"), text(error, "pointer")).trim().to_owned()).collect()
}
