//! Remote keys: from a JWKS document, or from one that an `OpenID` discovery document refers to.
//!
//! What must stay true: however many requests need a refresh, only one fetch runs at a time; unknown key ids, which
//! anybody can make up, cause at most one fetch in 30 s; a failed fetch leaves the old keys in place for as long as
//! they may be trusted, and is not repeated within 5 s; the reason is logged with the host name, but never the rest of
//! the URL: at once if it is new, otherwise every 10 s. A fetch runs in a task of its own, so that a client that
//! disconnects cannot abort it. The discovery document of another issuer is refused, so that no issuer can act for
//! another.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use reqwest::{Client, redirect};
use serde::Deserialize;
use tokio::sync::{Mutex as Flight, OwnedMutexGuard};
use url::Url;

use super::{JwksSettings, KeyState, SourceError, Unavailable, is_safe, tell_faults};
use crate::auth::keys::{HmacSecrets, KeySet};
use crate::domain::clock::{Clock, Instant, within};
use crate::domain::identity::issuer::Issuer;

const REFRESH: Duration = Duration::minutes(5);
const UNKNOWN_KID_PAUSE: Duration = Duration::seconds(30);
const FAILURE_PAUSE: Duration = Duration::seconds(5);
/// How often a persistent failure is logged again.
const TELL_AGAIN: Duration = Duration::seconds(10);
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
const TOTAL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
const MAX_BYTES: usize = 1024 * 1024;

/// The address of the document.
#[derive(Debug, Clone)]
pub(super) enum JwksAddress {
    /// The URL of the keys.
    Keys(Url),
    /// The URL of a discovery document, which must be this issuer's and contains the URL of the keys.
    Discovery { url: Url, issuer: String },
}

#[derive(Debug)]
pub(super) struct Remote {
    /// The issuer's name.
    name: String,
    address: JwksAddress,
    algorithms: Vec<String>,
    /// How long keys are trusted if they cannot be renewed.
    max_age: Duration,
    http_hosts: Vec<String>,
    client: Client,
    clock: Arc<dyn Clock>,
    state: Mutex<FetchState>,
    /// Held by the running fetch.
    flight: Arc<Flight<()>>,
}

#[derive(Debug, Clone, Default)]
struct FetchState {
    keys: Option<Arc<KeySet>>,
    /// When `keys` were fetched.
    fetched: Option<Instant>,
    /// When a fetch last failed.
    failed: Option<Instant>,
    /// When an unknown key id last caused a fetch.
    asked: Option<Instant>,
    /// Why the last fetch failed, and when that was last logged.
    told: Option<(String, Instant)>,
    /// The number of finished fetches, so that a waiting task notices that one has finished.
    round: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefreshNeed {
    /// The keys are sufficient.
    Nothing,
    /// They are old: refresh them, but do not wait for a running fetch.
    Newer,
    /// There are no trusted keys, or the wanted one is not among them: wait for a fetch.
    Other,
}

impl FetchState {
    /// The keys, as long as they may be trusted.
    fn trusted(&self, max_age: Duration, now: Instant) -> Option<&Arc<KeySet>> {
        self.keys.as_ref().filter(|_| within(self.fetched, max_age, now))
    }

    fn need(&self, kid: Option<&str>, max_age: Duration, now: Instant) -> RefreshNeed {
        let Some(keys) = self.trusted(max_age, now) else { return RefreshNeed::Other };
        if kid.is_some() && keys.find(kid).is_none() {
            RefreshNeed::Other
        } else if within(self.fetched, REFRESH, now) {
            RefreshNeed::Nothing
        } else {
            RefreshNeed::Newer
        }
    }

    /// Whether a fetch may start. If it may because of an unknown key id, that is recorded.
    fn allow(&mut self, need: RefreshNeed, now: Instant) -> bool {
        if within(self.failed, FAILURE_PAUSE, now) {
            return false;
        }
        let stale = !within(self.fetched, REFRESH, now);
        if need == RefreshNeed::Other && !stale {
            if within(self.asked, UNKNOWN_KID_PAUSE, now) {
                return false;
            }
            self.asked = Some(now);
        }
        true
    }
}

impl Remote {
    pub(super) fn new(
        issuer: &Issuer,
        address: JwksAddress,
        reach: &JwksSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SourceError> {
        let out = reach.egress.client().map_err(|_| SourceError::NoClient)?;
        let client = out
            .user_agent("eci-cache-gateway")
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .build()
            .map_err(|_| SourceError::NoClient)?;
        Ok(Self {
            name: issuer.name.clone(),
            address,
            algorithms: issuer.algorithms.clone(),
            max_age: Duration::seconds(issuer.max_key_age_seconds.into()),
            http_hosts: reach.http_hosts.clone(),
            client,
            clock,
            state: Mutex::default(),
            flight: Arc::default(),
        })
    }

    /// Whether there is a set and it does not contain that key.
    pub(super) fn lacks(&self, kid: &str) -> bool {
        self.state(|state| state.keys.as_ref().is_some_and(|keys| keys.find(Some(kid)).is_none()))
    }

    fn state<T>(&self, look: impl FnOnce(&mut FetchState) -> T) -> T {
        // A panic while the lock is held cannot leave a partly written state.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn generation(&self) -> Option<u64> {
        let now = self.clock.now();
        self.state(|state| (state.need(None, self.max_age, now) == RefreshNeed::Nothing).then_some(state.round))
    }

    pub(super) fn key_state(&self) -> KeyState {
        let now = self.clock.now();
        self.state(|state| KeyState {
            age: state.fetched.map(|fetched| (now - fetched).max(Duration::zero())),
            failure: state.failed.and(state.told.as_ref()).map(|(reason, _)| reason.clone()),
            missing: state.failed.is_some() && state.trusted(self.max_age, now).is_none(),
            faults: state.keys.as_ref().map_or(0, |keys| keys.count_faults()),
        })
    }

    pub(super) async fn keys_for(self: &Arc<Self>, kid: Option<&str>) -> Result<Arc<KeySet>, Unavailable> {
        let seen = self.state(|state| state.clone());
        let turn = match seen.need(kid, self.max_age, self.clock.now()) {
            RefreshNeed::Nothing => None,
            RefreshNeed::Newer => Arc::clone(&self.flight).try_lock_owned().ok().map(|turn| (turn, RefreshNeed::Newer)),
            RefreshNeed::Other => Some((Arc::clone(&self.flight).lock_owned().await, RefreshNeed::Other)),
        };
        if let Some((turn, need)) = turn {
            self.take_turn(turn, need, seen.round).await;
        }
        let now = self.clock.now();
        self.state(|state| state.trusted(self.max_age, now).cloned()).ok_or(Unavailable)
    }

    async fn take_turn(self: &Arc<Self>, turn: OwnedMutexGuard<()>, need: RefreshNeed, seen: u64) {
        let now = self.clock.now();
        // Another task may have fetched while this one waited; its result will do.
        if self.state(|state| state.round != seen || !state.allow(need, now)) {
            return;
        }
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let fetched = this.fetch().await;
            this.record(fetched);
            drop(turn);
        });
        // We never cancel the task; if it panicked, the old keys stay.
        let _ = task.await;
    }

    fn record(&self, fetched: Result<KeySet, String>) {
        let now = self.clock.now();
        self.state(|state| {
            state.round += 1;
            match fetched {
                Ok(keys) => {
                    // Logged once, until it changes.
                    if state.keys.as_ref().is_none_or(|known| known.skipped() != keys.skipped()) {
                        tell_faults(&self.name, &keys);
                    }
                    state.keys = Some(Arc::new(keys));
                    state.fetched = Some(now);
                    state.failed = None;
                    if state.told.take().is_some() {
                        tracing::info!(issuer = self.name, host = self.host(), "fetched the issuer's keys again");
                    }
                }
                Err(reason) => {
                    metrics::counter!("ecg_issuer_key_failures_total", "issuer" => self.name.clone()).increment(1);
                    state.failed = Some(now);
                    self.tell(state, reason, now);
                }
            }
        });
    }

    fn host(&self) -> &str {
        let (JwksAddress::Keys(url) | JwksAddress::Discovery { url, .. }) = &self.address;
        url.host_str().unwrap_or_default()
    }

    fn tell(&self, state: &mut FetchState, reason: String, now: Instant) {
        let known = state.told.as_ref().is_some_and(|(last, at)| *last == reason && within(Some(*at), TELL_AGAIN, now));
        if !known {
            let kept = state.trusted(self.max_age, now).is_some();
            let meanwhile = if kept {
                "the previously fetched keys remain in use"
            } else {
                "no token can be verified \
                                       until they are"
            };
            let (issuer, host) = (&self.name, self.host());
            tracing::warn!(issuer, host, reason, kept, "the issuer's keys could not be fetched; {meanwhile}");
            state.told = Some((reason, now));
        }
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let url = match &self.address {
            JwksAddress::Keys(url) => url.clone(),
            JwksAddress::Discovery { url, issuer } => self.discover(url, issuer).await?,
        };
        let body = self.get(&url).await?;
        KeySet::from_jwks(&body, HmacSecrets::Refused, &self.algorithms)
            .map_err(|error| format!("the document at this address {error}"))
    }

    /// The URL of the keys, from the discovery document.
    async fn discover(&self, url: &Url, issuer: &str) -> Result<Url, String> {
        let body = self.get(url).await.map_err(|reason| format!("the discovery document: {reason}"))?;
        let found: Discovery = serde_json::from_slice(&body).map_err(|_| {
            "the discovery document is not a JSON object with the strings issuer and \
                          jwks_uri"
                .to_owned()
        })?;
        if found.issuer != issuer {
            return Err(
                "the discovery document names a different issuer than the configured one; they must be equal, \
                        including a trailing slash"
                    .to_owned(),
            );
        }
        let safe = |url: &Url| is_safe(url, &self.http_hosts);
        Url::parse(&found.jwks_uri).ok().filter(safe).ok_or_else(|| {
            "the jwks_uri of the discovery document is not an https URL (http is allowed only to loopback, or to a \
             host that is configured for it)"
                .to_owned()
        })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, String> {
        let request = self.client.get(url.clone()).header("accept", "application/json");
        let mut response = request.send().await.map_err(reason)?;
        if response.status() != 200 {
            return Err(format!("HTTP status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reason)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err("the response is longer than 1 MiB".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The chain of causes, without the URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = if error.is_timeout() { "the request timed out".to_owned() } else { error.to_string() };
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
