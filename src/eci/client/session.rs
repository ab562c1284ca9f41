//! Temporary credentials of an assumed role (STS `AssumeRole`, 2015-04-01): fetched when they are first needed, renewed
//! at half of their life.
//!
//! What must stay true: at most one fetch is under way; while what we have is good, nobody waits for a fetch, and a
//! failed one harms nobody; what ends within [`MARGIN`] signs nothing any more, and without credentials a call is
//! `NotSent`, never unknown: an `AssumeRole` whose answer was lost changes nothing at the cloud.
//!
//! Who calls it: the client, before each call and after a refusal of the token.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use super::post::{OutgoingCall, Post};
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::eci::Action;
use crate::eci::credentials::{Credentials, Role};
use crate::eci::params::Params;

/// What ends so soon is not used any more: a call takes its time, and clocks differ.
const MARGIN: Duration = Duration::seconds(60);
/// After a fetch that failed, the next one is tried so much later while the old credentials are good.
const AGAIN: Duration = Duration::seconds(30);

/// A role that is assumed.
#[derive(Debug)]
pub(super) struct Session {
    own: Credentials,
    role: Role,
    post: Post,
    held: Mutex<SessionState>,
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct SessionState {
    now: Option<TemporaryCredentials>,
    /// Not before.
    again_at: Option<Instant>,
    /// How many fetches have ended.
    fetches: u64,
    /// Why the last one failed, if it did.
    failed: Option<String>,
}

/// Credentials, and for how long.
#[derive(Debug, Clone)]
struct TemporaryCredentials {
    credentials: Arc<Credentials>,
    half_at: Instant,
    good_until: Instant,
}

/// The answer of `AssumeRole`. No `Debug`: it is nothing but secrets.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed {
    credentials: AssumedCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedCredentials {
    access_key_id: String,
    access_key_secret: SecretString,
    security_token: SecretString,
    expiration: DateTime<Utc>,
}

impl Session {
    pub(super) fn new(own: Credentials, role: Role, post: Post) -> Self {
        Self { own, role, post, held: Mutex::default(), fetching: Arc::default() }
    }

    /// As [`super::Client::identity`].
    pub(super) fn identity(&self) -> (&str, Option<(&str, bool)>) {
        (&self.own.access_key_id, Some((&self.role.arn, self.role.external_id.is_some())))
    }

    /// Credentials that are good now; fetched if there are none.
    pub(super) async fn credentials(self: &Arc<Self>) -> Result<Arc<Credentials>, CallError> {
        let now = self.post.clock.now();
        let Some(held) = self.good(now) else { return self.fetch_unless(None).await };
        if held.half_at <= now && self.may_try(now) {
            self.renew_behind();
        }
        Ok(held.credentials)
    }

    /// Whether there are credentials that are good now.
    pub(super) fn has_credentials(&self) -> bool {
        self.good(self.post.clock.now()).is_some()
    }

    /// Whether there are none, and the last fetch failed.
    pub(super) fn is_without(&self) -> bool {
        !self.has_credentials() && self.held().failed.is_some()
    }

    /// Others than `refused`, which the cloud no longer takes.
    pub(super) async fn others_than(&self, refused: &Arc<Credentials>) -> Result<Arc<Credentials>, CallError> {
        self.fetch_unless(Some(refused)).await
    }

    /// Everything that no message may repeat, beside the credentials that signed.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.own.texts().chain(self.role.external_id.as_ref().map(secrecy::ExposeSecret::expose_secret))
    }

    /// Nobody waits for it.
    fn renew_behind(self: &Arc<Self>) {
        let Ok(turn) = Arc::clone(&self.fetching).try_lock_owned() else { return };
        let session = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(fault) = session.fetch().await {
                tracing::warn!(role = session.role.arn, fault = %fault, "could not renew the credentials of the \
                    role; the current ones are still valid");
            }
            drop(turn);
        });
    }

    async fn fetch_unless(&self, refused: Option<&Arc<Credentials>>) -> Result<Arc<Credentials>, CallError> {
        let before = self.held().fetches;
        let _turn = self.fetching.lock().await;
        // Whoever had the turn before may have brought them.
        if let Some(held) = self.good(self.post.clock.now())
            && refused.is_none_or(|refused| !Arc::ptr_eq(refused, &held.credentials))
        {
            return Ok(held.credentials);
        }
        // Who waited for a fetch that failed does not try it again, one behind the other.
        let fetched = match self.failed_since(before) {
            Some(why) => Err(why),
            None => self.fetch().await.map_err(|fault| fault.to_string()),
        };
        fetched.map_err(|why| CallError::NotSent(format!("the role cannot be assumed: {why}")))
    }

    /// Asks STS, and notes how it went. Only while one holds the turn.
    async fn fetch(&self) -> Result<Arc<Credentials>, CallError> {
        let fetched = self.ask().await;
        let mut held = self.held();
        held.fetches += 1;
        held.failed = fetched.as_ref().err().map(ToString::to_string);
        if held.failed.is_some() {
            metrics::counter!("ecg_cloud_role_failures_total").increment(1);
        }
        drop(held);
        fetched
    }

    /// Asks STS, whether there are good credentials or not.
    pub(super) async fn ask(&self) -> Result<Arc<Credentials>, CallError> {
        let now = self.post.clock.now();
        self.held().again_at = Some(now + AGAIN);
        let asked = OutgoingCall { url: &self.role.endpoint, action: Action::AssumeRole, signed_at: now };
        let params = Params::assume_role(&self.role);
        let secrets: Vec<&str> = self.texts().collect();
        let Assumed { credentials: given } = self.post.ask(asked, &params, &self.own, &secrets).await?;
        let lasts = given.expiration - now;
        if lasts <= MARGIN {
            return Err(CallError::Unknown(format!("the credentials end at {}, which is too soon", given.expiration)));
        }
        let credentials = Arc::new(Credentials {
            access_key_id: given.access_key_id,
            access_key_secret: given.access_key_secret,
            security_token: Some(given.security_token),
        });
        let fresh = TemporaryCredentials {
            credentials: Arc::clone(&credentials),
            half_at: now + lasts / 2,
            good_until: given.expiration - MARGIN,
        };
        let mut held = self.held();
        (held.now, held.again_at) = (Some(fresh), None);
        Ok(credentials)
    }

    /// Why the last fetch failed, if one has ended since there were `before`.
    fn failed_since(&self, before: u64) -> Option<String> {
        let held = self.held();
        if held.fetches > before { held.failed.clone() } else { None }
    }

    fn good(&self, now: Instant) -> Option<TemporaryCredentials> {
        self.held().now.clone().filter(|held| now < held.good_until)
    }

    fn may_try(&self, now: Instant) -> bool {
        self.held().again_at.is_none_or(|at| at <= now)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, SessionState> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
