//! The examples of the document: each request is sent as it stands there, and each response has the members that are
//! shown. `ECG_EXAMPLES=write` records the responses anew.
#![cfg(test)]

use std::collections::BTreeSet;

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::http::openapi::document_3_1;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::coverage::{DocumentedOperation, in_order};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};
use crate::support::hook::Hook;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/examples.json");
/// Answers without a JSON body.
const WITHOUT_JSON: [&str; 3] = ["stream_events", "stream_image_cache_events", "export_audit_entries"];
/// Members whose values are secret: an example shows that there is one.
const SECRET: [&str; 3] = ["key", "secret", "access_token"];

/// The example of a body in the document.
fn example(body: &Value) -> Option<Value> {
    Some(body.get("content")?.get("application/json")?.get("example")?.clone())
}

/// The operation's object in the document.
fn documented<'a>(document: &'a Value, operation: &DocumentedOperation) -> &'a Value {
    &document["paths"][&operation.path][operation.method.as_str().to_lowercase()]
}

/// The example of the operation's success.
fn answered(document: &Value, operation: &DocumentedOperation) -> Option<Value> {
    let responses = documented(document, operation)["responses"].as_object().unwrap();
    responses.iter().find(|(status, _)| status.starts_with('2')).and_then(|(_, response)| example(response))
}

/// Where there is a value, and of which type; places in lists are all the same.
fn shape(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    let inner: Vec<(&str, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        Value::Array(items) => items.iter().map(|item| ("-", item)).collect(),
        Value::String(_) => vec![(" text", &Value::Null)],
        Value::Number(_) => vec![(" number", &Value::Null)],
        Value::Bool(_) => vec![(" flag", &Value::Null)],
        Value::Null => {
            found.insert(at.to_owned());
            Vec::new()
        }
    };
    for (name, value) in inner {
        shape(value, &format!("{at}/{name}"), found);
    }
}

/// An answer as an example: the first of each list, no secrets, and no port of this run.
fn shown(value: Value, name: &str, port: u16) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name.clone(), shown(value, &name, port)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().take(1).map(|item| shown(item, name, port)).collect(),
        Value::String(_) if SECRET.contains(&name) => "…".into(),
        Value::String(text) => text.replace(&format!(":{port}"), ":9099").into(),
        other => other,
    }
}

/// A team with a ready image cache and a delivered event; and its webhook endpoint.
async fn inhabited(hook: &Hook) -> (TestGateway, String) {
    let app = TestGateway::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    (app, endpoint)
}

/// What makes things first, then what reads and changes them, deletes last.
fn ordered() -> Vec<DocumentedOperation> {
    let mut all = in_order();
    let makes = |operation: &DocumentedOperation| operation.method == Method::POST && operation.id_name.is_none();
    all.sort_by_key(|operation| match operation.method {
        Method::DELETE => 3,
        Method::PUT => 1,
        _ => {
            if makes(operation) {
                0
            } else {
                2
            }
        }
    });
    all
}

async fn send(app: &TestGateway, endpoint: &str, document: &Value, operation: &DocumentedOperation) -> Answer {
    let request = documented(document, operation).get("requestBody").and_then(example);
    let id = match (&request, operation.id.as_str(), operation.id_name.as_deref()) {
        (Some(body), "put_issuer", _) => body["name"].as_str().unwrap().to_owned(),
        (_, _, Some("webhook_endpoint_id")) => endpoint.to_owned(),
        _ => operation.owned(app).await,
    };
    match operation.id.as_str() {
        "update_image_cache" => drop(app.until(&id, "ready").await),
        "get_audit_proof" | "get_audit_consistency" => app.seal().await,
        _ => {}
    }
    let call = app.bare(operation.method.clone(), &operation.path_of(&id)).bearer_auth(app.token(TEAM, &Scope::ALL));
    Answer::of(if let Some(body) = &request { call.json(body) } else { call }).await
}

#[expect(clippy::disallowed_methods, reason = "it says whether to record, and is no setting")]
fn records() -> bool {
    std::env::var("ECG_EXAMPLES").is_ok_and(|word| word == "write")
}

#[tokio::test]
async fn each_example_is_what_the_gateway_takes_and_answers() {
    let document: Value = serde_json::from_str(&document_3_1()).unwrap();
    let hook = Hook::start().await;
    let (app, endpoint) = inhabited(&hook).await;
    let port = url::Url::parse(&hook.url()).unwrap().port().unwrap();
    let mut examples: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for operation in ordered().iter().filter(|operation| !WITHOUT_JSON.contains(&operation.id.as_str())) {
        let answer = send(&app, &endpoint, &document, operation).await;
        if answer.status >= 300 {
            wrong.push(format!("{}: {} {}", operation.id, answer.status, answer.text));
            continue;
        }
        let seen = if answer.status == 204 { Value::Null } else { shown(answer.json(), "", port) };
        let (mut expected, mut found) = (BTreeSet::new(), BTreeSet::new());
        shape(&answered(&document, operation).unwrap_or(json!(null)), "", &mut expected);
        shape(&seen, "", &mut found);
        if expected != found {
            wrong.push(format!("{}: {:?}", operation.id, expected.symmetric_difference(&found).collect::<Vec<_>>()));
        }
        if !seen.is_null() {
            examples[&operation.id]["response"] = seen;
        }
    }
    if records() {
        std::fs::write(FILE, format!("{examples:#}\n")).unwrap();
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
