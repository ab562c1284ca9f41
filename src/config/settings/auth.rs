//! The settings for authentication as they are set; [`crate::config::auth`] checks how they belong together.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::config::issuers::issuers;
use crate::config::kinds::{authorities, flag, host, parsed, path, proxy, seconds, text, word};
use crate::config::section::section;
use crate::domain::identity::issuer::Issuer;
use crate::egress::{Authorities, Proxy};

section! {
    /// The settings for authentication as they are set.
    TokensConfig, "Tokens";

    /// The tokens' `iss`: required, unless there are issuers in a file.
    issuer: Option<String> = word("auth.issuer");

    /// The tokens' `aud`: required, unless there are issuers in a file.
    audience: Option<String> = word("auth.audience");

    /// Verifies tokens of `ECG_AUTH_ISSUER` with the keys that `OpenID` discovery finds. Set exactly one of this and
    /// the next three.
    discovery: bool = flag("auth.discovery");

    /// The address from which to fetch the JWK set of `ECG_AUTH_ISSUER`.
    jwks_url: Option<Url> = parsed("auth.jwks_url", JWKS_URL);

    /// The file with the JWK set of `ECG_AUTH_ISSUER`.
    jwks_file: Option<PathBuf> = path("auth.jwks_file");

    /// The secret shared with `ECG_AUTH_ISSUER` (HS256), for development.
    hs256_secret: Option<SecretString> = text("auth.hs256_secret", SECRETS, long_secret).secret();

    /// A TOML or JSON file with additional issuers and their rules (docs/identity.md).
    issuers: Option<Vec<Issuer>> = issuers("auth.issuers_file");

    /// The `iss` of the tokens that the gateway issues to pipelines in exchange for theirs (docs/pipelines.md).
    own_issuer: Option<String> = word("auth.own_issuer").otherwise("`ECG_PUBLIC_URL`, else `eci-cache-gateway`");

    /// The HTTP proxy through which issuers' keys are fetched.
    proxy: Option<Proxy> = proxy("auth.jwks_proxy");

    /// Certificates (PEM) to trust when issuers' keys are fetched, in addition to the system's.
    authorities: Option<Authorities> = authorities("auth.jwks_ca_file");

    /// The hosts, in addition to loopback, from which keys may be fetched over plain http.
    http_hosts: Vec<String> = host("auth.jwks_http_hosts").many();

    /// The claim with the team or teams: a name or a JSON pointer.
    team_claim: Option<String> = word("auth.team_claim").otherwise("`team` and `teams`");

    /// The claim with the scopes: a name or a JSON pointer.
    scope_claim: String = word("auth.scope_claim").or("scope");

    /// The prefix of scopes in that claim, such as `eci:`. Without it, no word of an identity provider
    /// (`ECG_AUTH_JWKS_URL`, `ECG_AUTH_DISCOVERY`) is a scope. With `none`, its words are the gateway's scopes.
    scope_prefix: Option<String> = word("auth.scope_prefix");

    /// The longest lifetime of a token, from `iat` to `exp`. Revocations are kept for 8 days.
    max_lifetime: Duration = seconds("auth.max_lifetime_seconds", 60..=604_800, usual().max_lifetime_seconds.into());

    /// How far an issuer's clock may differ from the gateway's.
    leeway: Duration = seconds("auth.leeway_seconds", 0..=300, usual().leeway_seconds.into());
}

/// The allowed URLs for fetching keys.
const JWKS_URL: &str = "an https address (http only on loopback, and to hosts in auth.jwks_http_hosts)";
const SECRETS: &str = "at least 32 bytes long";

fn long_secret(text: &str) -> Option<SecretString> {
    (text.len() >= crate::auth::keys::MIN_SECRET_BYTES).then(|| SecretString::from(text))
}

/// The defaults of an issuer.
fn usual() -> Issuer {
    Issuer::default()
}
