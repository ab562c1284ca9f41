//! Every POST and PATCH of the document, repeated with its `Idempotency-Key`: answered the same, and done once. An
//! operation of which the table does not say how it is repeated fails the test.
#![cfg(test)]

use eci_cache_gateway::app::access::{self, Repeats};
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use sqlx::AssertSqlSafe;

use super::fixtures::entry;
use super::operation::{DocumentedOperation, operations};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};
use crate::support::hook::Hook;
use crate::support::tokens;

/// Where the effects of the operations are.
const EFFECTS: [&str; 12] = [
    "access_keys",
    "api_keys",
    "cloud_accounts",
    "events",
    "image_caches",
    "operations",
    "revocations",
    "teams",
    "transitions",
    "webhook_deliveries",
    "webhook_endpoint_state",
    "webhook_endpoints",
];

fn repeated_by_callers() -> Vec<DocumentedOperation> {
    operations().into_iter().filter(|one| [Method::POST, Method::PATCH].contains(&one.method)).collect()
}

fn repeats(operation: &DocumentedOperation) -> Repeats {
    access::of(&operation.id).unwrap().repeats
}

/// All that the operations may have changed.
async fn effects(app: &TestGateway) -> Vec<String> {
    let mut all = Vec::new();
    for table in EFFECTS {
        let sql = format!("SELECT string_agg(t::text, ';' ORDER BY t::text) FROM {table} t");
        let rows: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(app.sql()).await.unwrap();
        all.push(format!("{table}: {}", rows.unwrap_or_default()));
    }
    all
}

#[test]
fn the_table_says_of_each_how_it_is_repeated() {
    for operation in repeated_by_callers() {
        assert_ne!(repeats(&operation), Repeats::ByNature, "{}: say it in app::access", operation.id);
    }
    for operation in operations().iter().filter(|one| ![Method::POST, Method::PATCH].contains(&one.method)) {
        assert_eq!(repeats(operation), Repeats::ByNature, "{}", operation.id);
    }
}

/// A team with an image cache that is ready, and an endpoint that has been told so.
async fn inhabited() -> TestGateway {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    app
}

#[tokio::test]
async fn each_is_answered_the_same_and_done_once() {
    let app = inhabited().await;
    let token = app.token(TEAM, &Scope::ALL);
    let mut kept = 0;
    for operation in repeated_by_callers() {
        let owned = operation.owned(&app).await;
        if operation.id == "update_image_cache" {
            app.until(&owned, "ready").await;
        }
        let request = || operation.request(&app, &owned).bearer_auth(&token).header("idempotency-key", "again");
        let first = Answer::of(request()).await;
        assert!(first.status < 300, "{} {first:?}", operation.id);
        let before = effects(&app).await;
        let again = Answer::of(request()).await;
        if !repeats(&operation).takes_key() {
            assert_eq!(again.header("idempotent-replayed"), "", "{} {again:?}", operation.id);
            continue;
        }
        let told = |answer: &Answer| {
            let header = |name: &str| answer.header(name).to_owned();
            (answer.status, answer.text.clone(), header("etag"), header("location"), header("content-type"))
        };
        assert_eq!((told(&again), again.header("idempotent-replayed")), (told(&first), "true"), "{}", operation.id);
        assert_eq!(effects(&app).await, before, "{}", operation.id);
        let outcome = if first.status == 202 { "accepted" } else { "succeeded" };
        assert_eq!(entry(&app, &again).await, format!("{TEAM} {} {outcome} {}", operation.id, first.status));
        kept += 1;
    }
    assert!(kept >= 22, "{kept}");
}

#[tokio::test]
async fn another_query_or_another_person_with_its_key_is_refused() {
    let app = inhabited().await;
    let (alice, bob) =
        (app.token(TEAM, &Scope::ALL), tokens::token("bob", &[TEAM], &Scope::ALL, app.now(), "token-of-bob").unwrap());
    for operation in repeated_by_callers().iter().filter(|one| repeats(one).keeps_response()) {
        let owned = operation.owned(&app).await;
        let request = |token: &str| operation.request(&app, &owned).bearer_auth(token).header("idempotency-key", "k");
        let first = Answer::of(request(&alice)).await;
        assert!(first.status < 300, "{} {first:?}", operation.id);
        Answer::of(request(&bob)).await.problem(422, "idempotency_key_reused");
        Answer::of(request(&alice).query(&[("x", "1")])).await.problem(422, "idempotency_key_reused");
    }
}
