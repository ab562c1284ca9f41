//! Whose tokens are accepted: the issuer that the settings describe, and those of a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::JwksConfig;
use super::reader::Reader;
use crate::domain::field::FieldError;
use crate::domain::issuer::{Issuer, MAX_ISSUERS};

/// The largest file of issuers, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;

/// `auth.*`: whose tokens are accepted.
#[derive(Debug)]
pub struct AuthConfig {
    /// The `iss` of a token.
    pub issuer: Option<String>,
    /// The `aud` of a token.
    pub audience: Option<String>,
    /// What its signature is checked with.
    pub keys: Option<AuthKeys>,
    /// How keys are fetched, of every issuer.
    pub jwks: JwksConfig,
    /// What it says where.
    pub claims: ClaimsConfig,
    /// `auth.issuers_file`: further issuers, each of good form.
    pub issuers: Vec<Issuer>,
}

/// Which claims mean what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimsConfig {
    /// `auth.team_claim`: the claim with the team or teams; none: `team` and `teams`.
    pub team: Option<String>,
    /// `auth.scope_claim`: the claim with the scopes.
    pub scope: String,
    /// `auth.scope_prefix`: what stands before our scopes' names there; empty for `none`.
    pub scope_prefix: Option<String>,
    /// `auth.max_lifetime_seconds`: the longest time from `iat` to `exp`.
    pub max_lifetime: Duration,
    /// `auth.leeway_seconds`: how far the issuer's clock may be from ours.
    pub leeway: Duration,
}

impl Default for ClaimsConfig {
    fn default() -> Self {
        let usual = Issuer::default();
        Self {
            team: None,
            scope: "scope".to_owned(),
            scope_prefix: None,
            max_lifetime: Duration::from_secs(usual.longest_life_seconds.into()),
            leeway: Duration::from_secs(usual.leeway_seconds.into()),
        }
    }
}

/// What tokens are checked with.
#[derive(Debug)]
pub enum AuthKeys {
    /// `auth.jwks_url`: a JWK set to fetch; https, or http on loopback.
    JwksUrl(Url),
    /// `auth.discovery`: the JWK set that the issuer's own discovery document names.
    Discovery,
    /// `auth.jwks_file`: a JWK set in a file.
    JwksFile(PathBuf),
    /// `auth.hs256_secret`: a shared secret of at least 32 bytes.
    Hs256(SecretString),
}

impl AuthConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        let usual = ClaimsConfig::default();
        Self {
            issuer: r.word("auth.issuer"),
            audience: r.word("auth.audience"),
            jwks: JwksConfig::read(r),
            keys: r.auth_keys(),
            claims: ClaimsConfig {
                team: r.word("auth.team_claim"),
                scope: r.word("auth.scope_claim").unwrap_or(usual.scope),
                // An empty variable counts as none in every setting, and must not give rights here.
                scope_prefix: r.word("auth.scope_prefix").map(|text| if text == "none" { String::new() } else { text }),
                // Revocations are kept for 8 days.
                max_lifetime: r.seconds("auth.max_lifetime_seconds", 60..=604_800, usual.max_lifetime.as_secs()),
                leeway: r.seconds("auth.leeway_seconds", 0..=300, usual.leeway.as_secs()),
            },
            issuers: r.issuers(),
        }
    }

    /// Whether the settings describe an issuer of their own, beside those of the file.
    pub(super) fn describes_one(&self) -> bool {
        self.issuer.is_some() || self.keys.is_some() || self.audience.is_some() || self.issuers.is_empty()
    }

    /// What is odd about them: an issuer whose words mean nothing.
    pub(super) fn note(&self) -> Option<String> {
        let foreign = matches!(self.keys, Some(AuthKeys::JwksUrl(_) | AuthKeys::Discovery));
        let told = "no token of ECG_AUTH_ISSUER has any scope: an identity provider's own words count only behind a prefix; \
                    set ECG_AUTH_SCOPE_PREFIX (eci: or the like; none: its words are ours), or describe the issuer with a rule \
                    in ECG_AUTH_ISSUERS_FILE";
        (foreign && self.claims.scope_prefix.is_none()).then(|| told.to_owned())
    }
}

/// The issuers of a file, or what is wrong with it, each with where.
pub(super) fn read_issuers(path: &Path) -> Result<Vec<Issuer>, Vec<(String, String)>> {
    let place = path.display().to_string();
    let wrong = |told: String| vec![(place.clone(), told)];
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if text.len() > MAX_FILE_BYTES {
        return Err(wrong("must be at most 1 MiB".to_owned()));
    }
    let issuers = parse(path, &text).map_err(wrong)?;
    if issuers.is_empty() || issuers.len() > MAX_ISSUERS {
        return Err(wrong(format!("must hold 1 to {MAX_ISSUERS} issuers")));
    }
    let told =
        |at: usize, error: FieldError| (format!("{place}, /issuers/{at}{}", error.field), error.detail.into_owned());
    let errors = issuers.iter().enumerate().filter_map(|(at, issuer)| Some((at, issuer.check().err()?)));
    let errors: Vec<_> = errors.flat_map(|(at, errors)| errors.into_iter().map(move |error| (at, error))).collect();
    if errors.is_empty() { Ok(issuers) } else { Err(errors.into_iter().map(|(at, error)| told(at, error)).collect()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuers: Vec<Issuer>,
}

fn parse(path: &Path, text: &str) -> Result<Vec<Issuer>, String> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        let mut from = serde_json::Deserializer::from_str(text);
        let file: Result<File, _> = serde_path_to_error::deserialize(&mut from);
        return file.map(|file| file.issuers).map_err(|error| error.to_string());
    }
    let file: Result<File, _> = toml::from_str(text);
    file.map(|file| file.issuers).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        format!("line {line}: {}", error.message())
    })
}
