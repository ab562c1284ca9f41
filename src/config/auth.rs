//! The settings for authentication: how those in [`super::settings`] belong together.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::kinds::content;
use super::reader::SettingsReader;
use super::settings::TokensConfig;
use crate::auth::jwks::{JwksSettings, is_safe};
use crate::auth::keys::{HmacSecrets, KeySet};
use crate::domain::identity::issuer::{ALGORITHMS, Issuer, discovery_url};
use crate::egress::Egress;

/// The settings for verifying tokens, of which exactly one may be set.
const KEYS: [&str; 4] = ["auth.jwks_url", "auth.jwks_file", "auth.hs256_secret", "auth.discovery"];

/// `auth.*`: the accepted tokens.
#[derive(Debug)]
pub struct AuthConfig {
    /// The `iss` of tokens.
    pub issuer: Option<String>,
    /// The `aud` of tokens.
    pub audience: Option<String>,
    /// The keys that verify their signatures.
    pub keys: Option<AuthKeys>,
    /// How the keys of all issuers are fetched.
    pub reach: JwksSettings,
    /// Which claims contain what.
    pub claims: ClaimsConfig,
    /// `auth.issuers_file`: further issuers, each validated.
    pub issuers: Vec<Issuer>,
    /// `auth.own_issuer`: the `iss` of the tokens that the gateway itself issues.
    pub own_issuer: Option<String>,
}

/// Which claims contain what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimsConfig {
    /// `auth.team_claim`: the claim with the team or teams; if `None`, `team` and `teams`.
    pub team: Option<String>,
    /// `auth.scope_claim`: the claim with the scopes.
    pub scope: String,
    /// `auth.scope_prefix`: the prefix of our scopes in that claim; empty for `none`.
    pub scope_prefix: Option<String>,
    /// `auth.max_lifetime_seconds`: the maximum time from `iat` to `exp`.
    pub max_lifetime: Duration,
    /// `auth.leeway_seconds`: the maximum difference between the issuer's clock and ours.
    pub leeway: Duration,
}

/// The keys that verify signatures.
#[derive(Debug)]
pub enum AuthKeys {
    /// `auth.jwks_url`: a JWK set to fetch, over https, or over http where that is allowed.
    JwksUrl(Url),
    /// `auth.discovery`: the JWK set named in the issuer's discovery document.
    Discovery,
    /// `auth.jwks_file`: a JWK set, the content of the file.
    JwksFile(Vec<u8>),
    /// `auth.hs256_secret`: a shared secret of at least 32 bytes.
    Hs256(SecretString),
}

impl From<&TokensConfig> for ClaimsConfig {
    fn from(written: &TokensConfig) -> Self {
        // An empty variable counts as absent for every setting, and must not grant rights here.
        let prefix = |text: &String| if text == "none" { String::new() } else { text.clone() };
        Self {
            team: written.team_claim.clone(),
            scope: written.scope_claim.clone(),
            scope_prefix: written.scope_prefix.as_ref().map(prefix),
            max_lifetime: written.max_lifetime,
            leeway: written.leeway,
        }
    }
}

impl Default for ClaimsConfig {
    fn default() -> Self {
        Self::from(&TokensConfig::default())
    }
}

impl AuthConfig {
    /// Checks that the settings belong together.
    pub(super) fn of(written: TokensConfig, r: &mut SettingsReader) -> Self {
        let claims = ClaimsConfig::from(&written);
        let reach = JwksSettings {
            egress: Egress::new(written.proxy.clone(), written.authorities.clone()),
            http_hosts: written.http_hosts.clone(),
        };
        let keys = if only_one(r) { keys(&written, &reach, r) } else { None };
        let TokensConfig { issuer, audience, issuers, own_issuer, .. } = written;
        Self { issuer, audience, keys, reach, claims, issuers: issuers.unwrap_or_default(), own_issuer }
    }

    /// Whether the keys were set, but are invalid.
    pub(super) fn refuses_keys(r: &SettingsReader) -> bool {
        KEYS.iter().any(|key| r.refuses(key))
    }

    /// Whether the settings describe an issuer, besides those in the file.
    pub(super) fn describes_one(&self, r: &SettingsReader) -> bool {
        let keys = self.keys.is_some() || Self::refuses_keys(r);
        r.has("auth.issuer") || r.has("auth.audience") || keys || !r.has("auth.issuers_file")
    }

    /// A warning about an issuer whose tokens grant no scopes.
    pub(super) fn note(&self) -> Option<String> {
        let foreign = matches!(self.keys, Some(AuthKeys::JwksUrl(_) | AuthKeys::Discovery));
        let told = "no token of ECG_AUTH_ISSUER has any scope: an identity provider's own words count only with a \
                    prefix; set ECG_AUTH_SCOPE_PREFIX (such as eci:, or none if its words are the gateway's scopes), \
                    or describe the issuer with a rule in ECG_AUTH_ISSUERS_FILE";
        (foreign && self.claims.scope_prefix.is_none()).then(|| told.to_owned())
    }
}

/// Checks that the keys are set in one way only.
fn only_one(r: &mut SettingsReader) -> bool {
    let set: Vec<&str> = KEYS.into_iter().filter(|key| r.has(key)).collect();
    let [one, others @ ..] = &set[..] else { return true };
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(|key| r.origin(key)).collect();
        r.refuse(one, format!("{} is set too: set exactly one of them", others.join(" and ")));
    }
    others.is_empty()
}

/// The keys, validated by the code that uses them.
fn keys(written: &TokensConfig, reach: &JwksSettings, r: &mut SettingsReader) -> Option<AuthKeys> {
    if let Some(url) = &written.jwks_url {
        if !is_safe(url, &reach.http_hosts) {
            r.refuse_value("auth.jwks_url");
        }
        return Some(AuthKeys::JwksUrl(url.clone()));
    }
    if let Some(path) = &written.jwks_file {
        return jwks(path).map_err(|told| r.refuse("auth.jwks_file", told)).map(AuthKeys::JwksFile).ok();
    }
    if written.discovery {
        let found = written.issuer.as_deref().is_none_or(|issuer| is_discoverable(issuer, &reach.http_hosts));
        if !found {
            r.refuse(
                "auth.issuer",
                "must be an https address without user, query and fragment for ECG_AUTH_DISCOVERY \
                                     (http only on loopback, and to hosts in auth.jwks_http_hosts)",
            );
        }
        return Some(AuthKeys::Discovery);
    }
    written.hs256_secret.clone().map(AuthKeys::Hs256)
}

fn is_discoverable(issuer: &str, http_hosts: &[String]) -> bool {
    discovery_url(issuer).is_some_and(|url| is_safe(&url, http_hosts))
}

/// Reads the JWK set from a file.
fn jwks(path: &Path) -> Result<Vec<u8>, String> {
    let place = path.display();
    let document = content(path).map_err(|told| format!("the file {place} {told}"))?;
    KeySet::from_jwks(&document, HmacSecrets::Allowed, &ALGORITHMS)
        .map_err(|error| format!("the file {place}: {error}"))?;
    Ok(document)
}
