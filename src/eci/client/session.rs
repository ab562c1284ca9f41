//! Temporary credentials of an assumed role (STS `AssumeRole`, 2015-04-01): fetched when they are first needed, renewed
//! after half of their lifetime.
//!
//! What must stay true: there is at most one fetch at a time; while the current credentials are valid, nobody waits for
//! a fetch and a failed one has no effect; credentials that expire within [`MARGIN`] are not used; without credentials
//! a call is `NotSent`, never unknown, because an `AssumeRole` whose response was lost changes nothing in the cloud.
//!
//! The client calls it before each call, and after a refusal of the token.

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

/// Credentials that expire sooner are not used: a call takes time, and clocks differ.
const MARGIN: Duration = Duration::seconds(60);
/// After a failed fetch, how long to wait before the next one while the old credentials are valid.
const AGAIN: Duration = Duration::seconds(30);

/// An assumed role.
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
    /// When to fetch again at the earliest.
    again_at: Option<Instant>,
    /// The number of fetches that have ended.
    fetches: u64,
    /// Why the last fetch failed, if it did.
    failed: Option<String>,
}

/// Credentials and their expiry.
#[derive(Debug, Clone)]
struct TemporaryCredentials {
    credentials: Arc<Credentials>,
    half_at: Instant,
    good_until: Instant,
}

/// The response to `AssumeRole`. No `Debug`: it contains only secrets.
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

    /// The access key's id and the role, as in [`super::Client::identity`].
    pub(super) fn identity(&self) -> (&str, Option<(&str, bool)>) {
        (&self.own.access_key_id, Some((&self.role.arn, self.role.external_id.is_some())))
    }

    /// Valid credentials; fetches them if there are none.
    pub(super) async fn credentials(self: &Arc<Self>) -> Result<Arc<Credentials>, CallError> {
        let now = self.post.clock.now();
        let Some(held) = self.good(now) else { return self.fetch_unless(None).await };
        if held.half_at <= now && self.may_try(now) {
            self.renew_behind();
        }
        Ok(held.credentials)
    }

    /// Whether there are valid credentials.
    pub(super) fn has_credentials(&self) -> bool {
        self.good(self.post.clock.now()).is_some()
    }

    /// Whether there are no valid credentials and the last fetch failed.
    pub(super) fn is_without(&self) -> bool {
        !self.has_credentials() && self.held().failed.is_some()
    }

    /// Credentials other than `refused`, which the cloud no longer accepts.
    pub(super) async fn others_than(&self, refused: &Arc<Credentials>) -> Result<Arc<Credentials>, CallError> {
        self.fetch_unless(Some(refused)).await
    }

    /// Everything that no message may contain, apart from the credentials that signed.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.own.texts().chain(self.role.external_id.as_ref().map(secrecy::ExposeSecret::expose_secret))
    }

    /// In the background.
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
        // The previous holder of the lock may have fetched them.
        if let Some(held) = self.good(self.post.clock.now())
            && refused.is_none_or(|refused| !Arc::ptr_eq(refused, &held.credentials))
        {
            return Ok(held.credentials);
        }
        // Callers that waited for a fetch that failed do not repeat it one after another.
        let fetched = match self.failed_since(before) {
            Some(why) => Err(why),
            None => self.fetch().await.map_err(|fault| fault.to_string()),
        };
        fetched.map_err(|why| CallError::NotSent(format!("the role cannot be assumed: {why}")))
    }

    /// Fetches credentials and stores the result. Call it only while holding the lock.
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

    /// Fetches credentials, whether the current ones are valid or not.
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

    /// Why the last fetch failed, if one has ended since the count was `before`.
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
