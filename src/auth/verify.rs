//! From a bearer token to a [`Caller`].
//!
//! The order is the point: form, header, key, algorithm, signature, and only then claims: issuer, audience, times,
//! subject, team, scopes. A token learns nothing about the rules behind the one that it broke.
//!
//! Called by the doors for every request. It keeps no state besides the keys and what it verified lately
//! ([`super::remembered`]); revocation is decided by `app`.

use std::sync::Arc;

use chrono::{DateTime, Duration};
use serde_json::{Map, Value};

use super::jwks::KeySource;
use super::refusal::Refusal;
use super::remembered::{Remembered, print};
use super::token::Token;
use crate::domain::caller::{Caller, CredentialKind, Scope, TeamId};
use crate::domain::clock::{Clock, Instant};

const MAX_SUBJECT_CHARS: usize = 256;
const MAX_CREDENTIAL_CHARS: usize = 128;

/// What a token must say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The one `iss` that is accepted, exactly.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: String,
    /// How far the issuer's clock may be from ours. 5 s.
    pub leeway: Duration,
    /// The longest time from `iat` (or from now, where there is none) to `exp`. 24 h.
    pub max_lifetime: Duration,
    /// The claims with the team or teams, each a string or an array of strings. `team` and `teams`.
    pub team_claims: Vec<String>,
    /// The claim with the scopes, a string with spaces or an array of strings. `scope`.
    pub scope_claim: String,
}

impl Settings {
    /// Tokens of this issuer for this audience; everything else as usual.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            leeway: Duration::seconds(5),
            max_lifetime: Duration::hours(24),
            team_claims: vec!["team".into(), "teams".into()],
            scope_claim: "scope".into(),
        }
    }
}

/// Reads tokens of one issuer.
#[derive(Debug)]
pub struct Verifier {
    settings: Settings,
    source: KeySource,
    clock: Arc<dyn Clock>,
    remembered: Remembered,
}

impl Verifier {
    /// Fetches the issuer's keys, where they are to be fetched and were not yet. Whether they are there.
    pub async fn prepare(&self) -> bool {
        self.source.keys_for(None).await.is_ok()
    }

    /// Whether the issuer's keys were looked for, and none were ever found.
    pub fn lacks_keys(&self) -> bool {
        self.source.is_missing()
    }

    /// A verifier with these rules, keys and clock.
    pub fn new(settings: Settings, source: KeySource, clock: Arc<dyn Clock>) -> Self {
        Self { settings, source, clock, remembered: Remembered::default() }
    }

    /// Who sent `token` (without `Bearer`), acting for `wanted_team` (the header `X-Team`) if given.
    pub async fn verify(&self, token: &str, wanted_team: Option<&str>) -> Result<Arc<Caller>, Refusal> {
        let (print, generation) = (print(token, wanted_team), self.source.generation());
        if let Some(caller) = generation.and_then(|of| self.remembered.find(&print, of, self.clock.now())) {
            return Ok(caller);
        }
        let caller = Arc::new(self.read(token, wanted_team).await?);
        // Remembered under the generation of before: one that has come meanwhile may lack its key.
        if let Some(generation) = generation {
            self.remembered.keep(print, &caller, generation, self.clock.now());
        }
        Ok(caller)
    }

    async fn read(&self, token: &str, wanted_team: Option<&str>) -> Result<Caller, Refusal> {
        let token = Token::parse(token)?;
        let keys = self.source.keys_for(token.kid.as_deref()).await.map_err(|_| Refusal::KeysUnavailable)?;
        let key = keys.find(token.kid.as_deref()).ok_or(Refusal::UnknownKey)?;
        if !key.is_for(&token.algorithm) {
            return Err(Refusal::WrongAlgorithm);
        }
        if !key.verifies(token.message, token.signature) {
            return Err(Refusal::BadSignature);
        }
        let claims = Claims(token.claims()?);
        self.settings.check_origin(&claims)?;
        let expires_at = self.settings.check_times(&claims, self.clock.now())?;
        let jti = claims.text("jti", MAX_CREDENTIAL_CHARS)?;
        Ok(Caller {
            subject: claims.text("sub", MAX_SUBJECT_CHARS)?.ok_or(Refusal::MissingClaim("sub"))?,
            credential: jti.clone().unwrap_or_else(|| format!("kid:{}", key.kid.as_deref().unwrap_or("none"))),
            kind: CredentialKind::Token { jti, issued_at: claims.instant("iat")? },
            team: self.settings.pick_team(&claims, wanted_team)?,
            scopes: self.settings.scopes(&claims)?,
            expires_at: Some(expires_at),
        })
    }
}

impl Settings {
    fn check_origin(&self, claims: &Claims) -> Result<(), Refusal> {
        match claims.get("iss").ok_or(Refusal::MissingClaim("iss"))? {
            Value::String(issuer) if *issuer == self.issuer => {}
            Value::String(_) => return Err(Refusal::WrongIssuer),
            _ => return Err(Refusal::BadClaim("iss")),
        }
        let audiences = match claims.get("aud").ok_or(Refusal::MissingClaim("aud"))? {
            Value::String(one) => vec![one.as_str()],
            Value::Array(many) => strings(many).ok_or(Refusal::BadClaim("aud"))?,
            _ => return Err(Refusal::BadClaim("aud")),
        };
        if audiences.contains(&self.audience.as_str()) { Ok(()) } else { Err(Refusal::WrongAudience) }
    }

    fn check_times(&self, claims: &Claims, now: Instant) -> Result<Instant, Refusal> {
        let expires = claims.instant("exp")?.ok_or(Refusal::MissingClaim("exp"))?;
        let issued = claims.instant("iat")?;
        let begins = claims.instant("nbf")?;
        if now - self.leeway >= expires {
            return Err(Refusal::Expired);
        }
        if issued.into_iter().chain(begins).any(|start| start > now + self.leeway) {
            return Err(Refusal::NotYetValid);
        }
        // Without `iat` nobody knows when its life began: now at the latest.
        let begun = issued.unwrap_or(now + self.leeway);
        if expires - begun > self.max_lifetime { Err(Refusal::LifetimeTooLong) } else { Ok(expires) }
    }

    fn pick_team(&self, claims: &Claims, wanted: Option<&str>) -> Result<TeamId, Refusal> {
        let mut teams = self.teams(claims)?;
        match wanted {
            Some(wanted) => teams.into_iter().find(|team| team.as_str() == wanted).ok_or(Refusal::WrongTeam),
            None if teams.len() > 1 => Err(Refusal::TeamRequired),
            None => teams.pop().ok_or(Refusal::NoTeam),
        }
    }

    /// Every team that the token names. Words that cannot be a team's id (a group of another system) are skipped.
    fn teams(&self, claims: &Claims) -> Result<Vec<TeamId>, Refusal> {
        let mut words = Vec::new();
        for name in &self.team_claims {
            match claims.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(one)) => words.push(one.as_str()),
                Some(Value::Array(many)) => words.extend(strings(many).ok_or(Refusal::BadClaim("team"))?),
                Some(_) => return Err(Refusal::BadClaim("team")),
            }
        }
        let mut teams: Vec<TeamId> = words.into_iter().filter_map(|word| word.parse().ok()).collect();
        teams.sort_unstable();
        teams.dedup();
        Ok(teams)
    }

    fn scopes(&self, claims: &Claims) -> Result<Vec<Scope>, Refusal> {
        let words = match claims.get(&self.scope_claim) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => text.split(' ').collect(),
            Some(Value::Array(many)) => strings(many).ok_or(Refusal::BadClaim("scope"))?,
            Some(_) => return Err(Refusal::BadClaim("scope")),
        };
        let mut scopes: Vec<Scope> = words.into_iter().filter_map(Scope::from_word).collect();
        scopes.sort_unstable();
        scopes.dedup();
        Ok(scopes)
    }
}

fn strings(values: &[Value]) -> Option<Vec<&str>> {
    values.iter().map(Value::as_str).collect()
}

/// The claims of a token whose signature has been checked.
struct Claims(Map<String, Value>);

impl Claims {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text that may stand in logs and audit entries: 1 to `max` characters, none of them a control character.
    fn text(&self, name: &'static str, max: usize) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_plain(text, max) => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::BadClaim(name)),
        }
    }

    /// A `NumericDate`: seconds since 1970, possibly with a fraction.
    fn instant(&self, name: &'static str) -> Result<Option<Instant>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let micros = match (value.as_i64(), value.as_f64()) {
            (Some(seconds), _) => seconds.checked_mul(1_000_000),
            (None, Some(seconds)) => micros(seconds),
            (None, None) => None,
        };
        // The year 9999 at the latest, so that no later sum can overflow.
        let sane = micros.filter(|micros| (0..=253_402_300_799_000_000).contains(micros));
        sane.and_then(DateTime::from_timestamp_micros).map(Some).ok_or(Refusal::BadClaim(name))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first; a microsecond does not matter")]
fn micros(seconds: f64) -> Option<i64> {
    (0.0..1e12).contains(&seconds).then_some((seconds * 1e6) as i64)
}

fn is_plain(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
}
