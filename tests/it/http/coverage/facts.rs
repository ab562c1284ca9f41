//! Compares the access table, and so the document, with what each operation's route does.
#![cfg(test)]

use eci_cache_gateway::app::access::{self, Access};
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::RequestBuilder;

use super::NOBODYS;
use super::operation::{DocumentedOperation, operations};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

/// Longer than an `Idempotency-Key` may be.
const TOO_LONG: usize = 256;

/// Calls the operation for something that does not exist, with additions to its usual request.
async fn ask(
    app: &TestGateway,
    operation: &DocumentedOperation,
    more: impl Fn(RequestBuilder) -> RequestBuilder,
) -> Answer {
    let nobodys = || format!("{}{NOBODYS}", operation.prefix());
    // A path without an existing region, team or account is refused before anything else.
    let id = if operation.is_platforms() { operation.owned(app).await } else { nobodys() };
    let request = operation.request(app, &id).bearer_auth(app.token(TEAM, &Scope::ALL));
    // A stream that was accepted would not end.
    Answer::of(more(request.header("last-event-id", "nonsense"))).await
}

fn facts(operation: &DocumentedOperation) -> &'static Access {
    access::of(&operation.id).unwrap()
}

#[tokio::test]
async fn what_is_paged_takes_a_limit_and_nothing_else_does() {
    let app = TestGateway::start().await;
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let answer = ask(&app, operation, |request| request.query(&[("limit", "0")])).await;
        let said = answer.text.contains("must be 1 to 100");
        assert_eq!(said, facts(operation).paged, "{} {answer:?}", operation.id);
    }
}

#[tokio::test]
async fn what_takes_if_match_refuses_a_bad_one_and_what_else_changes_something_refuses_any() {
    let app = TestGateway::start().await;
    for operation in operations().iter().filter(|operation| operation.method != "GET") {
        let answer = ask(&app, operation, |request| request.header("if-match", "7")).await;
        let says = |text: &str| answer.status == 400 && answer.text.contains("If-Match") && answer.text.contains(text);
        let Access { if_match, changes, .. } = *facts(operation);
        assert_eq!(says("double quotes"), if_match, "{} {answer:?}", operation.id);
        assert_eq!(says("cannot be made conditional"), changes && !if_match, "{} {answer:?}", operation.id);
    }
}

#[tokio::test]
async fn what_takes_an_idempotency_key_refuses_a_bad_one_and_nothing_else_does() {
    let app = TestGateway::start().await;
    for operation in operations().iter().filter(|operation| operation.method != "GET") {
        let key = "k".repeat(TOO_LONG);
        let answer = ask(&app, operation, |request| request.header("idempotency-key", &key)).await;
        let refused = answer.text.contains("Idempotency-Key");
        assert_eq!(refused, facts(operation).repeats.takes_key(), "{} {answer:?}", operation.id);
    }
}
