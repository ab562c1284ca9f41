//! Turns a bearer token into a [`Caller`], with the keys and rules of the issuer that it names.
//!
//! The order matters: format, header, then `iss`, which is not proved yet and only selects the keys and rules; key,
//! algorithm, signature, and only then the other claims: audience, times, subject, rules. A refused token learns
//! nothing about the checks after the one that failed.
//!
//! Called by `app` for every request with a token. Its only state is the issuers with their keys, and the recently
//! verified tokens ([`super::verified_tokens`]); `app` checks revocations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::join_all;

use super::claims::{Claims, bad};
use super::issuer::ConfiguredIssuer;
pub use super::issuer::IssuerSettings;
use super::jwks::{JwksSettings, KeySource, KeyState};
use super::refusal::TokenRefusal;
use super::token::ParsedToken;
use super::verified_tokens::{VerificationStamp, VerifiedTokens, print};
use crate::domain::clock::Clock;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::identity::caller::{Caller, Recognized};
use crate::domain::identity::issuer::rules::CompiledRules;
use crate::domain::identity::issuer::{DEFAULT, Issuer, KeysFrom, MAX_ISSUERS};

/// Verifies tokens of all configured issuers.
#[derive(Debug)]
pub struct Verifier {
    issuers: RwLock<Arc<Issuers>>,
    reach: JwksSettings,
    pub(super) clock: Arc<dyn Clock>,
    remembered: VerifiedTokens,
    epochs: AtomicU64,
}

/// All issuers: first those of the settings, which do not change.
#[derive(Debug, Clone, Default)]
pub(super) struct Issuers {
    all: Vec<Arc<ConfiguredIssuer>>,
    of_settings: usize,
    pub(super) names: Vec<String>,
}

impl Issuers {
    fn add(&mut self, one: Arc<ConfiguredIssuer>) {
        self.names.push(one.issuer.name.clone());
        self.all.push(one);
    }

    /// The issuer that the token names. This is not proved.
    pub(super) fn of(&self, token: &ParsedToken) -> Result<Arc<ConfiguredIssuer>, TokenRefusal> {
        let missing = || TokenRefusal::MissingClaim("iss", "it says whose token it is".to_owned());
        let found = match Claims(token.claims()).get("iss").ok_or_else(missing)? {
            serde_json::Value::String(iss) => self.all.iter().find(|one| one.issuer.issuer == *iss),
            _ => return Err(bad("iss", "it must be a string")),
        };
        found.cloned().ok_or(TokenRefusal::WrongIssuer)
    }

    /// Each by its name and its `iss`.
    pub(super) fn described(&self) -> Vec<String> {
        self.all.iter().map(|one| format!("{}: {}", one.issuer.name, one.issuer.issuer)).collect()
    }

    fn has(&self, stamp: &VerificationStamp) -> bool {
        let found = self.all.iter().find(|one| one.epoch == stamp.epoch);
        found.is_some_and(|one| one.source.generation() == Some(stamp.generation))
    }

    /// What prevents adding this issuer to those of the settings and these.
    fn check_new(&self, issuer: &Issuer) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut require = |good: bool, field: &str, code, detail: &str| {
            if !good {
                wrong.push(FieldError::new(field, code, detail.to_owned()));
            }
        };
        require(
            issuer.name != DEFAULT,
            "/name",
            FieldCode::Invalid,
            "must not be default, which is the issuer of ECG_AUTH_ISSUER",
        );
        let named = self.all.iter().any(|one| one.issuer.name == issuer.name);
        let told = "must be different from the names of the other issuers; to add a rule to an issuer (another \
                    repository), add it to its rules";
        require(!named, "/name", FieldCode::Duplicate, told);
        let known = self.all.iter().any(|one| one.issuer.issuer == issuer.issuer);
        let told = "must be different from those of the other issuers, because it alone determines whose rules apply \
                    to a token; add a rule to that issuer";
        require(!known, "/issuer", FieldCode::Duplicate, told);
        require(self.all.len() < MAX_ISSUERS, "/name", FieldCode::OutOfRange, "must not have more than 50 issuers");
        wrong
    }
}

impl Verifier {
    /// A verifier for the tokens of one issuer, as described by the settings.
    pub fn new(settings: IssuerSettings, source: KeySource, clock: Arc<dyn Clock>) -> Self {
        let mut verifier = Self::empty(JwksSettings::default(), clock);
        verifier.settle(settings.configured(source));
        verifier
    }

    /// A verifier without issuers; issuers added later are reached in this way.
    pub fn empty(reach: JwksSettings, clock: Arc<dyn Clock>) -> Self {
        let (issuers, epochs) = (RwLock::default(), AtomicU64::new(1));
        Self { issuers, reach, clock, remembered: VerifiedTokens::default(), epochs }
    }

    /// With the issuer that the settings `ECG_AUTH_*` describe, named `default`, whose scopes and teams need no rule.
    pub fn with_default(mut self, settings: IssuerSettings, source: KeySource) -> Self {
        self.settle(settings.configured(source));
        self
    }

    /// With the issuers of the operator's file, which [`Self::replace`] leaves unchanged.
    pub fn with_issuers(mut self, issuers: &[Issuer]) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        for (place, issuer) in issuers.iter().enumerate() {
            let place = format!("/{place}");
            match self.configure(issuer, &self.issuers()) {
                Ok(one) => self.settle(one),
                Err(errors) => wrong.extend(errors.into_iter().map(|error| below(&place, error))),
            }
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }

    fn settle(&mut self, one: ConfiguredIssuer) {
        let mut issuers = Issuers::clone(&self.issuers());
        issuers.add(Arc::new(one));
        issuers.of_settings = issuers.all.len();
        *self.issuers.get_mut().unwrap_or_else(PoisonError::into_inner) = Arc::new(issuers);
    }

    pub(super) fn issuers(&self) -> Arc<Issuers> {
        Arc::clone(&self.issuers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The issuers of the settings, as they apply.
    pub fn of_settings(&self) -> Vec<Issuer> {
        self.settled().all.iter().map(|one| one.issuer.clone()).collect()
    }

    /// The names of all current issuers.
    pub fn names(&self) -> Vec<String> {
        self.issuers().names.clone()
    }

    /// The current issuer with that name.
    pub fn issuer(&self, name: &str) -> Option<Issuer> {
        self.issuers().all.iter().find(|one| one.issuer.name == name).map(|one| one.issuer.clone())
    }

    /// What is wrong with an issuer that is to be added to those of the settings: its format, the keys that it
    /// contains, a name or `issuer` that one of the settings has. The caller has to check for conflicts with other
    /// issuers.
    pub fn check(&self, issuer: &Issuer) -> Result<(), Vec<FieldError>> {
        self.configure_other(issuer, &self.settled()).map(drop)
    }

    /// Replaces all issuers except those of the settings, and returns which of the new ones cannot be used, and why.
    ///
    /// The keys of an issuer that stays are kept. Tokens of an issuer that was changed or removed are forgotten; if a
    /// name was added or removed, all tokens are, because no subject may begin with an issuer's name.
    #[must_use = "an issuer that cannot be used is left out"]
    pub fn replace(&self, issuers: &[Issuer]) -> Vec<(String, Vec<FieldError>)> {
        let (before, mut after) = (self.issuers(), self.settled());
        let mut wrong = Vec::new();
        for issuer in issuers {
            let same = before.all[before.of_settings..].iter().find(|one| one.issuer == *issuer);
            let known = after.check_new(issuer);
            match same.filter(|_| known.is_empty()) {
                Some(same) => after.add(Arc::clone(same)),
                None => match self.configure_other(issuer, &after) {
                    Ok(one) => after.add(Arc::new(one.keeping_keys(&before))),
                    Err(errors) => wrong.push((issuer.name.clone(), errors)),
                },
            }
        }
        let renamed = before.names != after.names;
        *self.issuers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        if renamed {
            self.remembered.forget();
        }
        wrong
    }

    /// Only those of the settings.
    fn settled(&self) -> Issuers {
        let mut settled = Issuers::clone(&self.issuers());
        settled.all.truncate(settled.of_settings);
        settled.names.truncate(settled.of_settings);
        settled
    }

    /// An issuer that is not from the operator's file, so it must not name a file of this machine.
    fn configure_other(&self, issuer: &Issuer, beside: &Issuers) -> Result<ConfiguredIssuer, Vec<FieldError>> {
        if issuer.keys.from == KeysFrom::JwksFile {
            let told = "must not be jwks_file: a file is for issuers in the operator's settings";
            return Err(vec![FieldError::new("/keys/from", FieldCode::Invalid, told)]);
        }
        self.configure(issuer, beside)
    }

    fn configure(&self, issuer: &Issuer, beside: &Issuers) -> Result<ConfiguredIssuer, Vec<FieldError>> {
        let rules = CompiledRules::of(issuer)?;
        let wrong = beside.check_new(issuer);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let source = KeySource::of(issuer, &self.reach, Arc::clone(&self.clock)).map_err(|error| {
            let field = match issuer.keys.from {
                KeysFrom::Discovery => "/issuer",
                KeysFrom::JwksUrl => "/keys/url",
                KeysFrom::JwksFile => "/keys/file",
                KeysFrom::Document => "/keys/document",
            };
            vec![FieldError::new(field, FieldCode::Invalid, error.to_string())]
        })?;
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed);
        Ok(ConfiguredIssuer { issuer: issuer.clone(), rules, source: Arc::new(source), epoch })
    }

    /// The caller who sent `token` (without `Bearer`), acting for `wanted_team` (the header `X-Team`) if given.
    pub async fn verify(&self, token: &str, wanted_team: Option<&str>) -> Result<Arc<Caller>, TokenRefusal> {
        let (print, issuers) = (print(token, wanted_team), self.issuers());
        if let Some((caller, stamp)) = self.remembered.find(&print, self.clock.now())
            && issuers.has(&stamp)
        {
            return Ok(caller);
        }
        let token = ParsedToken::parse(token)?;
        let issuer = issuers.of(&token)?;
        // Remembered with the generation from before the check: a newer set may not contain its key.
        let generation = issuer.source.generation();
        let unavailable = |_| TokenRefusal::KeysUnavailable(issuer.issuer.name.clone());
        let keys = issuer.source.keys_for(token.kid.as_deref()).await.map_err(unavailable)?;
        let caller = issuer.admit(&token, &keys, &issuers.names, wanted_team, self.clock.now()).map(Arc::new)?;
        if let Some(generation) = generation {
            let stamp = VerificationStamp { epoch: issuer.epoch, generation };
            self.remembered.keep(print, &caller, stamp, self.clock.now());
        }
        Ok(caller)
    }

    /// Whether a token names a key that its issuer's set does not contain, although there is one: a rotation, or a
    /// made-up id.
    pub fn lacks_key_of(&self, token: &str) -> bool {
        let Ok(token) = ParsedToken::parse(token) else { return false };
        let Ok(issuer) = self.issuers().of(&token) else { return false };
        token.kid.is_some_and(|kid| issuer.source.lacks(&kid))
    }

    /// Identifies the sender of a token that was refused, if its issuer signed it for us: because it has expired, or is
    /// for no team or another one. Nothing in any other token is trusted.
    pub async fn recognize(&self, token: &str) -> Option<Recognized> {
        let (token, issuers) = (ParsedToken::parse(token).ok()?, self.issuers());
        let issuer = issuers.of(&token).ok()?;
        let keys = issuer.source.keys_for(token.kid.as_deref()).await.ok()?;
        issuer.recognize(&token, &keys, &issuers.names)
    }

    /// Fetches missing or old keys of every issuer. Returns whether all are there.
    pub async fn prepare(&self) -> bool {
        let issuers = self.issuers();
        let fetched = join_all(issuers.all.iter().map(|one| one.source.keys_for(None))).await;
        fetched.iter().all(Result::is_ok)
    }

    /// The state of the keys of every issuer, by its name.
    pub fn key_states(&self) -> Vec<(String, KeyState)> {
        self.issuers().all.iter().map(|one| (one.issuer.name.clone(), one.source.state())).collect()
    }

    /// Whether no token can be verified: fetches were tried, and no issuer has keys.
    pub fn lacks_keys(&self) -> bool {
        let states = self.key_states();
        !states.is_empty() && states.iter().all(|(_, state)| state.missing)
    }
}

impl ConfiguredIssuer {
    /// Keeps keys that were fetched already, if they are of the same issuer and were fetched in the same way.
    fn keeping_keys(mut self, before: &Issuers) -> Self {
        let same = |one: &&Arc<Self>| {
            let (a, b) = (&one.issuer, &self.issuer);
            (&a.name, &a.issuer, &a.keys, &a.algorithms) == (&b.name, &b.issuer, &b.keys, &b.algorithms)
                && a.max_key_age_seconds == b.max_key_age_seconds
        };
        if let Some(one) = before.all.iter().find(same) {
            self.source = Arc::clone(&one.source);
        }
        self
    }
}

fn below(place: &str, error: FieldError) -> FieldError {
    FieldError { field: format!("{place}{}", error.field), ..error }
}
