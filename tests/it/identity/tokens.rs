//! Hostile tokens at the real door: each gets a 401 problem and nothing else.
#![cfg(test)]

use std::collections::{BTreeSet, HashSet};

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

use super::hostile_tokens::{Cases, ProviderKeys, all};
use super::signers::{Signer, jwks};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};

#[tokio::test]
async fn none_of_them_gets_in() {
    let keys = Signer::all();
    let app = TestGateway::with(Setup { jwks: Some(jwks(&keys)), ..Setup::default() }).await;
    let bench = ProviderKeys { keys, strangers: Signer::all(), now: app.now().timestamp() };
    let cases: Cases = all(&bench);
    let distinct: HashSet<&[u8]> = cases.iter().map(|(_, token)| token.as_slice()).collect();
    assert!(distinct.len() >= 300, "{}", distinct.len());
    let mut codes = BTreeSet::new();
    for (name, token) in &cases {
        let bearer = HeaderValue::from_bytes(&[b"Bearer ", token.as_slice()].concat()).unwrap();
        let answer = Answer::of(app.bare(Method::GET, "/v1/me").header("authorization", bearer)).await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        answer.problem(401, &code);
        assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{name}: {answer:?}");
        codes.insert(code);
    }
    let told = "keys none of them met";
    for code in [
        "token_malformed",
        "token_too_long",
        "token_wrong_algorithm",
        "token_unsupported_header",
        "token_wrong_type",
        "token_unknown_key",
        "token_bad_signature",
        "token_missing_claim",
        "token_bad_claim",
        "token_expired",
        "token_not_yet_valid",
        "token_lifetime_too_long",
        "token_wrong_issuer",
        "token_wrong_audience",
        "no_team",
        "team_required",
    ] {
        assert!(codes.contains(code), "{told}: {code}");
    }
    // Only the subject of a token from our issuer and for us is named in the audit.
    let sql = "SELECT count(*) FROM audit_entries WHERE outcome = 'refused' AND http_status = 401
        AND (team IS NULL AND subject = 'anonymous' AND credential IS NULL OR code IN ('token_expired',
            'token_not_yet_valid', 'token_lifetime_too_long', 'token_missing_claim', 'token_bad_claim', 'no_team',
            'team_required'))";
    assert_eq!(app.count(sql).await, i64::try_from(cases.len()).unwrap());
    // The valid ones are accepted, for every algorithm.
    for key in &bench.keys {
        let request = app.bare(Method::GET, "/v1/me").bearer_auth(key.sign(&key.header(), &bench.claims()));
        let me = Answer::of(request).await.expect(200);
        assert_eq!((&me["team"], me["scopes"].as_array().unwrap().len()), (&json!(TEAM), Scope::ALL.len()), "{me}");
    }
}
