//! One configured issuer: its keys, and the checks of its tokens, each a step of its own.
//!
//! What must stay true: the steps run in the order of [`ConfiguredIssuer::admit`], and nothing in a token is trusted
//! before [`ConfiguredIssuer::prove`] has verified its signature. [`super::explain`] runs the same steps one by one.
//!
//! Called by [`super::verify`].

use std::borrow::Cow;
use std::sync::Arc;

use chrono::Duration;
use serde_json::{Map, Value};

use super::claims::{Claims, bad};
use super::jwks::KeySource;
use super::keys::KeySet;
use super::refusal::{NoRule, TokenRefusal};
use super::token::ParsedToken;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::{Caller, CredentialKind, Provenance, Recognized, TeamId};
use crate::domain::identity::issuer::rules::{CompiledRules, Match, Unjudged, WhyNoTeam};
use crate::domain::identity::issuer::{DEFAULT, Issuer, IssuerRule, ScopeSource, TeamSource, pointer, subject};

const MAX_CREDENTIAL_CHARS: usize = 128;
/// The claims that name the client for which a token was issued: Auth0, Google, Keycloak and Entra ID (version 2) have
/// `azp`, Cognito `client_id`, Entra ID (version 1) `appid`, Okta `cid`.
pub(super) const CLIENT_CLAIMS: [&str; 4] = ["azp", "client_id", "appid", "cid"];

/// One configured issuer.
#[derive(Debug)]
pub(super) struct ConfiguredIssuer {
    pub(super) issuer: Issuer,
    pub(super) rules: CompiledRules,
    pub(super) source: Arc<KeySource>,
    /// Identifies the configuration: every change gives it another number.
    pub(super) epoch: u64,
}

impl ConfiguredIssuer {
    /// The caller, if the token passes every check.
    pub(super) fn admit(
        &self,
        token: &ParsedToken,
        keys: &KeySet,
        names: &[String],
        wanted: Option<&str>,
        now: Instant,
    ) -> Result<Caller, TokenRefusal> {
        let kid = Self::prove(token, keys)?;
        let claims = token.claims();
        self.check_audience(claims)?;
        let expires_at = self.check_times(claims, now)?;
        let subject = self.subject(claims, names)?;
        let found = self.judge(claims)?;
        let jti = own_id(claims)?;
        Ok(Caller {
            subject,
            credential: jti.clone().unwrap_or_else(|| of_key(kid.as_deref())),
            kind: CredentialKind::Token { jti, issued_at: Claims(claims).instant("iat")? },
            team: self.pick_team(&found, wanted)?,
            provenance: Some(Box::new(Provenance {
                issuer: self.issuer.name.clone(),
                rule: found.rule.to_owned(),
                noted: found.noted,
                names_admin: found.names_admin,
            })),
            scopes: found.scopes,
            expires_at: Some(expires_at),
        })
    }

    /// Identifies the sender of a token that may be refused: it must be signed, meant for us, and have a valid subject.
    pub(super) fn recognize(&self, token: &ParsedToken, keys: &KeySet, names: &[String]) -> Option<Recognized> {
        let kid = Self::prove(token, keys).ok()?;
        let claims = token.claims();
        self.check_audience(claims).ok()?;
        let jti = own_id(claims).ok()?;
        let mut teams = self.judge(claims).map(|found| found.teams).unwrap_or_default();
        Some(Recognized {
            team: teams.pop().filter(|_| teams.is_empty()),
            subject: self.subject(claims, names).ok()?,
            credential: jti.unwrap_or_else(|| of_key(kid.as_deref())),
        })
    }

    /// The id of the issuer's key that signed it; an error if none did.
    pub(super) fn prove(token: &ParsedToken, keys: &KeySet) -> Result<Option<String>, TokenRefusal> {
        let key = keys.key_for(token.kid.as_deref(), &token.algorithm).ok_or(TokenRefusal::UnknownKey)?;
        if !key.is_for(&token.algorithm) {
            return Err(TokenRefusal::WrongAlgorithm);
        }
        let good = key.verifies(&token.algorithm, token.message, token.signature);
        if good { Ok(key.kid.clone()) } else { Err(TokenRefusal::BadSignature) }
    }

    /// Checks that it was issued for us.
    pub(super) fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), TokenRefusal> {
        let Issuer { audiences, client_ids, .. } = &self.issuer;
        let claims = Claims(claims);
        if !audiences.is_empty() {
            let expected = format!("it must be or contain {} ({})", audiences.join(" or "), self.from("audience"));
            let Some(named) = claims.texts("aud")? else { return Err(TokenRefusal::MissingClaim("aud", expected)) };
            if !named.iter().any(|name| audiences.iter().any(|audience| audience == name)) {
                return Err(TokenRefusal::WrongAudience(format!(
                    "its claim aud does not name this gateway: {expected}"
                )));
            }
        }
        if client_ids.is_empty() {
            return Ok(());
        }
        let names = CLIENT_CLAIMS.join(", ");
        let expected = format!("it must be one of the client_ids of the issuer {}", self.issuer.name);
        for claim in CLIENT_CLAIMS {
            if let Some(client) = claims.text(claim, subject::MAX_CHARS)? {
                let ours = client_ids.iter().any(|known| known == client);
                let wrong =
                    || TokenRefusal::WrongAudience(format!("its claim {claim} names another client: {expected}"));
                return if ours { Ok(()) } else { Err(wrong()) };
            }
        }
        Err(TokenRefusal::MissingClaim(
            "azp",
            format!(
                "it has none of the other claims that name the client ({names}): \
                                   {expected}"
            ),
        ))
    }

    /// When it expires, if it is currently valid.
    pub(super) fn check_times(&self, claims: &Map<String, Value>, now: Instant) -> Result<Instant, TokenRefusal> {
        let leeway = Duration::seconds(self.issuer.leeway_seconds.into());
        let claims = Claims(claims);
        let missing = || TokenRefusal::MissingClaim("exp", "a token must have an expiry".to_owned());
        let expires = claims.instant("exp")?.ok_or_else(missing)?;
        let (issued, begins) = (claims.instant("iat")?, claims.instant("nbf")?);
        if now - leeway >= expires {
            return Err(TokenRefusal::Expired);
        }
        if issued.into_iter().chain(begins).any(|start| start > now + leeway) {
            return Err(TokenRefusal::NotYetValid);
        }
        // Without `iat` it is unknown when its lifetime began: at the latest now.
        let begun = issued.unwrap_or(now + leeway);
        let longest = Duration::seconds(self.issuer.max_lifetime_seconds.into());
        if expires - begun > longest { Err(TokenRefusal::LifetimeTooLong) } else { Ok(expires) }
    }

    /// The subject that it stands for, as written in the audit.
    pub(super) fn subject(&self, claims: &Map<String, Value>, names: &[String]) -> Result<String, TokenRefusal> {
        let claims = Claims(claims);
        let name = &self.issuer.name;
        // Some providers send null for an application.
        let absent = claims.get("sub").is_none_or(Value::is_null);
        if !absent && let Some(sub) = claims.text("sub", subject::MAX_CHARS)? {
            let whole = subject::of(name, sub, names.iter().map(String::as_str));
            return whole.map_err(|why| bad("sub", &why.to_string()));
        }
        for claim in subject::STAND_INS {
            if let Some(value) = claims.text(claim, MAX_CREDENTIAL_CHARS)? {
                return subject::stand_in(name, claim, value).map_err(|why| bad(claim, &why.to_string()));
            }
        }
        let others = subject::STAND_INS.join(", ");
        Err(TokenRefusal::MissingClaim(
            "sub",
            format!("it does not have {others} either, which could name its subject"),
        ))
    }

    /// The result of the first rule that matches.
    pub(super) fn judge(&self, claims: &Map<String, Value>) -> Result<Match<'_>, TokenRefusal> {
        self.rules.judge(claims).map_err(|unjudged| match unjudged {
            Unjudged::NoRule(tried) => {
                TokenRefusal::NoRule(Box::new(NoRule { issuer: self.issuer.name.clone(), tried }))
            }
            Unjudged::BadClaim { rule, pointer } => {
                let why = format!(
                    "it must be a string or an array of strings (rule {rule} of the issuer {})",
                    self.issuer.name
                );
                TokenRefusal::BadClaim(Cow::Owned(pointer), why)
            }
        })
    }

    /// The team of the request.
    pub(super) fn pick_team(&self, found: &Match<'_>, wanted: Option<&str>) -> Result<TeamId, TokenRefusal> {
        if let Some(none) = &found.no_team {
            let why = why(none.why);
            return Err(TokenRefusal::NoTeam(format!("{} finds none: {why}", self.place(found.rule, &none.claims))));
        }
        match (wanted, found.teams.as_slice()) {
            (Some(wanted), teams) => {
                let told = || {
                    TokenRefusal::WrongTeam(format!("its team is what {} finds", self.place(found.rule, found.claims)))
                };
                teams.iter().find(|team| team.as_str() == wanted).cloned().ok_or_else(told)
            }
            (None, [team]) => Ok(team.clone()),
            (None, _) => Err(TokenRefusal::TeamRequired(self.place(found.rule, found.claims))),
        }
    }

    /// Describes where a team comes from.
    fn place(&self, rule: &str, claims: &[String]) -> String {
        let claims = if claims.is_empty() { "its fixed team".to_owned() } else { claims.join(", ") };
        match self.issuer.name.as_str() {
            DEFAULT => format!("ECG_AUTH_TEAM_CLAIM ({claims})"),
            name => format!("rule {rule} of the issuer {name} ({claims})"),
        }
    }

    /// Describes where the expected value is configured.
    fn from(&self, what: &str) -> String {
        match self.issuer.name.as_str() {
            DEFAULT => format!("ECG_AUTH_{}", what.to_uppercase()),
            name => format!("{what}s of the issuer {name}"),
        }
    }
}

/// The token's own id: `jti`, or the claim that Entra ID uses instead.
fn own_id(claims: &Map<String, Value>) -> Result<Option<String>, TokenRefusal> {
    let claims = Claims(claims);
    let id = match claims.text("jti", MAX_CREDENTIAL_CHARS)? {
        None => claims.text("uti", MAX_CREDENTIAL_CHARS)?,
        found => found,
    };
    Ok(id.map(str::to_owned))
}

/// The id used for a token that has none.
fn of_key(kid: Option<&str>) -> String {
    format!("kid:{}", kid.unwrap_or("none"))
}

/// Why there is no team, and what to do about it.
fn why(why: WhyNoTeam) -> &'static str {
    match why {
        WhyNoTeam::Absent => "the token has no such claim, or it is empty; configure the issuer to send it",
        WhyNoTeam::Unmatched => "no value of the claim matches the rule's pattern",
        WhyNoTeam::NotRenamed => "no value of the claim is among the rule's renames",
        WhyNoTeam::Path => {
            "the value is a path, such as that of a group; map it to a team with the pattern or the renames of an \
             issuer's rule (ECG_AUTH_ISSUERS_FILE or /v1/issuers)"
        }
        WhyNoTeam::Form => {
            "the value is not a team id (1 to 63 characters of a-z, 0-9, - and _); map it to one with the pattern or \
             the renames of an issuer's rule (ECG_AUTH_ISSUERS_FILE or /v1/issuers)"
        }
    }
}

/// The one issuer that the settings describe.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: String,
    /// The maximum difference between the issuer's clock and ours. 60 s.
    pub leeway: Duration,
    /// The maximum time from `iat` (from now, if it is absent) to `exp`. 24 h.
    pub max_lifetime: Duration,
    /// The claims with the team or teams: names or JSON pointers. Each claim is a string or an array of strings. `team`
    /// and `teams`.
    pub team_claims: Vec<String>,
    /// The claim with the scopes: a name or a JSON pointer. `scope`.
    pub scope_claim: String,
    /// The prefix of our scopes in that claim. `None`: there is no prefix if only the operator can create tokens
    /// ([`KeySource::is_own`]); otherwise the claim grants no scope.
    pub scope_prefix: Option<String>,
}

impl IssuerSettings {
    /// Tokens of this issuer for this audience, with defaults for everything else.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let usual = Issuer::default();
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            leeway: Duration::seconds(usual.leeway_seconds.into()),
            max_lifetime: Duration::seconds(usual.max_lifetime_seconds.into()),
            team_claims: vec!["team".into(), "teams".into()],
            scope_claim: "scope".into(),
            scope_prefix: None,
        }
    }

    /// With this maximum difference of the clocks in seconds.
    pub fn with_leeway(self, seconds: i64) -> Self {
        Self { leeway: Duration::seconds(seconds), ..self }
    }

    /// The issuer that they describe, with its single rule.
    pub(super) fn configured(self, source: KeySource) -> ConfiguredIssuer {
        let pointer = |claim: &String| if pointer::is_pointer(claim) { claim.clone() } else { pointer::of_name(claim) };
        let prefix = self.scope_prefix.or_else(|| source.is_own().then(String::new));
        let claims = prefix.as_ref().map(|_| pointer(&self.scope_claim));
        let rule = IssuerRule {
            name: "settings".into(),
            team: TeamSource { claims: self.team_claims.iter().map(pointer).collect(), ..TeamSource::default() },
            scopes: ScopeSource { claims: claims.into_iter().collect(), prefix, ..ScopeSource::default() },
            matches_anybody: true,
            ..IssuerRule::default()
        };
        let seconds = |duration: Duration| u32::try_from(duration.num_seconds()).unwrap_or_default();
        let rules = CompiledRules::of_settings(&rule);
        let issuer = Issuer {
            name: DEFAULT.to_owned(),
            issuer: self.issuer,
            audiences: vec![self.audience],
            max_lifetime_seconds: seconds(self.max_lifetime),
            leeway_seconds: seconds(self.leeway),
            rules: vec![rule],
            ..Issuer::default()
        };
        ConfiguredIssuer { issuer, rules, source: Arc::new(source), epoch: 0 }
    }
}
