//! Explains how a token would be treated, and why: every check runs, so that a failed one does not hide later ones.
//!
//! This never lets a token in. Even for an expired or forged token, it tells what the token would be accepted as
//! besides what is wrong with it; if a check fails, it tells what the token contains ([`facts`]).
//!
//! Called by `app` and `cli` for operators.

use serde_json::{Map, Value};

use super::issuer::ConfiguredIssuer;
use super::jwks::Unavailable;
use super::keys::KeySet;
use super::refusal::TokenRefusal;
use super::token::ParsedToken;
use super::verify::Verifier;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::Scope;
use crate::domain::identity::issuer::explanation::{TokenCaller, TokenCheck, TokenExplanation};

mod facts;

impl Verifier {
    /// How `token` (without `Bearer`) would be treated, acting for `wanted_team` if given. Fetches its issuer's keys if
    /// necessary.
    pub async fn explain(&self, token: &str, wanted_team: Option<&str>) -> TokenExplanation {
        let mut told = TokenExplanation::default();
        let issuers = self.issuers();
        let Some(token) = told.note("form", ParsedToken::parse(token), |_| "it is a well-formed JWT".to_owned()) else {
            return told.judged();
        };
        let chosen = issuers.of(&token);
        let Some(issuer) =
            told.note("issuer", chosen, |one| format!("its iss belongs to the issuer {}", one.issuer.name))
        else {
            told.add(facts::of_issuer(&token, &issuers));
            return told.judged();
        };
        told.issuer = Some(issuer.issuer.name.clone());
        let keys = issuer.source.keys_for(token.kid.as_deref()).await;
        explain(told, &issuer, &token, keys.as_deref(), &issuers.names, wanted_team, self.clock.now())
    }
}

/// How a token of that issuer would be treated, with these keys at that time.
fn explain(
    mut told: TokenExplanation,
    issuer: &ConfiguredIssuer,
    token: &ParsedToken,
    keys: Result<&KeySet, &Unavailable>,
    names: &[String],
    wanted: Option<&str>,
    now: Instant,
) -> TokenExplanation {
    let name = issuer.issuer.name.clone();
    let keys = told.note("keys", keys.map_err(|_| TokenRefusal::KeysUnavailable(name)), |_| {
        "the keys are \
                          available"
            .to_owned()
    });
    told.add(issuer.source.state().failure.map(|reason| format!("the keys could not be fetched: {reason}")));
    if let Some(keys) = keys {
        told.skipped_keys = keys.skipped();
        told.note_key(token, keys);
        told.add(facts::of_key(token, keys));
    }
    let claims = token.claims();
    told.note("audience", issuer.check_audience(claims), |()| "its audience is this gateway".to_owned());
    told.add(facts::of_audience(claims, &issuer.issuer));
    told.note("times", issuer.check_times(claims, now), |end| format!("it is valid until {}", end.to_rfc3339()));
    told.add(facts::of_times(claims, &issuer.issuer, now));
    let subject = told.note("subject", issuer.subject(claims, names), |subject| format!("its subject is {subject}"));
    told.rules = issuer.rules.tried(claims);
    told.note_rules(issuer, claims, subject.unwrap_or_default(), wanted);
    told.judged()
}

impl TokenExplanation {
    /// Records the result of a check.
    fn note<T>(&mut self, name: &str, went: Result<T, TokenRefusal>, good: impl FnOnce(&T) -> String) -> Option<T> {
        let detail = match &went {
            Ok(value) => good(value),
            Err(refusal) => refusal.to_string(),
        };
        if let (Err(refusal), None) = (&went, &self.code) {
            (self.code, self.detail) = (Some(refusal.code().as_str().to_owned()), Some(detail.clone()));
        }
        self.checks.push(TokenCheck { name: name.to_owned(), passed: went.is_ok(), detail, facts: Vec::new() });
        went.ok()
    }

    /// Adds what the token contains and what is expected, if the last check failed.
    fn add(&mut self, facts: impl IntoIterator<Item = String>) {
        if let Some(check) = self.checks.last_mut().filter(|check| !check.passed) {
            check.facts.extend(facts);
        }
    }

    fn note_key(&mut self, token: &ParsedToken, keys: &KeySet) {
        let proved = ConfiguredIssuer::prove(token, keys);
        let name = match proved {
            Err(TokenRefusal::UnknownKey) => "key",
            Err(TokenRefusal::WrongAlgorithm) => "algorithm",
            _ => "signature",
        };
        self.note(name, proved, |kid| match kid {
            Some(kid) => format!("the issuer signed it, with {} and the key {kid}", token.algorithm),
            None => format!("the issuer signed it, with {}", token.algorithm),
        });
    }

    fn note_rules(
        &mut self,
        issuer: &ConfiguredIssuer,
        claims: &Map<String, Value>,
        subject: String,
        wanted: Option<&str>,
    ) {
        let matched = |rule: &str| format!("rule {rule} matches");
        let Some(found) = self.note("rules", issuer.judge(claims), |found| matched(found.rule)) else { return };
        self.note("team", issuer.pick_team(&found, wanted), |team| format!("it acts for {team}"));
        self.add(issuer.rules.team_facts(found.rule, claims));
        let scopes: Vec<String> = found.scopes.iter().copied().map(Scope::as_str).map(str::to_owned).collect();
        // Not a refusal: a caller without scopes may still ask who it is.
        let detail = match scopes.as_slice() {
            [] => "it has no scopes: its rule gives none, and no word of the token maps to one".to_owned(),
            scopes => format!("its scopes are {}", scopes.join(", ")),
        };
        let check = TokenCheck { name: "scopes".to_owned(), passed: !scopes.is_empty(), detail, facts: Vec::new() };
        self.checks.push(check);
        self.add(issuer.rules.scope_facts(found.rule, claims));
        self.caller = Some(TokenCaller {
            subject,
            rule: found.rule.to_owned(),
            teams: found.teams.iter().map(ToString::to_string).collect(),
            scopes,
            noted: found.noted,
        });
    }

    fn judged(mut self) -> Self {
        self.accepted = self.code.is_none();
        self
    }
}
