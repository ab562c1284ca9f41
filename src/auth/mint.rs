//! Creates tokens for development: HS256 with the secret that the gateway itself is configured with.
//!
//! Called by `dev` and the subcommand `token`. Production tokens come from an identity provider.

use chrono::Duration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::keys::MIN_SECRET_BYTES;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::{Scope, TeamId};

/// The content of the token.
#[derive(Debug, Clone)]
pub struct MintedClaims {
    /// `sub`.
    pub subject: String,
    /// The teams: one becomes `team`, several become `teams`.
    pub teams: Vec<TeamId>,
    /// `scope`, in this order.
    pub scopes: Vec<Scope>,
    /// The time from now to `exp`.
    pub lifetime: Duration,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// Why no token can be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// No verifier would accept a token signed with it.
    #[error("the secret must be at least {MIN_SECRET_BYTES} bytes long")]
    ShortSecret,
    /// It is not positive, or ends after the calendar does.
    #[error("the lifetime must be positive and sane")]
    Lifetime,
    /// The library could not sign.
    #[error("the token could not be signed")]
    Signing,
}

/// Signs a token. The key is the bytes of the secret's text, at least 32 of them.
pub fn mint(secret: &SecretString, claims: &MintedClaims, now: Instant, jti: &str) -> Result<SecretString, MintError> {
    let secret = secret.expose_secret().as_bytes();
    if secret.len() < MIN_SECRET_BYTES {
        return Err(MintError::ShortSecret);
    }
    let positive = claims.lifetime > Duration::zero();
    let expires = now.checked_add_signed(claims.lifetime).filter(|_| positive).ok_or(MintError::Lifetime)?;
    let scopes: Vec<&str> = claims.scopes.iter().map(|scope| scope.as_str()).collect();
    let mut body = json!({
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.subject,
        "iat": now.timestamp(),
        "exp": expires.timestamp(),
        "jti": jti,
        "scope": scopes.join(" "),
    });
    match claims.teams.as_slice() {
        [team] => body["team"] = json!(team),
        teams => body["teams"] = json!(teams),
    }
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &body, &EncodingKey::from_secret(secret));
    token.map(SecretString::from).map_err(|_| MintError::Signing)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{jwks::KeySource, verify};
    use super::*;
    use crate::domain::clock::ManualClock;

    fn claims(teams: &[&str]) -> MintedClaims {
        MintedClaims {
            subject: "developer".into(),
            teams: teams.iter().map(|team| team.parse().unwrap()).collect(),
            scopes: vec![Scope::Read, Scope::Keys],
            lifetime: Duration::hours(1),
            issuer: "dev".into(),
            audience: "gateway".into(),
        }
    }

    #[tokio::test]
    async fn what_it_mints_the_verifier_takes() {
        let secret = SecretString::from("0123456789abcdef0123456789abcdef");
        let now = Instant::UNIX_EPOCH + Duration::days(20_000);
        let source = KeySource::secret(&secret).unwrap();
        let settings = verify::IssuerSettings::new("dev", "gateway");
        let verifier = verify::Verifier::new(settings, source, Arc::new(ManualClock::at(now)));
        for (teams, wanted) in [(&["a"][..], None), (&["a", "b"], Some("a"))] {
            let token = mint(&secret, &claims(teams), now, "t-1").unwrap();
            let caller = verifier.verify(token.expose_secret(), wanted).await.unwrap();
            assert_eq!((caller.team.as_str(), caller.credential.as_str()), ("a", "t-1"));
            assert_eq!(caller.scopes, [Scope::Read, Scope::Keys]);
        }
    }

    #[test]
    fn an_endless_lifetime_mints_nothing() {
        let secret = SecretString::from("0123456789abcdef0123456789abcdef");
        for lifetime in [Duration::MAX, Duration::zero(), Duration::seconds(-1)] {
            let claims = MintedClaims { lifetime, ..claims(&["a"]) };
            assert_eq!(mint(&secret, &claims, Instant::UNIX_EPOCH, "t").unwrap_err(), MintError::Lifetime);
        }
    }

    #[test]
    fn a_short_secret_mints_nothing() {
        let refused = mint(&SecretString::from("short"), &claims(&["a"]), Instant::UNIX_EPOCH, "t-1");
        assert_eq!(refused.unwrap_err(), MintError::ShortSecret);
    }
}
