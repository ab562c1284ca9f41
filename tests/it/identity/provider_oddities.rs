//! Hostile tokens in the format of each provider: whatever a claim contains, the result is a specific refusal or
//! exactly the caller of the rule, and never an internal error.
#![cfg(test)]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::provider::Provider;
use super::providers::{all, me};

/// Values that do not belong in a string claim.
fn odd() -> Vec<Value> {
    let deep = (0..60).fold(json!("web"), |inner, _| json!({ "a": inner }));
    vec![
        json!(null),
        json!(true),
        json!(7),
        json!(-1.5e300),
        json!([]),
        json!({}),
        json!([null, {"a": 1}, 7]),
        json!([["web"]]),
        json!(""),
        json!(" "),
        json!("*"),
        json!("**"),
        json!("web\u{202e}"),
        json!("web\0"),
        json!("a\r\nX-Team: other"),
        json!("/"),
        json!("/teams/web/.."),
        json!("platform:security admin read"),
        json!("eci:platform:security"),
        json!("a".repeat(3_000)),
        json!(vec!["X"; 400]),
        deep,
    ]
}

#[tokio::test]
async fn whatever_stands_in_a_claim_is_refused_by_name() {
    let provider = Provider::start().await;
    let (app, cases) = all(&provider).await;
    let (mut tokens, mut codes) = (0, BTreeSet::new());
    for (case, at) in &cases {
        let good = me(&app, &at.token(app.now(), &case.claims)).await.expect(200);
        let whole = at.claims(app.now(), &case.claims);
        for (place, claim) in whole.as_object().unwrap().keys().enumerate() {
            // A third of them, varying by claim, so that every provider gets every value.
            for value in odd().into_iter().skip(place % 3).step_by(3) {
                let mut claims = case.claims.clone();
                claims[claim] = value.clone();
                let answer = me(&app, &at.token(app.now(), &claims)).await;
                let told = format!("{} {claim} {value:.60}: {}", case.preset, answer.text);
                tokens += 1;
                if answer.status == 200 {
                    let who = answer.json();
                    assert_eq!(who["team"], good["team"], "{told}");
                    let scopes = who["scopes"].as_array().unwrap();
                    assert!(scopes.iter().all(|scope| good["scopes"].as_array().unwrap().contains(scope)), "{told}");
                    continue;
                }
                assert!([401, 403].contains(&answer.status), "{told}");
                codes.insert(answer.json()["code"].as_str().unwrap().to_owned());
            }
        }
    }
    assert!(tokens > 700, "{tokens}");
    for code in
        ["no_rule_matches", "no_team", "token_bad_claim", "token_wrong_audience", "token_wrong_issuer", "token_expired"]
    {
        assert!(codes.contains(code), "{code}: {codes:?}");
    }
}

#[tokio::test]
async fn a_token_counts_for_its_own_issuer_alone() {
    let provider = Provider::start().await;
    let (app, cases) = all(&provider).await;
    // Every provider signs a token in the name of the next one, whose key has the same id.
    for (place, (_, at)) in cases.iter().enumerate() {
        let (case, next) = &cases[(place + 1) % cases.len()];
        let claims = next.claims(app.now(), &case.claims);
        let forged = at.token(app.now(), &claims);
        me(&app, &forged).await.problem(401, "token_bad_signature");
    }
    let (case, at) = &cases[0];
    for iss in [format!("{}/", at.iss()), at.iss().to_uppercase(), "https://keycloak.example".to_owned()] {
        let mut claims = case.claims.clone();
        claims["iss"] = json!(iss);
        me(&app, &at.token(app.now(), &claims)).await.problem(401, "token_wrong_issuer");
    }
}
