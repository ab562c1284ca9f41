//! A test of an endpoint shows little of the response, and cannot be used to bypass the limits of deliveries.

use eci_cache_gateway::domain::limits::bucket::Rate;
use reqwest::Method;
use serde_json::json;

use super::{deliver, unasked};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::hook::Hook;
use crate::support::receiver::{Manner, RawReceiver};

async fn test(app: &TestGateway, path: &str) -> Answer {
    Answer::of(app.request(Method::POST, &format!("{path}/test"))).await
}

#[tokio::test]
async fn a_test_and_the_attempts_show_a_short_printable_beginning() {
    let app = TestGateway::start().await;
    let page = format!("\u{1b}[31mred\0\r\n\u{202e}{}", "internal data ".repeat(1_000));
    let head = format!("HTTP/1.1 500 Oops\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", page.len());
    let receiver = RawReceiver::start(Manner::Says(head + &page)).await;
    let path = unasked(&app, &receiver.url(), json!({})).await;
    let tested = test(&app, &path).await.expect(200);
    app.created().await;
    deliver(&app).await;
    let delivery = app.items("/v1/deliveries").await.remove(0);
    let attempts = app.items(&format!("/v1/deliveries/{}/attempts", delivery["id"].as_str().unwrap())).await;
    for shown in [&tested["response"], &attempts[0]["response"]] {
        let shown = shown.as_str().unwrap();
        assert!(shown.len() <= 256 && shown.contains("red") && shown.contains("internal data"), "{shown:?}");
        let odd = |letter: char| letter.is_control() || letter == '\u{202e}';
        assert!(!shown.contains(odd), "{shown:?}");
    }
    // No more is stored either.
    assert_eq!(app.count("SELECT max(octet_length(response_excerpt))::bigint FROM delivery_attempts").await, 256);
}

#[tokio::test]
async fn tests_and_challenges_have_a_rate_of_their_own() {
    let mut setup = Setup::default();
    // The gateway's default.
    setup.settings.limits.trials = Rate { per_second: 1, burst: 30 };
    let app = TestGateway::with(setup).await;
    let hook = Hook::start().await;
    let path = unasked(&app, &hook.url(), json!({})).await;
    let mut sent = 0;
    let refused = loop {
        let answer = test(&app, &path).await;
        if answer.status != 200 {
            break answer;
        }
        sent += 1;
        assert!(sent < 100, "as many as one likes");
    };
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(429, "too_many_tests");
    assert_eq!((sent, hook.received().len()), (30, 30));
    let body = json!({"url": hook.url()});
    app.post("/v1/webhook-endpoints", &body).await.problem(429, "too_many_tests");
    app.advance(1);
    test(&app, &path).await.expect(200);
}

#[tokio::test]
async fn a_test_keeps_to_the_rate_of_its_endpoint_and_counts_for_it() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let path = unasked(&app, &hook.url(), json!({"rate_per_second": 1})).await;
    test(&app, &path).await.expect(200);
    let refused = test(&app, &path).await;
    refused.problem(429, "too_many_tests");
    app.created().await;
    deliver(&app).await;
    assert_eq!(hook.received().len(), 1, "the second is used up by the test");
    app.advance(1);
    deliver(&app).await;
    assert_eq!(hook.received().len(), 2);
    test(&app, &path).await.problem(429, "too_many_tests");
    app.advance(1);
    test(&app, &path).await.expect(200);
}

#[tokio::test]
async fn a_test_finds_no_room_where_as_many_are_in_flight_as_may_be() {
    let mut setup = Setup::default();
    setup.settings.webhook.running_per_endpoint = 2;
    let app = TestGateway::with(setup).await;
    let hook = Hook::start().await;
    let path = unasked(&app, &hook.url(), json!({})).await;
    hook.hold();
    let both = async { tokio::join!(test(&app, &path), test(&app, &path)) };
    let third = async {
        hook.wait_for(2).await;
        test(&app, &path).await.problem(429, "too_many_tests");
        hook.release();
    };
    let ((first, second), ()) = tokio::join!(both, third);
    first.expect(200);
    second.expect(200);
    test(&app, &path).await.expect(200);
}
