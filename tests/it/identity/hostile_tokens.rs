//! Hostile tokens by category: formats, algorithms, confused keys, headers, signatures.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use serde_json::{Value, json};

use super::hostile_claims::claims;
use super::signers::{Signer, b64, hmac_signed};
use crate::support::gateway::TEAM;

/// A name, and what follows `Bearer `.
pub(super) type Cases = Vec<(String, Vec<u8>)>;

/// The provider's keys, and those of an attacker.
pub(super) struct ProviderKeys {
    pub(super) keys: [Signer; 4],
    pub(super) strangers: [Signer; 4],
    pub(super) now: i64,
}

impl ProviderKeys {
    /// One of the provider's asymmetric keys, so that nobody else can sign with it.
    pub(super) fn key(&self) -> &Signer {
        &self.keys[2]
    }

    pub(super) fn claims(&self) -> Value {
        json!({"iss": "https://issuer.example", "aud": "eci-cache-gateway", "sub": "alice", "jti": "t", "team": TEAM,
            "scope": Scope::ALL.map(Scope::as_str).join(" "), "iat": self.now - 10, "exp": self.now + 600})
    }

    fn good(&self) -> String {
        self.key().sign(&self.key().header(), &self.claims())
    }

    /// A valid token with one member of its header changed; null removes it.
    fn header(&self, name: &str, value: &Value) -> String {
        self.key().sign(&with(self.key().header(), name, value), &self.claims())
    }

    /// The same for its claims.
    pub(super) fn claim(&self, name: &str, value: &Value) -> String {
        self.key().sign(&self.key().header(), &with(self.claims(), name, value))
    }
}

/// `gone` stands for a missing member.
fn with(mut object: Value, name: &str, value: &Value) -> Value {
    if *value == gone() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value.clone();
    }
    object
}

pub(super) fn gone() -> Value {
    json!("\u{1}gone")
}

/// Replaces one of the three parts.
fn part(token: &str, place: usize, with: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[place] = with;
    parts.join(".")
}

pub(super) fn named(group: &str, tokens: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Cases {
    let cases = tokens.into_iter().enumerate();
    cases.map(|(place, token)| (format!("{group} {place}"), token.as_ref().to_vec())).collect()
}

fn forms(bench: &ProviderKeys) -> Cases {
    let good = bench.good();
    let (header, claims) = (good.split('.').next().unwrap(), good.split('.').nth(1).unwrap());
    let texts = vec![
        "a".into(),
        ".".into(),
        "..".into(),
        "...".into(),
        "a.b.c".into(),
        "null".into(),
        "undefined".into(),
        format!("{header}.{claims}"),
        format!("{good}.AAAA"),
        format!("{good}.AAAA.AAAA"),
        format!("{good}."),
        format!(".{good}"),
        format!("\"{good}\""),
        format!("{good},{good}"),
        format!("{good} {good}"),
        format!("Bearer {good}"),
        good.replace('.', "%2E"),
        good.replacen('.', " .", 1),
        good.to_uppercase(),
        part(&good, 0, ""),
        part(&good, 1, ""),
        part(&good, 0, &format!("{header}=")),
        part(&good, 1, &format!("{claims}==")),
        format!("{good}="),
        part(&good, 0, "eyJhIjoi+/8ifQ"),
        part(&good, 0, "e31"),
        "a".repeat(8_193),
        "a".repeat(20_000),
        part(&good, 1, &b64("x".repeat(12_000))),
    ];
    let mut cases = named("form", texts.iter().map(String::as_bytes));
    let bytes: [&[u8]; 6] =
        [b"\xff\xfe", b"\xc3\x28", "é".as_bytes(), b"\x80.\x80.\x80", b"eyJ\xff.e30.AA", b"\xe3\x80\x82"];
    cases.extend(named("bytes", bytes.map(|bytes| [good.as_bytes(), bytes].concat())));
    cases
}

fn algorithms(bench: &ProviderKeys) -> Cases {
    let names = [
        "none", "None", "NONE", "nOnE", "", "HS1", "HS384", "HS512", "RS384", "RS512", "PS256", "PS384", "PS512",
        "ES384", "ES512", "ES256K", "Ed25519", "Ed448", "RSA-OAEP", "dir", "A128KW", "eddsa", "EDDSA", " EdDSA",
        "EdDSA ", "EdDSA\0", "EdDSA\n", "null", "1",
    ];
    let mut cases = named("alg", names.map(|name| bench.header("alg", &json!(name))));
    let unsigned = ["none", "None", "NONE", "nOnE", "EdDSA"];
    cases.extend(named("unsigned", unsigned.map(|name| part(&bench.header("alg", &json!(name)), 2, ""))));
    let odd = [json!(1), json!(null), json!(["EdDSA"]), json!({"EdDSA": 1}), json!(true), gone()];
    cases.extend(named("alg type", odd.map(|value| bench.header("alg", &value))));
    cases
}

/// Tokens signed by a key that is passed off as one of another algorithm.
fn confusion(bench: &ProviderKeys) -> Cases {
    let mut tokens = Vec::new();
    for key in &bench.keys {
        for other in bench.keys.iter().filter(|other| other.algorithm() != key.algorithm()) {
            // Signed with one key in the name of the other, and vice versa.
            tokens.push(key.sign(&with(key.header(), "kid", &json!(other.algorithm())), &bench.claims()));
            tokens.push(key.sign(&with(key.header(), "alg", &json!(other.algorithm())), &bench.claims()));
        }
        // A public key used as a secret.
        let jwk = key.jwk();
        for name in ["n", "x", "y"] {
            let Some(public) = jwk[name].as_str() else { continue };
            let header = json!({"alg": "HS256", "typ": "JWT", "kid": key.algorithm()});
            tokens.push(hmac_signed(public.as_bytes(), &header, &bench.claims()));
            tokens.push(hmac_signed(jwk.to_string().as_bytes(), &header, &bench.claims()));
        }
    }
    let empty = json!({"alg": "HS256", "typ": "JWT", "kid": "HS256"});
    tokens.push(hmac_signed(b"", &empty, &bench.claims()));
    tokens.push(hmac_signed(&[0; 32], &empty, &bench.claims()));
    named("confusion", tokens)
}

fn headers(bench: &ProviderKeys) -> Cases {
    let mut cases = Cases::new();
    for value in [json!(["exp"]), json!([]), json!("exp"), json!(["b64"]), json!(null), json!(["jku", "kid"])] {
        cases.extend(named("crit", [bench.header("crit", &value)]));
    }
    for (name, value) in [("b64", json!(false)), ("b64", json!(true)), ("zip", json!("DEF")), ("enc", json!("A128GCM"))]
    {
        cases.extend(named(name, [bench.header(name, &value)]));
    }
    cases.extend(named("cty", [bench.header("cty", &json!("JWT"))]));
    let types = ["id+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "JWE", "JOSE", "", "JWT ", "application/id+jwt"];
    cases.extend(named("typ", types.map(|typ| bench.header("typ", &json!(typ)))));
    cases.extend(named("typ type", [json!(1), json!(null), json!(["JWT"])].map(|typ| bench.header("typ", &typ))));
    let kids = [
        json!("x"),
        json!(""),
        json!("../../dev/null"),
        json!("EdDSA' OR '1'='1"),
        json!("https://evil.example/key"),
        json!("k".repeat(121)),
        json!("k".repeat(3_000)),
        json!(7),
        json!(["EdDSA"]),
        json!(null),
        json!({}),
        gone(),
        json!("EdDSA\0"),
        json!("EdDSA\n"),
        json!("edDSA"),
        json!("ΕdDSA"),
        json!("$(id)"),
        json!("| cat /etc/passwd"),
    ];
    cases.extend(named("kid", kids.map(|kid| bench.header("kid", &kid))));
    let raw = |text: &str| bench.key().sign_raw(text, bench.claims().to_string());
    let deep = "[".repeat(3_000);
    let texts = [
        "alg: EdDSA",
        "[]",
        "null",
        "\"EdDSA\"",
        "{",
        &deep,
        r#"{"alg":"EdDSA","kid":"EdDSA","alg":"none"}"#,
        r#"{"alg":"none","alg":"EdDSA","kid":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":"EdDSA","kid":"x"}"#,
        r#"{"alg":"EdDSA","kid":"EdDSA"} {}"#,
        "\u{feff}{\"alg\":\"EdDSA\",\"kid\":\"EdDSA\"}",
        r#"{"alg":"EdDSA","kid":"EdDSA",}"#,
        r"{'alg':'EdDSA'}",
    ];
    cases.extend(named("header", texts.map(raw)));
    cases
}

/// Keys inside the token, and other signatures that are not the provider's.
fn signatures(bench: &ProviderKeys) -> Cases {
    let mut tokens = Vec::new();
    for (stranger, key) in bench.strangers.iter().zip(&bench.keys).take(3) {
        let jwk = stranger.jwk();
        for (name, value) in [
            ("jwk", jwk.clone()),
            ("jku", json!("https://evil.example/keys")),
            ("x5u", json!("https://evil.example/chain.pem")),
            ("x5c", json!(["MIIB"])),
        ] {
            for kid in [json!(key.algorithm()), json!("evil"), gone()] {
                let header = with(with(stranger.header(), name, &value), "kid", &kid);
                tokens.push(stranger.sign(&header, &bench.claims()));
            }
        }
        tokens.push(stranger.sign(&stranger.header(), &bench.claims()));
        tokens.push(stranger.sign(&stranger.header(), &json!({"exp": 0})));
    }
    for key in &bench.keys {
        let good = key.sign(&key.header(), &bench.claims());
        let signature = good.rsplit('.').next().unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let another = key.sign(&key.header(), &with(bench.claims(), "sub", &json!("bob")));
        let admin = with(bench.claims(), "team", &json!("platform"));
        tokens.extend([
            part(&good, 2, ""),
            part(&good, 2, &format!("{first}{}", &signature[1..])),
            part(&good, 2, &signature[..signature.len() - 4]),
            part(&good, 2, &format!("{signature}AAAA")),
            part(&good, 2, &b64([0; 64])),
            part(&good, 2, &b64([255; 256])),
            part(&good, 2, another.rsplit('.').next().unwrap()),
            part(&good, 1, &b64(admin.to_string())),
            part(&good, 1, "AAAA"),
        ]);
    }
    named("signature", tokens)
}

/// All of them.
pub(super) fn all(bench: &ProviderKeys) -> Cases {
    [forms, algorithms, confusion, headers, signatures, claims].iter().flat_map(|of| of(bench)).collect()
}
