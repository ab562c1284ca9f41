//! Attacks with manipulated tokens, each with the expected refusal; and valid tokens for comparison.

use std::sync::Arc;

use chrono::{DateTime, Duration};
use serde_json::{Value, json};

use super::jwks::KeySource;
use super::signing_fixtures::{SECRET, TestSigner, b64, hmac_sha256, jwks};
use super::verify::{IssuerSettings, Verifier};
use crate::domain::clock::{Instant, ManualClock};
use crate::domain::identity::caller::{Caller, CredentialKind, Provenance, Scope};

mod good;

const NOW: i64 = 1_760_000_000;

fn now() -> Instant {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

struct AttackerKeys {
    rsa: TestSigner,
    ec: TestSigner,
    ed: TestSigner,
    hmac: TestSigner,
    clock: Arc<ManualClock>,
    verifier: Verifier,
}

impl AttackerKeys {
    fn new() -> Self {
        let (rsa, ec, ed, hmac) =
            (TestSigner::rsa("r"), TestSigner::ec("e"), TestSigner::ed("d"), TestSigner::hmac("h"));
        let document = jwks(&[rsa.clone(), ec.clone(), ed.clone(), hmac.clone()]).to_string();
        let clock = Arc::new(ManualClock::at(now()));
        let source = KeySource::document(document.as_bytes()).unwrap();
        let settings =
            IssuerSettings { leeway: Duration::seconds(5), ..IssuerSettings::new("https://idp.example", "gateway") };
        let verifier = Verifier::new(settings, source, clock.clone());
        Self { rsa, ec, ed, hmac, clock, verifier }
    }

    /// A valid token, except for what `change` does to its claims.
    fn claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = good_claims();
        change(&mut claims);
        self.ed.sign(&self.ed.header(), &claims)
    }

    /// A valid token, except for what `change` does to its header.
    fn header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.ed.header();
        change(&mut header);
        self.ed.sign(&header, &good_claims())
    }

    fn good(&self) -> String {
        self.claims(|_| {})
    }

    async fn refusal(&self, token: &str) -> &'static str {
        self.verifier.verify(token, None).await.map_or_else(|refusal| refusal.code().as_str(), |_| "accepted")
    }
}

fn good_claims() -> Value {
    json!({
        "iss": "https://idp.example", "aud": "gateway", "sub": "ci@payments", "jti": "t-1",
        "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 600, "team": "payments", "scope": "read write",
    })
}

fn without(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

/// A token of an unknown signer with one claim changed.
fn forged(stranger: &TestSigner, name: &str, value: &Value) -> String {
    let mut claims = good_claims();
    claims[name] = value.clone();
    stranger.sign(&stranger.header(), &claims)
}

/// Replaces one of the three parts.
fn part(token: &str, index: usize, with: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[index] = with;
    parts.join(".")
}

#[tokio::test]
async fn good_tokens_of_every_algorithm() {
    let bench = AttackerKeys::new();
    for signer in [&bench.rsa, &bench.ec, &bench.ed, &bench.hmac] {
        let token = signer.sign(&signer.header(), &good_claims());
        let caller = bench.verifier.verify(&token, None).await.unwrap();
        let expected = Caller {
            team: "payments".parse().unwrap(),
            subject: "ci@payments".into(),
            credential: "t-1".into(),
            kind: CredentialKind::Token {
                jti: Some("t-1".into()),
                issued_at: chrono::DateTime::from_timestamp(NOW - 10, 0),
            },
            scopes: vec![Scope::Read, Scope::Write],
            expires_at: chrono::DateTime::from_timestamp(NOW + 600, 0),
            provenance: Some(Box::new(Provenance {
                issuer: "default".into(),
                rule: "settings".into(),
                ..Provenance::default()
            })),
        };
        assert_eq!(*caller, expected, "{}", signer.algorithm());
    }
}

#[tokio::test]
async fn what_issuers_write_differently_is_accepted() {
    let bench = AttackerKeys::new();
    let good = [
        bench.header(|h| without(h, "typ")),
        bench.header(|h| h["typ"] = json!("at+jwt")),
        bench.header(|h| h["typ"] = json!("AT+JWT")),
        bench.header(|h| h["typ"] = json!("application/at+jwt")),
        bench.header(|h| h["jku"] = json!("https://evil.example/keys")),
        bench.claims(|c| c["aud"] = json!(["other", "gateway"])),
        bench.claims(|c| c["exp"] = json!(1_760_000_600.5)),
        bench.claims(|c| c["exp"] = json!(NOW - 4)),
        bench.claims(|c| c["nbf"] = json!(NOW + 5)),
        bench.claims(|c| without(c, "iat")),
        bench.claims(|c| c["exp"] = json!(NOW - 10 + 86_400)),
        bench.claims(|c| c["scope"] = json!(["read", "openid"])),
        bench.claims(|c| without(c, "scope")),
        bench.claims(|c| c["teams"] = json!(["payments", "/Not A Team"])),
        bench.claims(|c| c["team"] = json!(["payments"])),
        bench.claims(|c| c["teams"] = json!("payments")),
    ];
    for token in good {
        assert_eq!(bench.refusal(&token).await, "accepted", "{token}");
    }
}

#[tokio::test]
async fn hostile_forms_and_headers() {
    let bench = AttackerKeys::new();
    let good = bench.good();
    let header_of = |text: &str| bench.ed.sign_raw(text, &good_claims().to_string());
    let cases: Vec<(&str, String, &str)> = vec![
        ("nothing", String::new(), "token_missing"),
        ("a word", "token".into(), "token_malformed"),
        ("two parts", good.rsplit_once('.').unwrap().0.into(), "token_malformed"),
        ("four parts", format!("{good}.AAAA"), "token_malformed"),
        ("five parts", format!("{good}.AAAA.AAAA"), "token_malformed"),
        ("dots", "..".into(), "token_malformed"),
        ("8 KiB and one", "a".repeat(8193), "token_too_long"),
        ("padding", good.clone() + "==", "token_malformed"),
        ("space behind", good.clone() + " ", "token_malformed"),
        ("the word Bearer", format!("Bearer {good}"), "token_malformed"),
        ("line feed", good.replace('.', ".\n"), "token_malformed"),
        ("a null byte", format!("\0{good}"), "token_malformed"),
        ("not ASCII", format!("é{good}"), "token_malformed"),
        ("standard base64", part(&good, 0, "eyJhIjoi+/8ifQ"), "token_malformed"),
        ("stray bits", part(&good, 0, "e31"), "token_malformed"),
        ("header is no JSON", header_of("alg: EdDSA"), "token_malformed"),
        ("header is an array", header_of("[]"), "token_malformed"),
        ("header is deep", header_of(&"[".repeat(2000)), "token_malformed"),
        ("header has two algs", header_of(r#"{"alg":"EdDSA","kid":"d","alg":"HS256"}"#), "token_malformed"),
        ("header ends late", header_of(r#"{"alg":"EdDSA","kid":"d"} {}"#), "token_malformed"),
        ("no alg", bench.header(|h| without(h, "alg")), "token_malformed"),
        ("alg is a number", bench.header(|h| h["alg"] = json!(1)), "token_malformed"),
        ("alg none", bench.header(|h| h["alg"] = json!("none")), "token_wrong_algorithm"),
        ("alg none, unsigned", part(&bench.header(|h| h["alg"] = json!("none")), 2, ""), "token_wrong_algorithm"),
        ("alg nOnE", bench.header(|h| h["alg"] = json!("nOnE")), "token_wrong_algorithm"),
        ("alg empty", bench.header(|h| h["alg"] = json!("")), "token_wrong_algorithm"),
        ("alg RS512", bench.header(|h| h["alg"] = json!("RS512")), "token_wrong_algorithm"),
        ("alg PS256", bench.header(|h| h["alg"] = json!("PS256")), "token_wrong_algorithm"),
        ("alg eddsa", bench.header(|h| h["alg"] = json!("eddsa")), "token_wrong_algorithm"),
        ("another key's alg", bench.header(|h| h["alg"] = json!("ES256")), "token_wrong_algorithm"),
        ("crit", bench.header(|h| h["crit"] = json!(["exp"])), "token_unsupported_header"),
        ("crit empty", bench.header(|h| h["crit"] = json!([])), "token_unsupported_header"),
        ("b64 false", bench.header(|h| h["b64"] = json!(false)), "token_unsupported_header"),
        ("zip", bench.header(|h| h["zip"] = json!("DEF")), "token_unsupported_header"),
        ("nested", bench.header(|h| h["cty"] = json!("JWT")), "token_unsupported_header"),
        ("typ of an id token", bench.header(|h| h["typ"] = json!("id+jwt")), "token_wrong_type"),
        ("typ of a logout token", bench.header(|h| h["typ"] = json!("logout+jwt")), "token_wrong_type"),
        ("typ null", bench.header(|h| h["typ"] = Value::Null), "token_wrong_type"),
        ("kid unknown", bench.header(|h| h["kid"] = json!("x")), "token_unknown_key"),
        ("kid empty", bench.header(|h| h["kid"] = json!("")), "token_unknown_key"),
        ("kid is a path", bench.header(|h| h["kid"] = json!("../../dev/null")), "token_unknown_key"),
        ("kid is SQL", bench.header(|h| h["kid"] = json!("d' OR '1'='1")), "token_unknown_key"),
        ("kid absent, four keys", bench.header(|h| without(h, "kid")), "token_unknown_key"),
        ("kid is long", bench.header(|h| h["kid"] = json!("k".repeat(121))), "token_malformed"),
        ("kid is a list", bench.header(|h| h["kid"] = json!(["d"])), "token_malformed"),
    ];
    for (name, token, expected) in cases {
        assert_eq!(bench.refusal(&token).await, expected, "{name}: {token}");
    }
}

#[tokio::test]
async fn hostile_signatures() {
    let bench = AttackerKeys::new();
    let good = bench.good();
    let stranger = TestSigner::ed("d");
    let mut embedded = stranger.header();
    embedded["jwk"] = stranger.jwk();
    let other_claims = b64(good_claims().to_string().replace("payments", "platform").as_bytes());
    // The classic attack: an RSA public key used as an HMAC secret.
    let n = bench.rsa.jwk()["n"].as_str().unwrap().to_owned();
    let confused = format!("{}.{}", b64(br#"{"alg":"HS256","kid":"r"}"#), b64(good_claims().to_string().as_bytes()));
    let confused = format!("{confused}.{}", b64(&hmac_sha256(n.as_bytes(), confused.as_bytes())));
    let ec = bench.ec.sign(&bench.ec.header(), &good_claims());
    let hmac = bench.hmac.sign(&bench.hmac.header(), &good_claims());
    let short = hmac.rsplit_once('.').unwrap().0.to_owned();
    let short = format!("{short}.{}", b64(&hmac_sha256(&SECRET, short.as_bytes())[..16]));
    let cases: Vec<(&str, String, &str)> = vec![
        ("a stranger's", stranger.sign(&stranger.header(), &good_claims()), "token_bad_signature"),
        ("its own key in the header", stranger.sign(&embedded, &good_claims()), "token_bad_signature"),
        ("none", part(&good, 2, ""), "token_bad_signature"),
        (
            "another token's",
            part(&good, 2, bench.claims(|c| c["sub"] = json!("x")).rsplit('.').next().unwrap()),
            "token_bad_signature",
        ),
        ("claims exchanged", part(&good, 1, &other_claims), "token_bad_signature"),
        ("zeros", part(&good, 2, &b64(&[0; 64])), "token_bad_signature"),
        ("zeros for ECDSA", part(&ec, 2, &b64(&[0; 64])), "token_bad_signature"),
        ("empty for HMAC", part(&hmac, 2, ""), "token_bad_signature"),
        ("half of an HMAC", short, "token_bad_signature"),
        ("RSA key as HMAC secret", confused, "token_wrong_algorithm"),
        ("claims are no JSON, unsigned", part(&good, 1, "AAAA"), "token_malformed"),
        ("without issuer and forged", stranger.sign(&stranger.header(), &json!({"exp": 0})), "token_missing_claim"),
        ("expired and forged", forged(&stranger, "exp", &json!(0)), "token_bad_signature"),
        ("for another and forged", forged(&stranger, "aud", &json!("other")), "token_bad_signature"),
    ];
    for (name, token, expected) in cases {
        assert_eq!(bench.refusal(&token).await, expected, "{name}: {token}");
    }
}

#[tokio::test]
async fn hostile_claims() {
    let bench = AttackerKeys::new();
    let raw = |text: &str| bench.ed.sign_raw(&bench.ed.header().to_string(), text);
    let doubled = good_claims().to_string().replacen('{', r#"{"exp":99999999999,"#, 1);
    let set = |name: &str, value: Value| bench.claims(|c| c[name] = value);
    let drop = |name: &str| bench.claims(|c| without(c, name));
    let cases: Vec<(&str, String, &str)> = vec![
        ("an array", raw("[]"), "token_malformed"),
        ("nothing", raw(""), "token_malformed"),
        ("exp twice", raw(&doubled), "token_malformed"),
        ("no iss", drop("iss"), "token_missing_claim"),
        ("no aud", drop("aud"), "token_missing_claim"),
        ("no exp", drop("exp"), "token_missing_claim"),
        ("no sub", drop("sub"), "token_missing_claim"),
        ("iss of another", set("iss", json!("https://evil.example")), "token_wrong_issuer"),
        ("iss with a slash", set("iss", json!("https://idp.example/")), "token_wrong_issuer"),
        ("iss is a list", set("iss", json!(["https://idp.example"])), "token_bad_claim"),
        ("aud of another", set("aud", json!("other")), "token_wrong_audience"),
        ("aud contains ours as text", set("aud", json!("gateway.example")), "token_wrong_audience"),
        ("aud empty", set("aud", json!([])), "token_wrong_audience"),
        ("aud of mixed types", set("aud", json!(["gateway", 1])), "token_bad_claim"),
        ("aud is an object", set("aud", json!({"gateway": true})), "token_bad_claim"),
        ("token_expired", set("exp", json!(NOW - 5)), "token_expired"),
        ("exp zero", set("exp", json!(0)), "token_expired"),
        ("exp negative", set("exp", json!(-1)), "token_bad_claim"),
        ("exp is text", set("exp", json!("1760000600")), "token_bad_claim"),
        ("exp null", set("exp", Value::Null), "token_bad_claim"),
        ("exp huge", set("exp", json!(u64::MAX)), "token_bad_claim"),
        ("exp 1e300", set("exp", json!(1e300)), "token_bad_claim"),
        ("exp in the year 9999", set("exp", json!(253_402_300_799_i64)), "token_lifetime_too_long"),
        ("exp in milliseconds", set("exp", json!(NOW * 1000)), "token_bad_claim"),
        ("lives a second too long", set("exp", json!(NOW - 10 + 86_401)), "token_lifetime_too_long"),
        (
            "lives long, no iat",
            bench.claims(|c| {
                without(c, "iat");
                c["exp"] = json!(NOW + 86_406);
            }),
            "token_lifetime_too_long",
        ),
        ("nbf ahead", set("nbf", json!(NOW + 6)), "token_not_yet_valid"),
        ("iat ahead", set("iat", json!(NOW + 6)), "token_not_yet_valid"),
        ("nbf is text", set("nbf", json!("0")), "token_bad_claim"),
        ("iat is a bool", set("iat", json!(true)), "token_bad_claim"),
        ("sub empty", set("sub", json!("")), "token_bad_claim"),
        ("sub is a number", set("sub", json!(7)), "token_bad_claim"),
        ("sub is long", set("sub", json!("s".repeat(257))), "token_bad_claim"),
        ("sub forges a log line", set("sub", json!("a\nlevel=INFO")), "token_bad_claim"),
        ("sub turns the text", set("sub", json!("a\u{202e}b")), "token_bad_claim"),
        ("sub does not show", set("sub", json!("a\u{200b}b")), "token_bad_claim"),
        ("sub of an API key", set("sub", json!("api_key:ak_1")), "token_bad_claim"),
        ("sub of a worker", set("sub", json!("worker:janitor")), "token_bad_claim"),
        ("sub of a client", set("sub", json!("client_id:other")), "token_bad_claim"),
        ("jti is long", set("jti", json!("j".repeat(129))), "token_bad_claim"),
        ("jti is a number", set("jti", json!(1)), "token_bad_claim"),
        ("no team", drop("team"), "no_team"),
        ("team null", set("team", Value::Null), "no_team"),
        ("team empty", set("team", json!("")), "no_team"),
        ("team in capitals", set("team", json!("Payments")), "no_team"),
        ("team is a pattern", set("team", json!("*")), "no_team"),
        ("team is an object", set("team", json!({"id": "payments"})), "token_bad_claim"),
        ("teams is a number", set("teams", json!(7)), "token_bad_claim"),
        ("teams of mixed types", set("teams", json!(["payments", 1])), "token_bad_claim"),
        ("two teams", set("teams", json!(["platform"])), "team_required"),
        ("scope is a number", set("scope", json!(1)), "token_bad_claim"),
        ("scope of mixed types", set("scope", json!(["read", {}])), "token_bad_claim"),
    ];
    for (name, token, expected) in cases {
        assert_eq!(bench.refusal(&token).await, expected, "{name}: {token}");
    }
}
