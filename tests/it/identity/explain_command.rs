//! `auth explain` and `auth preset`: what an operator is told about a token, in sentences and as JSON.
#![cfg(test)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::provider::{Provider, ProviderIssuer};
use super::signers::b64;
use crate::support::folder::TempFolder;

fn run(arguments: &[&str], issuers: &str, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.arg("auth").args(arguments).env_clear().env("ECG_AUTH_ISSUERS_FILE", issuers);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A process that does not read it may have exited.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap())
}

/// The file of issuers, written by `auth preset` and changed to the URLs of the test's provider.
fn issuers(folder: &TempFolder, at: &ProviderIssuer<'_>) -> String {
    let parameters = ["preset", "github-actions", "--param", "repository=my-org/app", "--param", "team=web"];
    let (code, text) = said(&run(&parameters, "", ""));
    assert_eq!(code, Some(0), "{text}");
    let path = folder.path().join("issuers.toml");
    std::fs::write(&path, text.replace("https://token.actions.githubusercontent.com", &at.iss())).unwrap();
    path.display().to_string()
}

fn claims() -> Value {
    json!({"aud": "eci-cache-gateway", "sub": "repo:my-org/app", "repository": "my-org/app", "ref": "refs/heads/main"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_explained_in_sentences_and_for_machines() {
    let (provider, folder) = (Provider::start().await, TempFolder::new("explained"));
    let at = provider.issuer("github", "");
    let file = issuers(&folder, &at);
    let now = SystemClock.now();
    let (code, told) = said(&run(&["explain", "-"], &file, &at.token(now, &claims())));
    assert_eq!(code, Some(0), "{told}");
    for line in
        ["accepted\n", "rule repository matches\n", "github:repo:my-org/app\n", "read, write\n", "refs/heads/main\n"]
    {
        assert!(told.contains(line), "{told}");
    }

    let mut other = claims();
    other["ref"] = json!("refs/heads/feature");
    other["exp"] = json!(now.timestamp() - 3_600);
    let token = at.token(now, &other);
    let output = run(&["explain", &token, "--json"], &file, "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("visible to everybody"), "{output:?}");
    let (code, told) = said(&output);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["accepted"], &told["code"]), (Some(1), &json!(false), &json!("token_expired")));
    let failed = json!([{"rule": "repository", "failed": [
        {"pointer": "/ref", "found": "another_value", "values": ["refs/heads/feature"], "expected": ["refs/heads/main"]}]}]);
    assert_eq!(told["rules"], failed, "also behind another refusal");
    let passed = |name: &str| {
        told["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()["passed"].clone()
    };
    assert_eq!([passed("signature"), passed("audience"), passed("times"), passed("rules")], [true, true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_the_token_has_and_what_is_expected() {
    let (provider, folder) = (Provider::start().await, TempFolder::new("explained"));
    let at = provider.issuer("github", "");
    let file = issuers(&folder, &at);
    let now = SystemClock.now();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        at.token(now, &claims)
    };
    let unknown = at.signer.sign(&json!({"alg": "RS256", "kid": "key-9"}), &at.claims(now, &claims()));
    for (token, told) in [
        (
            with("iss", json!("https://other.example/")),
            vec!["/iss is \"https://other.example/\"", "the issuers here are github: "],
        ),
        (unknown, vec!["its kid is \"key-9\", its alg RS256", "the issuer's keys are key-1 (RS256)"]),
        (with("aud", json!(["one", "two"])), vec!["/aud is \"one\", \"two\"", "audiences are eci-cache-gateway"]),
        (with("exp", json!(now.timestamp() - 3_600)), vec!["exp is 20", "it is 20", "clocks may differ by 60 s"]),
        (
            with("exp", json!(now.timestamp() + 90_000)),
            vec![
                "its lifetime from iat (or now) to exp is 90010 s, and at most 3600 s is allowed (max_lifetime_seconds)",
            ],
        ),
        (with("repository", json!("my-org/fork")), vec!["/repository is \"my-org/fork\"; expected: my-org/app"]),
    ] {
        let (code, text) = said(&run(&["explain", "-"], &file, &token));
        assert!(code == Some(1) && told.iter().all(|told| text.contains(told)), "{told:?}: {text}");
    }
    at.say(500, "");
    let (code, text) = said(&run(&["explain", "-"], &file, &at.token(now, &claims())));
    assert!(code == Some(3) && text.contains("the keys could not be fetched: HTTP status 500"), "{text}");
}

/// An issuer whose teams come from groups and whose scopes have a prefix.
fn by_groups(folder: &TempFolder, at: &ProviderIssuer<'_>) -> String {
    let parameters = ["preset", "okta", "--param", "domain=company.okta.com"];
    let text = said(&run(&parameters, "", "")).1;
    let path = folder.path().join("okta.toml");
    std::fs::write(&path, text.replace("https://company.okta.com/oauth2/default", &at.iss())).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn near_misses_are_named_and_a_token_that_may_do_nothing_is_none_that_works() {
    let (provider, folder) = (Provider::start().await, TempFolder::new("explained"));
    let at = provider.issuer("okta", "");
    let file = by_groups(&folder, &at);
    let now = SystemClock.now();
    let explain = |groups: Value, scp: Value| {
        let claims = json!({"aud": "api://default", "sub": "alice", "groups": groups, "scp": scp});
        said(&run(&["explain", "-"], &file, &at.token(now, &claims)))
    };
    let (code, text) = explain(json!(["eci-web"]), json!(["eci:read", "openid"]));
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = explain(json!(["eci-web"]), json!(["read", "openid", "eci:admin"]));
    for told in [
        "accepted, but without any scopes",
        "/scp is \"read\", \"openid\", \"eci:admin\"",
        "after the prefix \"eci:\"",
        "\"read\" would count as \"eci:read\"",
        "\"eci:admin\" is no longer a scope: the scope admin was removed; platform:read,",
    ] {
        assert!(code == Some(1) && text.contains(told), "{told}: {text}");
    }
    let (code, text) = explain(json!(["/teams/web"]), json!(["eci:read"]));
    for told in ["refused (no_team)", "/groups is \"/teams/web\"", "its group is the team: ^eci\\-("] {
        assert!(code == Some(1) && text.contains(told), "{told}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_has_an_exit_code_of_its_own() {
    let (provider, folder) = (Provider::start().await, TempFolder::new("explained"));
    let at = provider.issuer("github", "");
    let file = issuers(&folder, &at);
    let token = at.token(SystemClock.now(), &claims());
    let path = folder.path().join("token");
    std::fs::write(&path, format!("{token}\n")).unwrap();
    let by_file = ["explain", "--file", path.to_str().unwrap()];
    assert_eq!(said(&run(&by_file, &file, "")).0, Some(0));
    at.publish(&[json!({"kty": "RSA", "kid": "key-1", "n": b64([0xff; 128]), "e": "AQAB"})]);
    let (code, told) = said(&run(&by_file, &file, ""));
    assert!(code == Some(3) && told.contains("refused (issuer_unavailable)"), "{told}");
    let skipped = [json!({"kty": "RSA", "kid": "weak", "n": b64([0xff; 128]), "e": "AQAB"}), at.signer.jwk_as("key-1")];
    at.publish(&skipped);
    let (code, told) = said(&run(&by_file, &file, ""));
    assert!(
        code == Some(0) && told.contains("key 0 (weak) is skipped: is an RSA key that does not have 2048 to 8192 bits"),
        "{told}"
    );
    for (input, told) in [("", "token_missing"), ("a.b", "token_malformed"), ("Bearer x", "token_malformed")] {
        let (code, text) = said(&run(&["explain", "-"], &file, input));
        assert!(code == Some(1) && text.contains(told), "{text}");
    }
    assert_eq!(said(&run(&["explain", "-"], "/nowhere", "")).0, Some(2));
    assert_eq!(said(&run(&["explain"], &file, "")).0, Some(2));
}

#[test]
fn presets_are_listed_and_ask_for_what_they_need() {
    let (code, told) = said(&run(&["preset"], "", ""));
    assert_eq!(code, Some(0));
    for name in ["keycloak", "entra-id", "auth0", "okta", "cognito", "google", "github-actions", "gitlab", "kubernetes"]
    {
        assert!(told.contains(&format!("{name}: ")), "{told}");
    }
    for (arguments, expected) in [
        (&["preset", "gitlab"][..], "project: must be given"),
        (
            &["preset", "gitlab", "--param", "project=a/b", "--param", "team=Web"],
            "/rules/0/team/fixed: must be a team's id",
        ),
        (&["preset", "gitlab", "--param", "colour=red"], "colour: is no parameter of gitlab"),
        (&["preset", "gitlub"], "there is no preset"),
    ] {
        let output = run(arguments, "", "");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(expected), "{arguments:?}: {told}");
    }
    let parameters = [
        "preset",
        "kubernetes",
        "--param",
        "issuer=https://k.example",
        "--param",
        "namespace=web",
        "--param",
        "team=web",
        "--json",
    ];
    let made: Value = serde_json::from_str(&said(&run(&parameters, "", "")).1).unwrap();
    assert_eq!(made["rules"][0]["match"], json!({"/kubernetes.io/namespace": ["web"]}));
}
