//! Issuers that are added, changed and removed while their tokens are in use.
#![cfg(test)]

use std::sync::Arc;

use chrono::Duration;
use eci_cache_gateway::auth::jwks::{JwksSettings, KeySource};
use eci_cache_gateway::auth::verify::{IssuerSettings, Verifier};
use eci_cache_gateway::domain::clock::{Clock as _, Instant, ManualClock};
use eci_cache_gateway::domain::identity::issuer::{Issuer, KeysFrom};
use secrecy::SecretString;
use serde_json::json;

use super::provider::{Provider, ProviderIssuer};
use crate::support::gateway::TOKEN_SECRET;

fn verifier() -> (Verifier, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Instant::UNIX_EPOCH + Duration::days(20_000)));
    let source = KeySource::secret(&SecretString::from(TOKEN_SECRET)).unwrap();
    let empty = Verifier::empty(JwksSettings::default(), clock.clone());
    (empty.with_default(IssuerSettings::new("https://issuer.example", "eci-cache-gateway"), source), clock)
}

fn issuer(at: &ProviderIssuer<'_>, name: &'static str) -> Issuer {
    at.configured("generic", &[("issuer", "https://sso.example.com"), ("name", name)])
}

fn token(at: &ProviderIssuer<'_>, clock: &ManualClock) -> String {
    let claims = json!({"aud": "eci-cache-gateway", "sub": "alice", "team": "web", "scope": "eci:read"});
    at.token(clock.now(), &claims)
}

async fn code(verifier: &Verifier, token: &str) -> &'static str {
    verifier.verify(token, None).await.map_or_else(|refusal| refusal.code().as_str(), |_| "accepted")
}

#[tokio::test]
async fn tokens_of_one_that_changed_or_went_are_forgotten_and_keys_of_the_others_kept() {
    let provider = Provider::start().await;
    let (a, b) = (provider.issuer("a", ""), provider.issuer("b", ""));
    let (verifier, clock) = verifier();
    let (of_a, of_b) = (token(&a, &clock), token(&b, &clock));
    assert_eq!(code(&verifier, &of_a).await, "token_wrong_issuer");
    let both = [issuer(&a, "a"), issuer(&b, "b")];
    assert!(verifier.replace(&both).is_empty());
    assert_eq!((code(&verifier, &of_a).await, code(&verifier, &of_b).await), ("accepted", "accepted"));
    let fetched = provider.hits();
    // Its rule has another condition now; the keys are the same.
    let mut changed = both.clone();
    changed[0].rules[0].matches_anybody = false;
    changed[0].rules[0].matches = [("/sub".to_owned(), vec!["bob".to_owned()])].into();
    assert!(verifier.replace(&changed).is_empty());
    assert_eq!((code(&verifier, &of_a).await, code(&verifier, &of_b).await), ("no_rule_matches", "accepted"));
    assert_eq!(provider.hits(), fetched);
    // Removed and added again.
    assert!(verifier.replace(&both[1..]).is_empty());
    assert_eq!((code(&verifier, &of_a).await, code(&verifier, &of_b).await), ("token_wrong_issuer", "accepted"));
    assert!(verifier.replace(&both).is_empty());
    assert_eq!(code(&verifier, &of_a).await, "accepted");
    // Other keys are fetched.
    let mut elsewhere = both.clone();
    elsewhere[0].algorithms = vec!["PS256".to_owned()];
    assert!(verifier.replace(&elsewhere).is_empty());
    assert_eq!(code(&verifier, &of_a).await, "token_wrong_algorithm");
}

#[tokio::test]
async fn one_that_cannot_be_used_is_left_out_and_told() {
    let provider = Provider::start().await;
    let (a, b) = (provider.issuer("a", ""), provider.issuer("b", ""));
    let (verifier, clock) = verifier();
    let told = |issuers: &[Issuer]| {
        let wrong = verifier.replace(issuers);
        wrong
            .into_iter()
            .map(|(name, errors)| format!("{name} {} {}", errors[0].field, errors[0].code.as_str()))
            .collect::<Vec<_>>()
    };
    let good = issuer(&a, "a");
    let with = |change: fn(&mut Issuer)| {
        let mut issuer = issuer(&b, "b");
        change(&mut issuer);
        issuer
    };
    for (bad, expected) in [
        (with(|one| one.name = "default".into()), "default /name invalid"),
        (with(|one| one.name = "a".into()), "a /name duplicate"),
        (with(|one| one.issuer = "https://issuer.example".into()), "b /issuer duplicate"),
        (with(|one| one.issuer = "http://sso.example.com".into()), "b /issuer invalid"),
        (with(|one| one.rules[0].matches_anybody = false), "b /rules/0/match matches_anybody"),
        (
            with(|one| {
                one.keys.from = KeysFrom::JwksFile;
                one.keys.file = Some("/etc/passwd".into());
            }),
            "b /keys/from invalid",
        ),
        (
            with(|one| {
                one.keys.from = KeysFrom::Document;
                one.keys.document = Some(json!({"keys": [{"kty": "oct", "k": "AAAA"}]}));
            }),
            "b /keys/document invalid",
        ),
    ] {
        assert_eq!(told(&[good.clone(), bad]), [expected]);
        assert_eq!(code(&verifier, &token(&a, &clock)).await, "accepted");
    }
    assert!(verifier.check(&issuer(&a, "a")).is_ok(), "those that are replaced stand in nobody's way");
}

#[tokio::test]
async fn a_name_that_comes_makes_no_room_for_a_subject_that_looks_like_its_own() {
    let provider = Provider::start().await;
    let at = provider.issuer("a", "");
    let (verifier, clock) = verifier();
    let claims = eci_cache_gateway::auth::mint::MintedClaims {
        subject: "sso:alice".into(),
        teams: vec!["web".parse().unwrap()],
        scopes: Vec::new(),
        lifetime: Duration::hours(1),
        issuer: "https://issuer.example".into(),
        audience: "eci-cache-gateway".into(),
    };
    let minted =
        eci_cache_gateway::auth::mint::mint(&SecretString::from(TOKEN_SECRET), &claims, clock.now(), "t").unwrap();
    let minted = secrecy::ExposeSecret::expose_secret(&minted);
    assert_eq!(code(&verifier, minted).await, "accepted");
    assert!(verifier.replace(&[issuer(&at, "sso")]).is_empty());
    assert_eq!(code(&verifier, minted).await, "token_bad_claim");
}
