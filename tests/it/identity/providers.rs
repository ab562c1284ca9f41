//! Tokens in the format of ten providers, with real discovery documents: each is accepted as the caller of its preset.
//! A token that differs in a claim of the rule is refused, and told which rule failed because of which claim.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::identity::issuer::Issuer;
use reqwest::Method;
use serde_json::{Value, json};

use super::provider::{Provider, ProviderIssuer};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

/// A provider: its preset, the preset's parameters, and a token.
pub(super) struct ProviderCase {
    pub(super) preset: &'static str,
    /// The end of its `iss`.
    pub(super) end: &'static str,
    pub(super) parameters: Vec<(&'static str, &'static str)>,
    pub(super) claims: Value,
    /// Subject and scopes of the caller, who belongs to [`TEAM`].
    becomes: (&'static str, &'static [&'static str]),
    /// Another value of one claim, and the message of the refusal.
    differs: (&'static str, Value, &'static str),
}

/// The team of all providers.
const TEAM: &str = "web";

/// The claims for `team`, `groups` and the like, and their format, are those in the providers' documentation.
#[expect(clippy::too_many_lines, reason = "one table")]
pub(super) fn cases() -> Vec<ProviderCase> {
    vec![
        ProviderCase {
            preset: "keycloak",
            end: "/realms/company",
            parameters: vec![("url", "https://sso.example.com"), ("realm", "company")],
            claims: json!({"aud": ["eci-cache-gateway", "account"], "sub": "6f0a", "typ": "Bearer", "azp": "ci",
                "jti": "trrtcc:1", "realm_access": {"roles": ["admin", "offline_access", "platform:security"]},
                "resource_access": {"eci-cache-gateway": {"roles": ["cache-writer"]}, "account": {"roles": ["view"]}},
                "scope": "email profile write", "groups": ["/teams/web", "/everybody"], "preferred_username": "alice"}),
            becomes: ("keycloak:6f0a", &["read", "write"]),
            differs: (
                "resource_access",
                json!({"other": {"roles": ["cache-writer"]}}),
                "rule roles does not match on /resource_access/eci-cache-gateway/roles",
            ),
        },
        ProviderCase {
            preset: "entra-id",
            end: "/v2.0",
            parameters: vec![("tenant", "t"), ("audience", "api-client"), ("client_id", "ci-app"), ("team", TEAM)],
            claims: json!({"aud": "api-client", "azp": "ci-app", "azpacr": "1", "oid": "0b1c", "sub": "0b1c", "tid": "t",
                "roles": ["Cache.Write"], "uti": "x", "ver": "2.0", "nbf": 1_700_000_000}),
            becomes: ("entra-id:0b1c", &["read", "write"]),
            differs: ("azp", json!("other-app"), "rule application does not match on /azp"),
        },
        ProviderCase {
            preset: "auth0",
            end: "/",
            parameters: vec![("domain", "company.eu.auth0.com"), ("audience", "https://eci.example.com")],
            claims: json!({"aud": ["https://eci.example.com", "https://company.eu.auth0.com/userinfo"],
                "sub": "abc@clients", "azp": "abc", "gty": "client-credentials", "scope": "eci:read profile write",
                "permissions": ["eci:read", "eci:write"], "https://eci-cache-gateway/team": TEAM}),
            becomes: ("auth0:abc@clients", &["read", "write"]),
            differs: ("aud", json!("https://other.example.com"), "audiences of the issuer auth0"),
        },
        ProviderCase {
            preset: "okta",
            end: "/oauth2/default",
            parameters: vec![("domain", "company.okta.com")],
            claims: json!({"ver": 1, "jti": "AT.x", "aud": "api://default", "cid": "0oa1", "uid": "00u1",
                "scp": ["eci:read", "openid", "read"], "sub": "alice@example.com", "groups": ["Everyone", "eci-web"]}),
            becomes: ("okta:alice@example.com", &["read"]),
            differs: ("groups", json!(["Everyone"]), "no value of the claim matches the rule's pattern"),
        },
        ProviderCase {
            preset: "cognito",
            end: "",
            parameters: vec![("region", "r"), ("pool", "p"), ("client_id", "7app"), ("team", TEAM)],
            claims: json!({"sub": "7app", "token_use": "access", "client_id": "7app", "version": 2, "jti": "a",
                "scope": "eci-cache-gateway/read eci-cache-gateway/write other/read", "auth_time": 1}),
            becomes: ("cognito:7app", &["read", "write"]),
            differs: ("client_id", json!("8app"), "client_ids of the issuer cognito"),
        },
        ProviderCase {
            preset: "google",
            end: "",
            parameters: vec![("email", "ci@p.iam.gserviceaccount.com"), ("team", TEAM)],
            claims: json!({"aud": "eci-cache-gateway", "azp": "1154", "email": "ci@p.iam.gserviceaccount.com",
                "email_verified": true, "sub": "1154"}),
            becomes: ("google:1154", &["read", "write"]),
            differs: ("email_verified", json!(false), "rule service-account does not match on /email_verified"),
        },
        ProviderCase {
            preset: "github-actions",
            end: "",
            parameters: vec![("repository", "my-org/app"), ("environment", "production"), ("team", TEAM)],
            claims: json!({"aud": "eci-cache-gateway", "sub": "repo:my-org/app:environment:production", "jti": "j-1",
                "repository": "my-org/app", "repository_id": "74", "repository_owner": "my-org", "run_id": "1",
                "ref": "refs/heads/main", "ref_type": "branch", "environment": "production", "actor": "octocat",
                "workflow_ref": "my-org/app/.github/workflows/ci.yml@refs/heads/main", "sha": "abc", "nbf": 1}),
            becomes: ("github:repo:my-org/app:environment:production", &["read", "write"]),
            differs: ("repository", json!("evil-org/app"), "rule repository does not match on /repository"),
        },
        ProviderCase {
            preset: "gitlab",
            end: "",
            parameters: vec![("project", "my-group/sub/app"), ("team", TEAM)],
            claims: json!({"aud": "eci-cache-gateway", "sub": "project_path:my-group/sub/app:ref_type:branch:ref:main",
                "project_path": "my-group/sub/app", "project_id": "22", "namespace_path": "my-group/sub",
                "ref": "main", "ref_type": "branch", "ref_protected": "true", "pipeline_id": "1", "job_id": "2",
                "user_login": "alice", "sha": "abc", "jti": "j-2", "nbf": 1}),
            becomes: ("gitlab:project_path:my-group/sub/app:ref_type:branch:ref:main", &["read", "write"]),
            differs: ("ref_protected", json!("false"), "rule project does not match on /ref_protected"),
        },
        ProviderCase {
            preset: "kubernetes",
            end: "",
            parameters: vec![
                ("issuer", "https://k.example"),
                ("namespace", TEAM),
                ("service_account", "ci"),
                ("team", TEAM),
            ],
            claims: json!({"aud": ["eci-cache-gateway"], "sub": "system:serviceaccount:web:ci", "jti": "k-1", "nbf": 1,
                "kubernetes.io": {"namespace": "web", "node": {"name": "n", "uid": "u"},
                    "pod": {"name": "ci-0", "uid": "u"}, "serviceaccount": {"name": "ci", "uid": "u"}}}),
            becomes: ("kubernetes:system:serviceaccount:web:ci", &["read", "write"]),
            differs: (
                "kubernetes.io",
                json!({"namespace": "web", "serviceaccount": {"name": "default"}}),
                "rule namespace does not match on /kubernetes.io/serviceaccount/name",
            ),
        },
        ProviderCase {
            preset: "generic",
            end: "/oidc",
            parameters: vec![("issuer", "https://sso.example.com"), ("name", "sso")],
            claims: json!({"aud": "eci-cache-gateway", "sub": "alice", "team": TEAM, "scope": "eci:read,eci:webhooks"}),
            becomes: ("sso:alice", &["read", "webhooks"]),
            differs: ("team", json!("my-group/sub"), "the value is a path"),
        },
    ]
}

/// All providers on one server, and a gateway that accepts them.
pub(super) async fn all(provider: &Provider) -> (TestGateway, Vec<(ProviderCase, ProviderIssuer<'_>)>) {
    let cases: Vec<(ProviderCase, ProviderIssuer)> = cases()
        .into_iter()
        .map(|case| (provider.issuer(case.preset, case.end), case))
        .map(|(at, case)| (case, at))
        .collect();
    let issuers: Vec<Issuer> = cases.iter().map(|(case, at)| at.configured(case.preset, &case.parameters)).collect();
    (TestGateway::with(Setup { issuers, ..Setup::default() }).await, cases)
}

/// Who the token authenticates.
pub(super) async fn me(app: &TestGateway, token: &str) -> Answer {
    Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(token)).await
}

#[tokio::test]
async fn ten_providers_are_understood_by_their_presets() {
    let provider = Provider::start().await;
    let (app, cases) = all(&provider).await;
    assert_eq!(cases.len(), 10);
    for (case, at) in &cases {
        let who = me(&app, &at.token(app.now(), &case.claims)).await.expect(200);
        let (subject, scopes) = case.becomes;
        let found = (&who["team"], &who["subject"], &who["scopes"]);
        assert_eq!(found, (&json!(TEAM), &json!(subject), &json!(scopes)), "{}", case.preset);
        let (claim, value, told) = &case.differs;
        let mut other = case.claims.clone();
        other[claim] = value.clone();
        let refused = me(&app, &at.token(app.now(), &other)).await;
        let problem = refused.expect_error();
        let detail = problem["detail"].as_str().unwrap();
        assert!([401, 403].contains(&refused.status) && detail.contains(told), "{}: {problem}", case.preset);
        for hidden in ["evil", "8app", "other-app", "my-group/sub\"", "Everyone"] {
            assert!(!refused.text.contains(hidden), "a value of the token: {problem}");
        }
    }
    // Two documents for each: the discovery document and the keys.
    assert_eq!(provider.hits(), 20);
}

#[tokio::test]
async fn entra_tokens_of_version_1_name_their_application_otherwise() {
    let provider = Provider::start().await;
    let at = provider.issuer("entra-v1", "/");
    let parameters =
        [("tenant", "t"), ("audience", "api://eci"), ("client_id", "ci-app"), ("team", TEAM), ("version", "1")];
    let issuers = vec![at.configured("entra-id", &parameters)];
    let app = TestGateway::with(Setup { issuers, ..Setup::default() }).await;
    let mut claims = json!({"aud": "api://eci", "appid": "ci-app", "appidacr": "1", "oid": "0b1c", "roles": ["Cache.Read"],
        "tid": "t", "ver": "1.0"});
    let who = me(&app, &at.token(app.now(), &claims)).await.expect(200);
    // It has no `sub`: the object id is used instead.
    assert_eq!((&who["subject"], &who["scopes"]), (&json!("entra-id:oid:0b1c"), &json!(["read"])));
    claims["appid"] = json!("other-app");
    me(&app, &at.token(app.now(), &claims)).await.problem(403, "no_rule_matches");
}

#[tokio::test]
async fn what_a_pipeline_is_stands_in_the_audit() {
    let provider = Provider::start().await;
    let (app, cases) = all(&provider).await;
    let (case, at) = cases.iter().find(|(case, _)| case.preset == "github-actions").unwrap();
    let token = at.token(app.now(), &case.claims);
    let body = json!({"name": "app", "region": "cn-beijing", "images": ["nginx:1.27"]});
    let made = app.bare(Method::POST, "/v1/image-caches").bearer_auth(&token).json(&body);
    Answer::of(made).await.expect(201);
    let sql = "SELECT parameters FROM audit_entries WHERE action = 'create_image_cache' AND outcome = 'accepted'
        AND subject = 'github:repo:my-org/app:environment:production' AND team = 'web'";
    let kept: Value = sqlx::query_scalar(sql).fetch_one(app.sql()).await.unwrap();
    for (name, value) in [
        ("token_issuer", "github"),
        ("token_rule", "repository"),
        ("token/repository", "my-org/app"),
        ("token/ref", "refs/heads/main"),
        ("token/environment", "production"),
    ] {
        assert_eq!(kept[name], value, "{kept}");
    }
    // A workflow of another repository is told which rule failed because of which claim, and nothing else about the
    // rule.
    let mut other = case.claims.clone();
    (other["repository"], other["sub"]) = (json!("my-org/fork"), json!("repo:my-org/fork:ref:refs/heads/main"));
    let problem = me(&app, &at.token(app.now(), &other)).await.problem(403, "no_rule_matches");
    let told = "no rule of the issuer github matches the token: rule repository does not match on /repository";
    assert_eq!(problem["detail"], told);
    let hint = problem["hint"].as_str().unwrap();
    assert!(hint.contains("POST /v1/issuers/explain") && hint.contains("auth explain"), "{problem}");
}

#[tokio::test]
async fn who_comes_with_the_scope_admin_is_told_what_is_in_its_place() {
    let provider = Provider::start().await;
    let (app, cases) = all(&provider).await;
    let (case, at) = cases.iter().find(|(case, _)| case.preset == "generic").unwrap();
    let refused = async |scope: &str| {
        let mut claims = case.claims.clone();
        claims["scope"] = json!(scope);
        let request = app.bare(Method::GET, "/v1/teams").bearer_auth(at.token(app.now(), &claims));
        Answer::of(request).await.problem(403, "scope_missing")["detail"].as_str().unwrap().to_owned()
    };
    let gone = "the scope admin was removed; platform:read, platform:policy, platform:accounts";
    assert!(refused("eci:read eci:admin").await.contains(gone));
    // Another system's scopes are not ours.
    assert!(!refused("eci:read admin").await.contains("admin"));
}

#[tokio::test]
async fn a_token_of_entra_has_the_id_that_entra_gave_it() {
    let provider = Provider::start().await;
    let (app, cases) = all(&provider).await;
    let (case, at) = cases.iter().find(|(case, _)| case.preset == "entra-id").unwrap();
    let token = at.token(app.now(), &case.claims);
    assert_eq!(me(&app, &token).await.expect(200)["credential_id"], "x");
    let revoke =
        app.bare(Method::POST, "/v1/revocations").bearer_auth(app.token("platform", &[Scope::PlatformSecurity]));
    Answer::of(revoke.json(&json!({"jti": "x", "reason": "lost"}))).await.expect(201);
    me(&app, &token).await.problem(401, "token_revoked");
}

#[tokio::test]
async fn no_token_stands_for_another_issuers_or_our_own_subjects() {
    let provider = Provider::start().await;
    let (app, cases) = all(&provider).await;
    let (case, at) = cases.iter().find(|(case, _)| case.preset == "generic").unwrap();
    let with = |sub: &str| {
        let mut claims = case.claims.clone();
        claims["sub"] = json!(sub);
        at.token(app.now(), &claims)
    };
    for sub in [
        "api_key:ak_1",
        "access_key:x",
        "worker:tracker",
        "operator:root",
        "gateway:x",
        "github:repo:a/b",
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200f}b",
        "a\u{61c}b",
        "a\u{200b}b",
    ] {
        let problem = me(&app, &with(sub)).await.problem(401, "token_bad_claim");
        assert!(problem["detail"].as_str().unwrap().contains("claim sub"), "{problem}");
    }
    assert_eq!(me(&app, &with("api_keys:1")).await.expect(200)["subject"], "sso:api_keys:1");
}
