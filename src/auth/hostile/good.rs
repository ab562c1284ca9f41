//! The callers of valid tokens: team, expiry, credential, scopes.

use chrono::Duration;
use serde_json::json;

use super::super::jwks::KeySource;
use super::super::signing_fixtures::jwks;
use super::super::verify::{IssuerSettings, Verifier};
use super::{AttackerKeys, without};
use crate::domain::identity::caller::Scope;

#[tokio::test]
async fn a_header_picks_one_of_several_teams() {
    let bench = AttackerKeys::new();
    let several = bench.claims(|c| {
        without(c, "team");
        c["teams"] = json!(["payments", "platform", "payments"]);
    });
    let one = bench.good();
    for (token, wanted, expected) in [
        (&several, Some("platform"), Ok("platform")),
        (&several, Some("payments"), Ok("payments")),
        (&several, Some("search"), Err("wrong_team")),
        (&several, Some(""), Err("wrong_team")),
        (&several, Some("Platform"), Err("wrong_team")),
        (&several, None, Err("team_required")),
        (&one, None, Ok("payments")),
        (&one, Some("payments"), Ok("payments")),
        (&one, Some("platform"), Err("wrong_team")),
    ] {
        let got = bench.verifier.verify(token, wanted).await.map(|caller| caller.team.as_str().to_owned());
        assert_eq!(got.map_err(|refusal| refusal.code().as_str()), expected.map(str::to_owned), "{wanted:?}");
    }
}

#[tokio::test]
async fn a_token_ends_on_our_clock() {
    let bench = AttackerKeys::new();
    let token = bench.good();
    bench.clock.advance(Duration::seconds(604));
    assert_eq!(bench.refusal(&token).await, "accepted", "within the leeway");
    bench.clock.advance(Duration::seconds(1));
    assert_eq!(bench.refusal(&token).await, "token_expired");
}

#[tokio::test]
async fn without_jti_the_key_is_the_credential() {
    let bench = AttackerKeys::new();
    let caller = bench.verifier.verify(&bench.claims(|c| without(c, "jti")), None).await.unwrap();
    assert_eq!(caller.credential, "kid:d");
}

#[tokio::test]
async fn claims_can_have_other_names() {
    let bench = AttackerKeys::new();
    let document = jwks(std::slice::from_ref(&bench.ed)).to_string();
    let mut settings = IssuerSettings::new("https://idp.example", "gateway");
    settings.team_claims = vec!["https://example.com/groups".into()];
    settings.scope_claim = "scp".into();
    let source = KeySource::document(document.as_bytes()).unwrap();
    let verifier = Verifier::new(settings, source, bench.clock.clone());
    let token = bench.claims(|c| {
        without(c, "team");
        c["https://example.com/groups"] = json!(["/Everyone", "platform"]);
        c["teams"] = json!(["another", "claim"]);
        c["scp"] = json!("audit openid audit");
    });
    let caller = verifier.verify(&token, None).await.unwrap();
    assert_eq!((caller.team.as_str(), caller.scopes.clone()), ("platform", vec![Scope::Audit]));
}

#[tokio::test]
async fn scopes_are_read_in_every_common_form() {
    let bench = AttackerKeys::new();
    for scope in [json!("read,write"), json!(["read write"]), json!("read, write"), json!(["read", "write,openid"])] {
        let token = bench.claims(|c| c["scope"] = scope.clone());
        let caller = bench.verifier.verify(&token, None).await.unwrap();
        assert_eq!(caller.scopes, [Scope::Read, Scope::Write], "{scope}");
    }
}

#[tokio::test]
async fn claims_can_be_pointed_to() {
    let bench = AttackerKeys::new();
    let mut settings = IssuerSettings::new("https://idp.example", "gateway");
    settings.team_claims = vec!["/tenant/id".into()];
    settings.scope_claim = "/realm_access/roles".into();
    settings.scope_prefix = Some("eci:".into());
    let source = KeySource::document(jwks(std::slice::from_ref(&bench.ed)).to_string().as_bytes()).unwrap();
    let verifier = Verifier::new(settings, source, bench.clock.clone());
    let token = bench.claims(|c| {
        c["tenant"] = json!({"id": "platform"});
        c["realm_access"] = json!({"roles": ["eci:read", "write", "admin"]});
    });
    let caller = verifier.verify(&token, None).await.unwrap();
    assert_eq!((caller.team.as_str(), caller.scopes.clone()), ("platform", vec![Scope::Read]));
}

#[tokio::test]
async fn without_sub_the_client_is_who_it_stands_for() {
    let bench = AttackerKeys::new();
    for (claim, subject) in [("oid", "oid:x"), ("client_id", "client_id:x"), ("azp", "azp:x"), ("appid", "appid:x")] {
        let token = bench.claims(|c| {
            without(c, "sub");
            c[claim] = json!("x");
        });
        assert_eq!(bench.verifier.verify(&token, None).await.unwrap().subject, subject);
        let null = bench.claims(|c| {
            c["sub"] = json!(null);
            c[claim] = json!("x");
        });
        assert_eq!(bench.verifier.verify(&null, None).await.unwrap().subject, subject);
    }
}
