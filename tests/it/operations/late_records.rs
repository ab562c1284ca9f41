//! A create that is recorded after its caller has stopped waiting: nothing of it was sent, which is recorded with it.
#![cfg(test)]

use std::task::Poll;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway, new_cache};

/// The attempt that was recorded with it.
const UNSENT: &str = "SELECT count(*) FROM operation_attempts WHERE number = 1 AND outcome = 'not_sent'";

/// Statements that wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
     WHERE NOT l.granted AND d.datname = current_database()";

/// A gateway on which a create was recorded only after its caller was refused.
async fn recorded_late(body: &Value) -> TestGateway {
    let mut setup = Setup::default();
    setup.http.request_deadline = Duration::from_secs(1);
    let app = TestGateway::with(setup).await;
    let mut somebody = app.sql().begin().await.unwrap();
    sqlx::query("LOCK TABLE image_caches IN SHARE ROW EXCLUSIVE MODE").execute(&mut *somebody).await.unwrap();
    while !waits_until_its_deadline(&app, body).await {}
    somebody.rollback().await.unwrap();
    while app.count(UNSENT).await == 0 {
        tokio::task::yield_now().await;
    }
    app
}

/// Whether the create was waiting for the lock at its deadline: on a busy machine, the deadline may come too soon.
async fn waits_until_its_deadline(app: &TestGateway, body: &Value) -> bool {
    let (mut create, mut waits) = (Box::pin(keyed(app, body)), false);
    loop {
        if let Poll::Ready(answer) = futures_util::poll!(&mut create) {
            answer.problem(503, "request_timeout");
            return waits;
        }
        waits |= app.count(WAITING).await > 0;
    }
}

async fn keyed(app: &TestGateway, body: &Value) -> Answer {
    let request = app.request(Method::POST, "/v1/image-caches").header("idempotency-key", "late");
    Answer::of(request.json(body)).await
}

#[tokio::test]
async fn what_was_recorded_too_late_for_its_caller_is_created_at_once_and_once() {
    let body = new_cache("nginx:1.27");
    let app = recorded_late(&body).await;
    assert_eq!(app.creations().await, 0, "nothing was sent");
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE in_doubt").await, 0);
    app.drain().await;
    assert_eq!(app.creations().await, 1, "it is not looked for, as nothing was sent");
    let told = keyed(&app, &body).await.json();
    assert_eq!((&told["id"], app.creations().await), (&app.only_cache().await["id"], 1));
}

#[tokio::test]
async fn its_delete_waits_for_nothing() {
    let app = recorded_late(&new_cache("nginx:1.27")).await;
    let id = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.delete(&format!("/v1/image-caches/{id}")).await.expect(200);
    app.drain().await;
    assert_eq!((app.cache(&id).await["status"].as_str(), app.creations().await), (Some("deleted"), 0));
}
