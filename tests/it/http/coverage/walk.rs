//! One request to every operation, by a caller who may make it.
#![cfg(test)]

use reqwest::Method;

use super::{DocumentedOperation, operations};
use crate::support::documented;
use crate::support::gateway::TestGateway;

/// All operations, reads first and deletes last.
pub(crate) fn in_order() -> Vec<DocumentedOperation> {
    let mut all = operations();
    let place = |operation: &DocumentedOperation| {
        [Method::GET, Method::POST, Method::PATCH].iter().position(|method| *method == operation.method).unwrap_or(9)
    };
    all.sort_by_key(place);
    all
}

/// Calls all operations, reads first and deletes last; returns each operation with its status.
///
/// The team must have a ready image cache and an endpoint.
pub(crate) async fn walk(app: &TestGateway, credential: &str) -> Vec<(String, u16)> {
    let mut answered = Vec::new();
    for operation in in_order() {
        let owned = operation.owned(app).await;
        match operation.id.as_str() {
            "get_audit_proof" | "get_audit_consistency" => app.seal().await,
            "update_image_cache" => drop(app.until(&owned, "ready").await),
            _ => {}
        }
        let answer = operation.request(app, &owned).bearer_auth(credential).send().await.unwrap();
        let status = answer.status().as_u16();
        // A stream that is let in would go on.
        if status >= 400 {
            documented::check(&operation.method, &operation.path, status, &answer.text().await.unwrap());
        }
        answered.push((operation.id, status));
    }
    answered
}
