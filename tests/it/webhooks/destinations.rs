//! Webhook URLs and where they lead: secrets in them, addresses that are never allowed, tests that cannot be abused for
//! reading, names that change their address.
#![cfg(test)]

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::gateway::TestGateway;

mod closed_addresses;
mod moved_names;
mod own_services;
mod secret_urls;
mod test_deliveries;

/// Sends everything that is due.
async fn deliver(app: &TestGateway) -> usize {
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap()
}

/// A new endpoint at `url` that skips the challenge; returns its path.
async fn unasked(app: &TestGateway, url: &str, more: Value) -> String {
    let mut body = json!({"url": url, "skip_challenge": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = app.post("/v1/webhook-endpoints", &body).await.expect(201);
    format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap())
}
