//! The gateway's own tokens, issued in exchange for another issuer's (RFC 8693), and the public keys that verify them.
//!
//! What must stay true: they are signed only with one of our keys, and parsed strictly; a token names its holder, the
//! issuer's rule, and the token that it was exchanged for, so that whatever invalidates one of these invalidates it too
//! (`app` checks that). A replaced key is published and accepted as long as the settings contain it.
//!
//! Called by `app`. It does not decide who gets a token.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::claims::bad;
use super::keys::{HmacSecrets, KeySet};
use super::refusal::TokenRefusal;
use super::token::ParsedToken;
use super::verified_tokens::{VerificationStamp, VerifiedTokens, print};
use crate::domain::clock::Instant;
use crate::domain::identity::caller::{Bond, Caller, CredentialKind, Provenance, Recognized, Scope, TeamId};
use crate::domain::identity::token_exchange::LIFETIME;

/// The maximum difference between the clocks of two gateways, which are synchronized with the same database.
const LEEWAY: Duration = Duration::seconds(5);
/// Its keys never change while the process runs.
const STAMP: VerificationStamp = VerificationStamp { epoch: 0, generation: 0 };

/// Issues and verifies the gateway's own tokens.
pub struct OwnTokens {
    issuer: String,
    audience: String,
    signer: Ed25519KeyPair,
    /// The first part of each key's tokens, those of the current key first.
    headers: Vec<String>,
    keys: KeySet,
    document: String,
    remembered: VerifiedTokens,
}

impl std::fmt::Debug for OwnTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnTokens").field("issuer", &self.issuer).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The content of a token.
#[derive(Serialize, Deserialize)]
struct OwnClaims {
    iss: String,
    aud: String,
    sub: String,
    team: String,
    scope: String,
    iat: i64,
    exp: i64,
    jti: String,
    exchanged_for: ExchangedSubject,
}

/// The token that it was exchanged for.
#[derive(Serialize, Deserialize)]
struct ExchangedSubject {
    issuer: String,
    rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// In microseconds, because revocations are compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at_micros: Option<i64>,
    seal: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    claims: BTreeMap<String, String>,
}

impl OwnTokens {
    /// Tokens of `issuer` for `audience`, signed with the key of the seed `current`.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        current: &SecretBox<[u8; 32]>,
        previous: Option<&SecretBox<[u8; 32]>>,
    ) -> Self {
        let signer = pair(current);
        let previous = previous.map(pair).filter(|pair| pair.public_key().as_ref() != signer.public_key().as_ref());
        let published: Vec<Value> = std::iter::once(&signer).chain(&previous).map(jwk).collect();
        let document = json!({ "keys": published }).to_string();
        let keys = KeySet::from_jwks(document.as_bytes(), HmacSecrets::Refused, &["EdDSA"])
            .expect("our own keys are good ones");
        let headers = std::iter::once(&signer).chain(&previous).map(header).collect();
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            signer,
            headers,
            keys,
            document,
            remembered: VerifiedTokens::default(),
        }
    }

    /// The `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `aud` of the tokens.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The public keys as a JWKS document.
    pub fn jwks(&self) -> &str {
        &self.document
    }

    /// Whether `token` has a header of ours, which names one of our keys. This proves nothing yet.
    pub fn is_meant(&self, token: &str) -> bool {
        self.headers.iter().any(|header| token.starts_with(header))
    }

    /// A token for `caller`, who was authenticated by `provenance`; returned with the caller that it authenticates.
    pub fn issue(&self, caller: Caller, provenance: &Provenance, bond: Bond, now: Instant) -> (SecretString, Caller) {
        let (issued, expires) = (now.timestamp(), (now + LIFETIME).timestamp());
        let scopes: Vec<&str> = caller.scopes.iter().map(|scope| scope.as_str()).collect();
        let claims = OwnClaims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: caller.subject.clone(),
            team: caller.team.to_string(),
            scope: scopes.join(" "),
            iat: issued,
            exp: expires,
            jti: bond.jti.clone(),
            exchanged_for: ExchangedSubject {
                issuer: provenance.issuer.clone(),
                rule: provenance.rule.clone(),
                jti: bond.subject_jti.clone(),
                issued_at_micros: bond.subject_issued_at.map(|at| at.timestamp_micros()),
                seal: bond.seal.clone(),
                claims: provenance.noted.clone(),
            },
        };
        let caller = Caller {
            credential: bond.jti.clone(),
            kind: CredentialKind::Exchanged(Box::new(bond)),
            expires_at: DateTime::from_timestamp(expires, 0),
            ..caller
        };
        (self.signed(&claims), caller)
    }

    fn signed(&self, claims: &OwnClaims) -> SecretString {
        // They are only strings and numbers, which can always be serialized.
        let claims = serde_json::to_vec(claims).expect("claims are JSON");
        let header = self.headers.first().map_or("", String::as_str);
        let message = format!("{header}{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.signer.sign(message.as_bytes()));
        SecretString::from(format!("{message}.{signature}"))
    }

    /// The caller of one of our tokens, acting for `wanted_team` if given, which must be its only team.
    ///
    /// # Errors
    /// It was not issued by us, has expired, or is for another team.
    pub fn verify(&self, token: &str, wanted_team: Option<&str>, now: Instant) -> Result<Arc<Caller>, TokenRefusal> {
        let print = print(token, None);
        let caller = if let Some((caller, _)) = self.remembered.find(&print, now) {
            caller
        } else {
            let caller = Arc::new(self.read(token, now)?);
            self.remembered.keep(print, &caller, STAMP, now);
            caller
        };
        let other = wanted_team.is_some_and(|wanted| wanted != caller.team.as_str());
        if other {
            Err(TokenRefusal::WrongTeam("a token that was exchanged is for one team".to_owned()))
        } else {
            Ok(caller)
        }
    }

    /// Identifies the sender of one of our tokens that was refused: because it has expired, or is for another team.
    pub fn recognize(&self, token: &str) -> Option<Recognized> {
        let claims = self.proved(token).ok()?;
        Some(Recognized { team: claims.team.parse().ok(), subject: claims.sub, credential: claims.jti })
    }

    fn read(&self, token: &str, now: Instant) -> Result<Caller, TokenRefusal> {
        self.admit(self.proved(token)?, now)
    }

    /// The content of a token that we signed.
    fn proved(&self, token: &str) -> Result<OwnClaims, TokenRefusal> {
        let token = ParsedToken::parse(token)?;
        let kid = token.kid.as_deref().ok_or(TokenRefusal::UnknownKey)?;
        let key = self.keys.find(Some(kid)).ok_or(TokenRefusal::UnknownKey)?;
        if !key.is_for(&token.algorithm) {
            return Err(TokenRefusal::WrongAlgorithm);
        }
        if !key.verifies(&token.algorithm, token.message, token.signature) {
            return Err(TokenRefusal::BadSignature);
        }
        let claims = Value::Object(token.claims().clone());
        serde_json::from_value(claims).map_err(|_| TokenRefusal::Malformed)
    }

    fn admit(&self, claims: OwnClaims, now: Instant) -> Result<Caller, TokenRefusal> {
        if claims.iss != self.issuer {
            return Err(TokenRefusal::WrongIssuer);
        }
        if claims.aud != self.audience {
            return Err(TokenRefusal::WrongAudience(format!("its claim aud must be {}", self.audience)));
        }
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or_else(|| bad("exp", "it must be a time"))?;
        let issued_at = DateTime::from_timestamp(claims.iat, 0).ok_or_else(|| bad("iat", "it must be a time"))?;
        if now >= expires_at {
            return Err(TokenRefusal::Expired);
        }
        if issued_at > now + LEEWAY {
            return Err(TokenRefusal::NotYetValid);
        }
        let subject = claims.exchanged_for;
        Ok(Caller {
            team: claims.team.parse::<TeamId>().map_err(|_| bad("team", "it must be a team's id"))?,
            subject: claims.sub,
            credential: claims.jti.clone(),
            kind: CredentialKind::Exchanged(Box::new(Bond {
                jti: claims.jti,
                subject_jti: subject.jti,
                subject_issued_at: subject.issued_at_micros.and_then(DateTime::from_timestamp_micros),
                seal: subject.seal,
            })),
            // A scope of a later version grants nothing here.
            scopes: claims.scope.split(' ').filter_map(Scope::from_word).collect(),
            expires_at: Some(expires_at),
            provenance: Some(Box::new(Provenance {
                issuer: subject.issuer,
                rule: subject.rule,
                noted: subject.claims,
                names_admin: false,
            })),
        })
    }
}

fn pair(seed: &SecretBox<[u8; 32]>) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed.expose_secret()).expect("any 32 bytes are a seed")
}

fn jwk(pair: &Ed25519KeyPair) -> Value {
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid(pair), "x": x})
}

/// The first part of the tokens of a key, including the dot.
fn header(pair: &Ed25519KeyPair) -> String {
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": kid(pair)}).to_string();
    URL_SAFE_NO_PAD.encode(header) + "."
}

/// The key's thumbprint (RFC 7638, RFC 8037): the same at every gateway.
fn kid(pair: &Ed25519KeyPair) -> String {
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()))
}

#[cfg(test)]
mod tests;
