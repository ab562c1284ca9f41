//! Tokens of the issuer that a testbed's gateway accepts.

use eci_cache_gateway::auth::mint::{MintedClaims, mint};
use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::domain::identity::caller::Scope;
use secrecy::{ExposeSecret as _, SecretString};

use super::settings::{AUDIENCE, ISSUER, TOKEN_SECRET};

/// A token of `subject` for these teams with these scopes, valid for an hour from `now`; `id` is its `jti`.
pub(crate) fn token(subject: &str, teams: &[&str], scopes: &[Scope], now: Instant, id: &str) -> anyhow::Result<String> {
    let claims = MintedClaims {
        subject: subject.into(),
        teams: teams.iter().map(|team| team.parse()).collect::<Result<_, _>>()?,
        scopes: scopes.to_vec(),
        lifetime: chrono::Duration::hours(1),
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
    };
    Ok(mint(&SecretString::from(TOKEN_SECRET), &claims, now, id)?.expose_secret().to_owned())
}
