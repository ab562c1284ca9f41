//! Where the issuer's keys come from, and how they are kept fresh.
//!
//! A fixed set is what it is. A URL is fetched when it is first needed, again when the set is older than 5 minutes, and
//! again when a token names a key that the set does not have, since issuers rotate. What must stay true: however many
//! requests want a refresh, one is under way at a time; unknown key ids, which anybody can make up, cause at most one
//! in 30 s; a failed one leaves the old keys in place and is not repeated within 5 s; why it failed is logged with the
//! host's name, at once where that is new and else every 10 s, and never with the rest of the URL. A fetch runs in a
//! task of its own, so that a client that hangs up cannot abort it.
//!
//! Called by [`super::verify`]. It verifies nothing itself.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use reqwest::{Client, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex as Flight, OwnedMutexGuard};
use url::{Host, Url};

use super::keys::{KeySet, KeySetError, Secrets};
use crate::domain::clock::{Clock, Instant, within};
use crate::egress::Egress;

const MAX_AGE: Duration = Duration::minutes(5);
const UNKNOWN_KID_PAUSE: Duration = Duration::seconds(30);
const FAILURE_PAUSE: Duration = Duration::seconds(5);
/// How often a reason that lasts is told again.
const TELL_AGAIN: Duration = Duration::seconds(10);
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
const TOTAL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
const MAX_BYTES: usize = 1024 * 1024;

/// Why keys cannot be had from a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not an `https` URL; `http` is for loopback and for hosts that the operator names.
    #[error("must be an https URL without user name (http only to a loopback host, or one that is named for it)")]
    BadUrl,
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up: no certificate store, or the extra certificates are not a PEM bundle")]
    NoClient,
}

/// How to reach the issuer.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// How to get out.
    pub egress: Egress,
    /// Hosts that may be asked in plain `http`, beside loopback: whoever sits on the way there can forge tokens.
    pub http_hosts: Vec<String>,
}

/// No keys have been fetched yet, and the last try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's keys are not available")]
pub struct Unavailable;

/// Where the keys come from.
#[derive(Debug)]
pub struct KeySource(Kind);

#[derive(Debug)]
enum Kind {
    Fixed(Arc<KeySet>),
    Remote(Arc<Remote>),
}

impl KeySource {
    /// One HS256 secret, for development: the bytes of the text, at least 32 of them.
    pub fn secret(secret: &SecretString) -> Result<Self, KeySetError> {
        let set = KeySet::from_secret(secret.expose_secret().as_bytes())?;
        Ok(Self(Kind::Fixed(Arc::new(set))))
    }

    /// A JWKS document that the operator has put into a file.
    pub fn document(json: &[u8]) -> Result<Self, KeySetError> {
        Ok(Self(Kind::Fixed(Arc::new(KeySet::from_jwks(json, Secrets::Allowed)?))))
    }

    /// A JWKS document behind a URL; nothing is fetched yet.
    pub fn url(url: &str, reach: &Reach, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let good = |url: &Url| is_safe(url, &reach.http_hosts);
        let url = Url::parse(url).ok().filter(good).ok_or(SourceError::BadUrl)?;
        let out = reach.egress.client().map_err(|_| SourceError::NoClient)?;
        let client = out
            .user_agent("eci-cache-gateway")
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .build()
            .map_err(|_| SourceError::NoClient)?;
        let remote = Remote { url, client, clock, state: Mutex::default(), flight: Arc::default() };
        Ok(Self(Kind::Remote(Arc::new(remote))))
    }

    /// The keys, refreshed if they are old or lack `kid`. They may lack it still.
    pub async fn keys_for(&self, kid: Option<&str>) -> Result<Arc<KeySet>, Unavailable> {
        match &self.0 {
            Kind::Fixed(set) => Ok(Arc::clone(set)),
            Kind::Remote(remote) => remote.keys_for(kid).await,
        }
    }

    /// Whether keys were looked for, and none were ever found.
    pub fn is_missing(&self) -> bool {
        match &self.0 {
            Kind::Fixed(_) => false,
            Kind::Remote(remote) => remote.state(|state| state.keys.is_none() && state.failed.is_some()),
        }
    }

    /// Which set of keys is in use, while no refresh of it is due.
    pub fn generation(&self) -> Option<u64> {
        match &self.0 {
            Kind::Fixed(_) => Some(0),
            Kind::Remote(remote) => remote.generation(),
        }
    }
}

/// Whether keys fetched from there can be trusted: `https`, or `http` to this machine or to a host that is named for
/// it.
pub fn is_safe(url: &Url, http_hosts: &[String]) -> bool {
    let named = url.host_str().is_some_and(|host| http_hosts.iter().any(|named| named.eq_ignore_ascii_case(host)));
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && (loopback || named));
    scheme && url.username().is_empty() && url.password().is_none()
}

#[derive(Debug)]
struct Remote {
    url: Url,
    client: Client,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by the one fetch that is under way.
    flight: Arc<Flight<()>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// When `keys` were fetched.
    fetched: Option<Instant>,
    /// When a fetch last failed.
    failed: Option<Instant>,
    /// When an unknown key id last caused a fetch.
    asked: Option<Instant>,
    /// Why it failed, and when that was last told.
    told: Option<(String, Instant)>,
    /// Counts finished fetches, so that whoever waited for one knows.
    round: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The keys will do.
    Nothing,
    /// They are old: refresh, but nobody needs to wait for another's fetch.
    Newer,
    /// There are none, or not the wanted one: wait.
    Other,
}

impl State {
    fn need(&self, kid: Option<&str>, now: Instant) -> Need {
        let Some(keys) = &self.keys else { return Need::Other };
        if kid.is_some() && keys.find(kid).is_none() {
            Need::Other
        } else if within(self.fetched, MAX_AGE, now) {
            Need::Nothing
        } else {
            Need::Newer
        }
    }

    /// Whether a fetch may begin; if so for an unknown key id, that is noted.
    fn allow(&mut self, need: Need, now: Instant) -> bool {
        if within(self.failed, FAILURE_PAUSE, now) {
            return false;
        }
        let stale = !within(self.fetched, MAX_AGE, now);
        if need == Need::Other && !stale {
            if within(self.asked, UNKNOWN_KID_PAUSE, now) {
                return false;
            }
            self.asked = Some(now);
        }
        true
    }
}

impl Remote {
    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        // A panic while holding the lock cannot leave a half-written state behind.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn generation(&self) -> Option<u64> {
        let now = self.clock.now();
        self.state(|state| (state.need(None, now) == Need::Nothing).then_some(state.round))
    }

    async fn keys_for(self: &Arc<Self>, kid: Option<&str>) -> Result<Arc<KeySet>, Unavailable> {
        let seen = self.state(|state| state.clone());
        let turn = match seen.need(kid, self.clock.now()) {
            Need::Nothing => None,
            Need::Newer => Arc::clone(&self.flight).try_lock_owned().ok().map(|turn| (turn, Need::Newer)),
            Need::Other => Some((Arc::clone(&self.flight).lock_owned().await, Need::Other)),
        };
        if let Some((turn, need)) = turn {
            self.take_turn(turn, need, seen.round).await;
        }
        self.state(|state| state.keys.clone()).ok_or(Unavailable)
    }

    async fn take_turn(self: &Arc<Self>, turn: OwnedMutexGuard<()>, need: Need, seen: u64) {
        let now = self.clock.now();
        // Somebody may have fetched while we waited for our turn: that answer is ours too.
        if self.state(|state| state.round != seen || !state.allow(need, now)) {
            return;
        }
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let fetched = this.fetch().await;
            this.record(fetched);
            drop(turn);
        });
        // The task cannot be cancelled by us; if it panicked, the old keys stay.
        let _ = task.await;
    }

    fn record(&self, fetched: Result<KeySet, String>) {
        let now = self.clock.now();
        self.state(|state| {
            state.round += 1;
            match fetched {
                Ok(keys) => {
                    state.keys = Some(Arc::new(keys));
                    state.fetched = Some(now);
                    state.failed = None;
                    if state.told.take().is_some() {
                        tracing::info!(host = self.host(), "the issuer's keys could be fetched again");
                    }
                }
                Err(reason) => {
                    state.failed = Some(now);
                    self.tell(state, reason, now);
                }
            }
        });
    }

    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    fn tell(&self, state: &mut State, reason: String, now: Instant) {
        let known = state.told.as_ref().is_some_and(|(last, at)| *last == reason && within(Some(*at), TELL_AGAIN, now));
        if !known {
            let kept = state.keys.is_some();
            let meanwhile = if kept { "those fetched before go on" } else { "no token can be checked until they can" };
            tracing::warn!(host = self.host(), reason, kept, "the issuer's keys could not be fetched; {meanwhile}");
            state.told = Some((reason, now));
        }
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let request = self.client.get(self.url.clone()).header("accept", "application/json");
        let mut response = request.send().await.map_err(reason)?;
        if response.status() != 200 {
            return Err(format!("HTTP status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reason)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err("the answer is longer than 1 MiB".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        KeySet::from_jwks(&body, Secrets::Refused).map_err(|error| format!("what is served there {error}"))
    }
}

/// The chain of causes, without the URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::SystemClock;

    #[test]
    fn only_https_or_loopback() {
        let good = ["https://idp.example/keys", "http://127.0.0.1:8/k", "http://[::1]/k", "http://localhost/k"];
        let bad = [
            "http://idp.example/keys",
            "http://10.0.0.1/k",
            "http://localhost.example/k",
            "http://127.0.0.1.example/k",
            "https://user@idp.example/keys",
            "https://:secret@idp.example/keys",
            "file:///etc/passwd",
            "ftp://127.0.0.1/k",
            "idp.example",
            "",
        ];
        for url in good {
            assert!(KeySource::url(url, &Reach::default(), Arc::new(SystemClock)).is_ok(), "{url}");
        }
        for url in bad {
            let refused = KeySource::url(url, &Reach::default(), Arc::new(SystemClock)).unwrap_err();
            assert_eq!(refused, SourceError::BadUrl, "{url}");
        }
        let named = ["Idp.example".to_owned(), "10.0.0.1".to_owned()];
        for (url, good) in [
            ("http://idp.example/keys", true),
            ("http://10.0.0.1:8080/k", true),
            ("http://a.idp.example/keys", false),
            ("http://user@idp.example/keys", false),
        ] {
            assert_eq!(is_safe(&Url::parse(url).unwrap(), &named), good, "{url}");
        }
    }
}
