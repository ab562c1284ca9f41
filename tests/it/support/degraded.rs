//! What `/readyz` reports as degraded.
#![cfg(test)]

use reqwest::Method;
use serde_json::Value;

use super::answer::Answer;
use super::gateway::TestGateway;

/// The sentences of a page, except those about transactions: the server is shared with other tests, whose open
/// transactions are hours old by a clock that a test has moved by hours.
pub(crate) fn degraded_in(page: &Value) -> Vec<String> {
    let told = page["degraded"].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned());
    told.filter(|text| !text.contains("by the transaction of process")).collect()
}

/// The same, while a worker is running.
pub(crate) async fn degraded(app: &TestGateway) -> Vec<String> {
    app.gateway.upkeep().beat("a worker").await.unwrap();
    degraded_in(&Answer::of(app.bare(Method::GET, "/readyz")).await.expect(200))
}
