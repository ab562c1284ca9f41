//! Hostile tokens with a valid signature: claims that must not be trusted.
#![cfg(test)]

use serde_json::{Value, json};

use super::hostile_tokens::{Cases, ProviderKeys, gone, named};

/// A claim, and invalid values of it.
type Values = Vec<(&'static str, Vec<Value>)>;

fn texts(many: &[&str]) -> Vec<Value> {
    many.iter().map(|text| json!(text)).collect()
}

fn no_texts() -> Vec<Value> {
    vec![json!(1), json!(true), json!({"a": 1}), json!([1])]
}

/// Issuer, audience and times.
fn of_the_token(now: i64) -> Values {
    vec![
        (
            "iss",
            [
                texts(&["", "https://evil.example", "https://issuer.example/", "HTTPS://ISSUER.EXAMPLE"]),
                no_texts(),
                vec![gone(), json!(null), json!(["https://issuer.example"])],
            ]
            .concat(),
        ),
        (
            "aud",
            [
                texts(&["", "other", "eci-cache-gateway.example", "ECI-cache-gateway", "eci"]),
                no_texts(),
                vec![
                    gone(),
                    json!(null),
                    json!([]),
                    json!(["eci-cache-gateway", 1]),
                    json!([["eci-cache-gateway"]]),
                    json!(["other"]),
                ],
            ]
            .concat(),
        ),
        (
            "exp",
            [
                texts(&["", "9999999999"]),
                vec![
                    gone(),
                    json!(null),
                    json!(true),
                    json!([now + 60]),
                    json!(-1),
                    json!(0),
                    json!(now - 5),
                    json!(u64::MAX),
                    json!(i64::MIN),
                    json!(1e300),
                    json!(-1e300),
                    json!(now * 1000),
                    json!(253_402_300_799_i64),
                    json!(now + 86_400),
                ],
            ]
            .concat(),
        ),
        ("nbf", vec![json!(now + 6), json!("0"), json!(null), json!([]), json!(u64::MAX), json!(-5), json!(false)]),
        (
            "iat",
            vec![
                json!(now + 6),
                json!("0"),
                json!(null),
                json!([]),
                json!(u64::MAX),
                json!(-5),
                json!(false),
                json!(now - 90_000),
            ],
        ),
    ]
}

/// Subject, team and scopes.
fn of_the_caller() -> Values {
    vec![
        (
            "sub",
            [
                texts(&["", "a\nlevel=INFO", "a\0b", "\u{1b}[31m", "a\u{85}b", &"s".repeat(257)]),
                no_texts(),
                vec![gone(), json!(null)],
            ]
            .concat(),
        ),
        ("jti", [texts(&["", "a\r\nb", &"j".repeat(129)]), no_texts(), vec![json!(null)]].concat()),
        (
            "team",
            [
                texts(&["", "*", "Web", "../web", "-web", "web ", "wéb", "web\0", "web,other", &"w".repeat(64)]),
                vec![
                    gone(),
                    json!(null),
                    json!(1),
                    json!(true),
                    json!({"a": 1}),
                    json!([1]),
                    json!([]),
                    json!(["web", 1]),
                    json!(["web", "other"]),
                    json!([["web"]]),
                ],
            ]
            .concat(),
        ),
        ("teams", vec![json!(["other"]), json!("other"), json!(7), json!([null])]),
        ("scope", vec![json!(1), json!(true), json!({"a": 1}), json!([1]), json!(["read", null])]),
    ]
}

pub(super) fn claims(bench: &ProviderKeys) -> Cases {
    let mut cases = Cases::new();
    for (name, values) in of_the_token(bench.now).into_iter().chain(of_the_caller()) {
        cases.extend(named(name, values.iter().map(|value| bench.claim(name, value))));
    }
    let raw = |bytes: &[u8]| bench.key().sign_raw(bench.key().header().to_string(), bytes);
    let good = bench.claims().to_string();
    let doubled =
        ["\"exp\":99999999999", "\"aud\":\"other\"", "\"team\":\"other\"", "\"scope\":\"read\"", "\"iss\":\"x\""];
    cases.extend(named("twice", doubled.map(|member| raw(good.replacen('{', &format!("{{{member},"), 1).as_bytes()))));
    let deep = "{\"a\":".repeat(800);
    let shapes: [&[u8]; 10] = [
        b"",
        b"[]",
        b"null",
        b"\"text\"",
        b"1",
        b"{",
        deep.as_bytes(),
        b"{\"sub\":\"\xff\"}",
        b"{\"sub\":\"\\ud800\"}",
        b"{} {}",
    ];
    cases.extend(named("shape", shapes.map(raw)));
    cases
}
