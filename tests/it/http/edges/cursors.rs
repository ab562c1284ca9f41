//! Cursors reveal nothing, and those of earlier versions still work.
#![cfg(test)]

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use eci_cache_gateway::crypto::fingerprint::Fingerprint;
use eci_cache_gateway::crypto::master::MasterKey;

use crate::support::gateway::{Setup, TEAM, TestGateway};

/// A position in the team's feed, in the format of earlier versions.
fn clear_cursor(place: &str) -> String {
    let label = format!("cursor:events:{TEAM}:()");
    let signature = Fingerprint::new(&MasterKey::new([7; 32])).sign(&label, place.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode([&signature[..], place.as_bytes()].concat())
}

#[tokio::test]
async fn a_cursor_does_not_tell_what_the_database_counts() {
    let app = TestGateway::start().await;
    app.created().await;
    app.created().await;
    let cursor = app.end_of_feed().await;
    let place: String = sqlx::query_scalar("SELECT txid::text FROM events ORDER BY seq DESC LIMIT 1")
        .fetch_one(app.sql())
        .await
        .unwrap();
    let lists = app.get("/v1/image-caches?limit=1").await.expect(200);
    let audit = app.get("/v1/audit-entries?limit=1").await.expect(200);
    for cursor in [&*cursor, lists["next_cursor"].as_str().unwrap(), audit["next_cursor"].as_str().unwrap()] {
        let bytes = cursor.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
        let text: String = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        assert!(!text.contains(&place), "{text:?} holds {place}");
        let longest = text.split(|letter: char| !letter.is_ascii_digit()).map(str::len).max();
        assert!(longest < Some(5), "{text:?} holds a number");
    }
    // It works at any gateway; if any character is changed, or for another team, it is invalid.
    let second = app.second_gateway(Setup::default()).await;
    assert_eq!(second.get(&format!("/v1/events?cursor={cursor}")).await.expect(200)["items"], serde_json::json!([]));
    for at in 0..cursor.len() {
        let other = if cursor.as_bytes()[at] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
        let answer = app.get(&format!("/v1/events?cursor={changed}")).await;
        // The last character has unused bits.
        assert!(answer.status == 422 || at + 1 == cursor.len(), "{at}: {answer:?}");
    }
    let other = app.bare(reqwest::Method::GET, &format!("/v1/events?cursor={cursor}"));
    let other = other.bearer_auth(app.token("other", &crate::support::gateway::SCOPES));
    crate::support::answer::Answer::of(other).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn a_cursor_from_before_goes_on_from_its_place() {
    let app = TestGateway::start().await;
    app.created().await;
    app.created().await;
    app.end_of_feed().await;
    let first: String = sqlx::query_scalar("SELECT concat(txid, ' ', seq) FROM events ORDER BY seq LIMIT 1")
        .fetch_one(app.sql())
        .await
        .unwrap();
    let page = app.get(&format!("/v1/events?cursor={}", clear_cursor(&first))).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
}
