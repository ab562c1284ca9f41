//! Decides whether a request may call at all: signature version 1.0, timestamp, nonce, version, action.
//!
//! The nonce is spent only after the signature held, so that nobody can spend another's.

use std::collections::HashMap;

use chrono::{Duration, NaiveDateTime};

use super::Settings;
use super::answer::Refusal;
use super::params::Params;
use crate::domain::clock::Instant;
use crate::eci::{API_VERSION, sign_v1};

/// How far a timestamp may be off, either way.
const SKEW: Duration = Duration::minutes(15);
/// How long a nonce is remembered: longer than any timestamp that was accepted with it stays acceptable.
const NONCE: Duration = Duration::minutes(31);

/// The nonces of verified requests, and when each was seen.
#[derive(Debug, Default)]
pub(super) struct Nonces(HashMap<String, Instant>);

impl Nonces {
    /// Spends a nonce; false if it was spent before.
    fn spend(&mut self, nonce: &str, now: Instant) -> bool {
        let fresh = self.0.get(nonce).is_none_or(|seen| now - *seen >= NONCE);
        if fresh {
            self.0.insert(nonce.to_owned(), now);
        }
        fresh
    }

    /// Forgets what is too old.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, seen| now - *seen < NONCE);
    }
}

/// An action that the stand-in knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Describe,
    Update,
    Delete,
}

impl Action {
    /// The cloud's name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CreateImageCache",
            Self::Describe => "DescribeImageCaches",
            Self::Update => "UpdateImageCache",
            Self::Delete => "DeleteImageCache",
        }
    }

    /// The action of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Create, Self::Describe, Self::Update, Self::Delete].into_iter().find(|action| action.as_str() == name)
    }
}

/// The action that a verified request asks for.
pub(super) fn verify(
    method: &str,
    params: &Params,
    settings: &Settings,
    nonces: &mut Nonces,
    now: Instant,
) -> Result<Action, Refusal> {
    check_key(params, settings)?;
    check_signature(method, params, settings)?;
    check_time(params, now)?;
    if !nonces.spend(system(params, "SignatureNonce")?, now) {
        return Err(Refusal::new(400, "SignatureNonceUsed", "Specified signature nonce was used already."));
    }
    if system(params, "Version")? != API_VERSION {
        return Err(Refusal::new(400, "InvalidVersion", "Specified parameter Version is not valid."));
    }
    if params.text("Format").is_some_and(|format| !["JSON", "XML"].contains(&format.to_ascii_uppercase().as_str())) {
        return Err(Refusal::new(400, "InvalidParameter.Format", "Specified parameter format is not valid."));
    }
    Action::from_name(system(params, "Action")?).ok_or_else(unknown_api)
}

/// What a path, or an action, that is not there gets.
pub(super) fn unknown_api() -> Refusal {
    Refusal::new(404, "InvalidApi.NotFound", "Specified api is not found, please check your url and method.")
}

fn check_key(params: &Params, settings: &Settings) -> Result<(), Refusal> {
    if system(params, "AccessKeyId")? == settings.access_key_id {
        return Ok(());
    }
    Err(Refusal::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."))
}

fn check_signature(method: &str, params: &Params, settings: &Settings) -> Result<(), Refusal> {
    for (parameter, only) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
        if system(params, parameter)? != only {
            return Err(Refusal::invalid(parameter, &format!("it must be {only}")));
        }
    }
    let pairs = params.pairs();
    let text = sign_v1::string_to_sign(method, &pairs);
    if sign_v1::verify(&settings.access_key_secret, &text, system(params, "Signature")?) {
        return Ok(());
    }
    // An old SDK dies unless the message has a colon and a string after it.
    let message = format!(
        "Specified signature is not matched with our calculation. server string to sign is:{}",
        sign_v1::blanked_string_to_sign(method, &pairs)
    );
    Err(Refusal::new(400, "SignatureDoesNotMatch", message))
}

fn check_time(params: &Params, now: Instant) -> Result<(), Refusal> {
    let written = NaiveDateTime::parse_from_str(system(params, "Timestamp")?, "%Y-%m-%dT%H:%M:%SZ");
    let Ok(written) = written else {
        let message = "Specified time stamp or date value is not well formatted.";
        return Err(Refusal::new(400, "InvalidTimeStamp.Format", message));
    };
    if now.signed_duration_since(written.and_utc()).abs() > SKEW {
        return Err(Refusal::new(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."));
    }
    Ok(())
}

/// A system parameter; the cloud's front names a missing one in the code itself.
fn system<'a>(params: &'a Params, key: &str) -> Result<&'a str, Refusal> {
    let missing = || Refusal::new(400, format!("Missing{key}"), format!("{key} is mandatory for this action."));
    params.text(key).ok_or_else(missing)
}
