//! Tokens for development: HS256 with the secret that the gateway itself was given.
//!
//! Called by `dev` and the subcommand `token`. Production tokens come from an identity provider.

use chrono::Duration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::keys::{KeySetError, MIN_SECRET_BYTES};
use crate::domain::caller::{Scope, TeamId};
use crate::domain::clock::Instant;

/// What the token is to say.
#[derive(Debug, Clone)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// One team becomes `team`, several become `teams`.
    pub teams: Vec<TeamId>,
    /// `scope`, in this order.
    pub scopes: Vec<Scope>,
    /// From now to `exp`.
    pub lifetime: Duration,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// Signs a token. The secret is taken as the bytes of its text, at least 32 of them.
pub fn mint(secret: &SecretString, claims: &Claims, now: Instant, jti: &str) -> Result<SecretString, KeySetError> {
    let secret = secret.expose_secret().as_bytes();
    if secret.len() < MIN_SECRET_BYTES {
        return Err(KeySetError::ShortSecret);
    }
    let scopes: Vec<&str> = claims.scopes.iter().map(|scope| scope.as_str()).collect();
    let mut body = json!({
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.subject,
        "iat": now.timestamp(),
        "exp": (now + claims.lifetime).timestamp(),
        "jti": jti,
        "scope": scopes.join(" "),
    });
    match claims.teams.as_slice() {
        [team] => body["team"] = json!(team),
        teams => body["teams"] = json!(teams),
    }
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &body, &EncodingKey::from_secret(secret));
    token.map(SecretString::from).map_err(|_| KeySetError::BadKey)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{jwks::KeySource, verify};
    use super::*;
    use crate::domain::clock::ManualClock;

    fn claims(teams: &[&str]) -> Claims {
        Claims {
            subject: "developer".into(),
            teams: teams.iter().map(|team| team.parse().unwrap()).collect(),
            scopes: vec![Scope::Read, Scope::Admin],
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
        let settings = verify::Settings::new("dev", "gateway");
        let verifier = verify::Verifier::new(settings, source, Arc::new(ManualClock::at(now)));
        for (teams, wanted) in [(&["a"][..], None), (&["a", "b"], Some("a"))] {
            let token = mint(&secret, &claims(teams), now, "t-1").unwrap();
            let caller = verifier.verify(token.expose_secret(), wanted).await.unwrap();
            assert_eq!((caller.team.as_str(), caller.credential.as_str()), ("a", "t-1"));
            assert_eq!(caller.scopes, [Scope::Read, Scope::Admin]);
        }
    }

    #[test]
    fn a_short_secret_mints_nothing() {
        let refused = mint(&SecretString::from("short"), &claims(&["a"]), Instant::UNIX_EPOCH, "t-1");
        assert_eq!(refused.unwrap_err(), KeySetError::ShortSecret);
    }
}
