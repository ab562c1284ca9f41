//! Presets for providers of people and applications.

use std::collections::BTreeMap;

use super::{AUDIENCE, Preset, PresetParameters, needed, usual};
use crate::domain::identity::issuer::{Issuer, IssuerRule, ScopeSource, TeamSource, pointer};

/// Roles, each with the scopes that it grants.
fn table(rows: [(&str, &[&str]); 2]) -> BTreeMap<String, Vec<String>> {
    let row = |(word, scopes): (&str, &[&str])| (word.to_owned(), scopes.iter().copied().map(str::to_owned).collect());
    rows.into_iter().map(row).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().copied().map(str::to_owned).collect()
}

/// Keycloak: the roles of a client grant scopes, groups are teams. The audience needs a mapper
/// (`oidc-audience-mapper`), the groups need another (`oidc-group-membership-mapper`, with the full path).
pub(super) const KEYCLOAK: Preset = Preset {
    name: "keycloak",
    title: "Keycloak: a client's roles give scopes, the groups below one group are teams",
    parameters: &[
        needed("url", "where Keycloak is, with the path before /realms if there is one: https://sso.example.com"),
        needed("realm", "the realm: company"),
        AUDIENCE,
        usual("client", "the client whose roles give scopes", "eci-cache-gateway"),
        usual("groups", "the group whose direct subgroups are the teams", "/teams"),
    ],
    make: keycloak,
};

fn keycloak(given: &PresetParameters) -> Issuer {
    let roles = format!("/resource_access{}/roles", pointer::of_name(&given.text("client")));
    let scopes = table([("cache-reader", &["read"]), ("cache-writer", &["read", "write"])]);
    Issuer {
        name: "keycloak".into(),
        issuer: format!("{}/realms/{}", given.text("url").trim_end_matches('/'), given.text("realm")),
        audiences: given.list("audience"),
        rules: vec![IssuerRule {
            name: "roles".into(),
            matches: [(roles.clone(), scopes.keys().cloned().collect())].into(),
            team: TeamSource {
                claims: texts(&["/groups"]),
                pattern: Some(format!(
                    "^{}/([a-z0-9][a-z0-9_-]*)$",
                    regex::escape(given.text("groups").trim_end_matches('/'))
                )),
                ..TeamSource::default()
            },
            scopes: ScopeSource { claims: vec![roles], table: scopes, ..ScopeSource::default() },
            noted: texts(&["/azp", "/preferred_username"]),
            ..IssuerRule::default()
        }],
        ..Issuer::default()
    }
}

/// Entra ID: one application of one team. Version 2 tokens name the application in `azp`, version 1 tokens in `appid`.
pub(super) const ENTRA_ID: Preset = Preset {
    name: "entra-id",
    title: "Microsoft Entra ID: an application of one team, app roles give scopes",
    parameters: &[
        needed("tenant", "the directory's id: 11111111-2222-3333-4444-555555555555"),
        needed("audience", "the client id of the API's registration (version 2), or its api:// URI (version 1)"),
        needed("client_id", "the application's client id"),
        super::TEAM,
        usual("version", "of the access tokens (accessTokenAcceptedVersion): 2 or 1", "2"),
    ],
    make: entra_id,
};

fn entra_id(given: &PresetParameters) -> Issuer {
    let tenant = given.text("tenant");
    let (issuer, client) = match given.text("version").as_str() {
        "1" => (format!("https://sts.windows.net/{tenant}/"), "/appid"),
        _ => (format!("https://login.microsoftonline.com/{tenant}/v2.0"), "/azp"),
    };
    let scopes = table([("Cache.Read", &["read"]), ("Cache.Write", &["read", "write"])]);
    Issuer {
        name: "entra-id".into(),
        issuer,
        audiences: given.list("audience"),
        rules: vec![IssuerRule {
            name: "application".into(),
            matches: [
                (client.to_owned(), given.list("client_id")),
                ("/roles".to_owned(), scopes.keys().cloned().collect()),
            ]
            .into(),
            team: TeamSource { fixed: Some(given.text("team")), ..TeamSource::default() },
            scopes: ScopeSource { claims: texts(&["/roles"]), table: scopes, ..ScopeSource::default() },
            noted: texts(&[client, "/oid"]),
            ..IssuerRule::default()
        }],
        ..Issuer::default()
    }
}

/// Auth0: its issuer ends in a slash, and the names of custom claims begin with a URL.
pub(super) const AUTH0: Preset = Preset {
    name: "auth0",
    title: "Auth0: an action adds the team, permissions of the API give scopes",
    parameters: &[
        needed("domain", "the tenant's domain: company.eu.auth0.com"),
        needed("audience", "the API's identifier: https://eci-cache-gateway.example.com"),
        usual("team_claim", "the claim that an action adds", "https://eci-cache-gateway/team"),
        usual("prefix", "the prefix of the gateway's scope names", "eci:"),
    ],
    make: auth0,
};

fn auth0(given: &PresetParameters) -> Issuer {
    let rule = by_claims(&pointer::of_name(&given.text("team_claim")), &["/scope", "/permissions"], given);
    Issuer {
        name: "auth0".into(),
        issuer: format!("https://{}/", given.text("domain")),
        audiences: given.list("audience"),
        rules: vec![IssuerRule { noted: texts(&["/azp"]), ..rule }],
        ..Issuer::default()
    }
}

/// Okta: scopes are an array `scp`, the client is `cid`.
pub(super) const OKTA: Preset = Preset {
    name: "okta",
    title: "Okta: an authorization server of one's own, groups are teams",
    parameters: &[
        needed("domain", "company.okta.com"),
        usual("server", "the authorization server's id", "default"),
        usual("audience", "the authorization server's audience", "api://default"),
        usual("groups", "the prefix of the team's id in a group's name", "eci-"),
        usual("prefix", "the prefix of the gateway's scope names", "eci:"),
    ],
    make: okta,
};

fn okta(given: &PresetParameters) -> Issuer {
    let mut rule = by_claims("/groups", &["/scp"], given);
    rule.team.pattern = Some(format!("^{}([a-z0-9][a-z0-9_-]*)$", regex::escape(&given.text("groups"))));
    Issuer {
        name: "okta".into(),
        issuer: format!("https://{}/oauth2/{}", given.text("domain"), given.text("server")),
        audiences: given.list("audience"),
        rules: vec![IssuerRule { noted: texts(&["/cid"]), ..rule }],
        ..Issuer::default()
    }
}

/// Cognito: access tokens have no `aud`; scopes follow the resource server's identifier.
pub(super) const COGNITO: Preset = Preset {
    name: "cognito",
    title: "Amazon Cognito: an application (client credentials) of one team",
    parameters: &[
        needed("region", "eu-central-1"),
        needed("pool", "the user pool's id: eu-central-1_AbCdEfGhI"),
        needed("client_id", "the application's client id"),
        usual("resource_server", "the resource server's identifier", "eci-cache-gateway"),
        super::TEAM,
    ],
    make: cognito,
};

fn cognito(given: &PresetParameters) -> Issuer {
    Issuer {
        name: "cognito".into(),
        issuer: format!("https://cognito-idp.{}.amazonaws.com/{}", given.text("region"), given.text("pool")),
        client_ids: given.list("client_id"),
        rules: vec![IssuerRule {
            name: "application".into(),
            matches: [
                ("/client_id".to_owned(), given.list("client_id")),
                ("/token_use".to_owned(), texts(&["access"])),
            ]
            .into(),
            team: TeamSource { fixed: Some(given.text("team")), ..TeamSource::default() },
            scopes: ScopeSource {
                claims: texts(&["/scope"]),
                prefix: Some(format!("{}/", given.text("resource_server"))),
                ..ScopeSource::default()
            },
            noted: texts(&["/client_id"]),
            ..IssuerRule::default()
        }],
        ..Issuer::default()
    }
}

/// Any other provider that can put a team into a claim.
pub(super) const GENERIC: Preset = Preset {
    name: "generic",
    title: "any provider with OpenID discovery: one claim names the team, another the scopes",
    parameters: &[
        needed("issuer", "the claim iss: https://sso.example.com"),
        usual("name", "its name at this gateway", "sso"),
        AUDIENCE,
        usual("team_claim", "the claim with the team or teams", "team"),
        usual("scope_claim", "the claim with the scopes", "scope"),
        usual("prefix", "the prefix of the gateway's scope names", "eci:"),
        usual("algorithms", "the algorithms with which tokens are signed, separated by commas", "RS256"),
    ],
    make: generic,
};

fn generic(given: &PresetParameters) -> Issuer {
    let scopes = pointer::of_name(&given.text("scope_claim"));
    Issuer {
        name: given.text("name"),
        issuer: given.text("issuer"),
        audiences: given.list("audience"),
        algorithms: given.list("algorithms"),
        rules: vec![by_claims(&pointer::of_name(&given.text("team_claim")), &[&scopes], given)],
        ..Issuer::default()
    }
}

/// A rule for every holder whom the provider assigns a team.
fn by_claims(team: &str, scopes: &[&str], given: &PresetParameters) -> IssuerRule {
    IssuerRule {
        name: "claims".into(),
        team: TeamSource { claims: texts(&[team]), ..TeamSource::default() },
        scopes: ScopeSource { claims: texts(scopes), prefix: Some(given.text("prefix")), ..ScopeSource::default() },
        matches_anybody: true,
        ..IssuerRule::default()
    }
}
