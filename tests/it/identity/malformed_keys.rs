//! Malformed API keys: refused without a query.
#![cfg(test)]

use std::collections::HashSet;

use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::api_key::PresentedKey;
use eci_cache_gateway::domain::ids::ApiKeyId;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret as _;

use super::api_keys::made;
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

/// A key with changed, missing, added or repeated characters.
fn malformed(good: &str) -> Vec<Vec<u8>> {
    let mut keys: Vec<String> = Vec::new();
    for place in 4..good.len() {
        let other = if &good[place..=place] == "7" { "8" } else { "7" };
        keys.push(format!("{}{other}{}", &good[..place], &good[place + 1..]));
    }
    keys.extend((4..good.len()).step_by(3).map(|length| good[..length].to_owned()));
    keys.extend(["A", "AAAAAA", "=", ".", "-", "_", ".e30.AA"].map(|more| format!("{good}{more}")));
    let (id, rest) = (&good[4..30], &good[30..]);
    keys.extend([
        "ecg_".to_owned(),
        format!("ecg_{}", "0".repeat(64)),
        format!("ecg_{}", "z".repeat(64)),
        format!("ecg_8{}", &good[5..]),
        format!("ecg_ecg_{}", &good[4..]),
        format!("ecg_{}{rest}", id.to_uppercase()),
        format!("ecg_{rest}{id}"),
        format!("ecg_{id}{}", rest.to_uppercase()),
        format!("ecg_{id} {rest}"),
        format!("ecg_{id},{rest}"),
        format!("ecg_{id}' OR '1'='1"),
        format!("ecg_{}", "a".repeat(10_000)),
        format!("{good}{good}"),
        format!("{good},{good}"),
        good.replacen("ecg_", "ECG_", 1),
        good.replacen("ecg_", "ecg-", 1),
        good.replacen("ecg_", "", 1),
        format!("\"{good}\""),
        format!("\u{feff}{good}"),
        good.replace('0', "O"),
    ]);
    let mut all: Vec<Vec<u8>> = keys.into_iter().filter(|key| key != good).map(String::into_bytes).collect();
    all.extend([b"\xff".as_slice(), "é".as_bytes(), b"\x80\x80"].map(|bytes| [good.as_bytes(), bytes].concat()));
    all
}

#[tokio::test]
async fn a_malformed_key_costs_no_query() {
    let app = TestGateway::start().await;
    let good = made(&app, TEAM, &["read"]).await.1;
    // From now on, a query would fail.
    sqlx::query("ALTER TABLE api_keys RENAME TO away").execute(app.sql()).await.unwrap();
    let all = malformed(&good);
    let distinct: HashSet<&Vec<u8>> = all.iter().collect();
    assert!(distinct.len() >= 100, "{}", distinct.len());
    for key in distinct {
        let bearer = HeaderValue::from_bytes(&[b"Bearer ", key.as_slice()].concat()).unwrap();
        let answer = Answer::of(app.bare(Method::GET, "/v1/me").header("authorization", bearer)).await;
        let plain = key.starts_with(b"ecg_") && key.is_ascii();
        let code = if key.len() > 8 * 1024 && !plain {
            "token_too_long"
        } else if plain {
            "api_key_malformed"
        } else {
            "token_malformed"
        };
        answer.problem(401, code);
        assert!(!answer.text.contains(&good[30..]), "{answer:?}");
    }
    for text in [good, unknown()] {
        let answer = Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(text)).await;
        answer.problem(503, "credentials_unavailable");
        assert_eq!(answer.header("retry-after"), "2");
    }
}

/// Well-formed, but it does not exist.
fn unknown() -> String {
    let entropy = Entropy::from_seed(99);
    PresentedKey::fresh(ApiKeyId::new("2026-01-01T00:00:00Z".parse().unwrap(), &entropy), &entropy)
        .text
        .expose_secret()
        .to_owned()
}
