//! One attempt to deliver one message: limited in time and size, and only to addresses that the guard allows.
//!
//! The timeout covers everything: resolving, connecting, TLS, sending, headers and body. A 2xx counts once its headers
//! have arrived, whatever happens to the body. Redirects are not followed, proxies in the environment are ignored (the
//! operator may configure one), bodies are not decompressed, requests are not repeated. The outcome is a coarse code:
//! endpoints belong to callers, and the delivery log must not be usable as a port scanner.
//!
//! Called by `app` for deliveries and test messages. Messages are signed before, and retries are decided afterwards.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::url::{Position, Url};
use bytes::Bytes;
use http::header::{ACCEPT, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout, timeout_at};

use super::address::{AddressPolicy, ClosedReason};
use super::dial::Dialer;
use super::error::SetupError;
use super::explain::Redirect;
use super::fault::{SendError, classify};
use super::headers::header_map;
pub use super::headers::{is_free, is_reserved};
use super::link::{Link, WebhookRequest};
use super::lookup::{Lookup, SystemLookup};
use super::network::Networks;
use super::outcome::DeliveryOutcome;
use super::own_services::{Own, OwnService};
use super::pool::LinkPool;
use super::resolver::{Guarded, ResolveError};
use super::url::{self, UrlError};
use super::{echo, retry_after};
use crate::domain::clock::Clock;
use crate::domain::webhooks::endpoint::url::origin as origin_of;
use crate::egress::Egress;

/// How much of a response is read, in bytes.
pub const MAX_EXCERPT_BYTES: usize = 16 * 1024;
/// How long an idle connection is kept by default.
pub const KEEP_IDLE: Duration = Duration::from_secs(30);
const JUDGE_TIMEOUT: Duration = Duration::from_secs(5);
/// The settings of a sender.
#[derive(Clone)]
pub struct SenderSettings {
    /// The header `User-Agent`.
    pub user_agent: String,
    /// How outgoing connections are made.
    pub egress: Egress,
    /// Resolves the names of receivers.
    pub lookup: Arc<dyn Lookup>,
    /// The gateway's own services, to which nothing is sent.
    pub own: Vec<OwnService>,
    /// How long an idle connection is kept.
    pub keep_idle: Duration,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("eci-cache-gateway/", env!("CARGO_PKG_VERSION")).into(),
            egress: Egress::default(),
            lookup: Arc::new(SystemLookup),
            own: Vec::new(),
            keep_idle: KEEP_IDLE,
        }
    }
}

/// Why an endpoint's URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// Because of the URL itself.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Because of what its host name resolves to.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

/// A message to be sent.
#[derive(Clone)]
pub struct Outgoing {
    /// The endpoint's URL. It is checked again.
    pub url: String,
    /// Every header besides `User-Agent`, `Host` and `Content-Length`, including the signatures.
    pub headers: Vec<(String, String)>,
    /// The body, exactly as it was signed.
    pub body: String,
    /// The timeout of the attempt.
    pub timeout: Duration,
}

/// URL, headers and body may contain secrets.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("to", &origin_of(&self.url)).finish_non_exhaustive()
    }
}

/// A finished attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The outcome of the attempt.
    pub outcome: DeliveryOutcome,
    /// The status, if there was a response.
    pub http_status: Option<u16>,
    /// The time from the call to the end of reading.
    pub duration: Duration,
    /// The address that answered.
    pub remote: Option<IpAddr>,
    /// The beginning of the response's body, unmodified; at most [`MAX_EXCERPT_BYTES`].
    pub response_excerpt: Vec<u8>,
    /// The target of a redirect, for the owner of the endpoint; it is never followed.
    pub redirect: Option<Redirect>,
    /// How long the receiver asks us to wait, at most 24 h; `None` with 2xx.
    pub retry_after: Option<Duration>,
    /// A coarse error code: `address_refused`, `unresolvable`, `unreachable`, `tls`, `timeout`, `broken_connection`,
    /// `invalid_request`, `redirect`, `gone`, `status`, [`NOT_VERIFIED`](super::outcome::NOT_VERIFIED).
    pub error: Option<&'static str>,
}

impl Attempted {
    fn unanswered(outcome: DeliveryOutcome, error: &'static str) -> Self {
        Self {
            outcome,
            http_status: None,
            duration: Duration::ZERO,
            remote: None,
            response_excerpt: Vec::new(),
            redirect: None,
            retry_after: None,
            error: Some(error),
        }
    }
}

/// Sends messages; cheap to clone, clones share connections.
#[derive(Clone)]
pub struct Sender {
    dialer: Dialer,
    pool: Arc<LinkPool>,
    user_agent: HeaderValue,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender with this policy. The clock is only for `Retry-After` dates.
    pub fn new(policy: AddressPolicy, settings: SenderSettings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let own = Arc::new(Own::new(settings.own, Arc::clone(&settings.lookup)));
        let guarded = Guarded { policy: Arc::new(policy), lookup: settings.lookup, own };
        let dialer = Dialer::new(guarded, &settings.egress)?;
        let user_agent = HeaderValue::try_from(settings.user_agent).map_err(|_| SetupError::NoClient)?;
        Ok(Self { dialer, pool: Arc::new(LinkPool::new(settings.keep_idle)), user_agent, clock })
    }

    /// Whether an endpoint with this URL may be saved: parses it and resolves its host name within 5 s, without
    /// connecting.
    pub async fn judge(&self, url: &str) -> Result<(), JudgeError> {
        let guarded = &self.dialer.guarded;
        let url = url::parse(url, &guarded.policy)?;
        let judging = async {
            if let Some(host) = url.domain() {
                guarded.open_addresses(host, url::port(&url), None).await.map(drop)
            } else {
                self.judge_literal(&url).await.map_err(ResolveError::Closed)
            }
        };
        let judged = timeout(JUDGE_TIMEOUT, judging).await;
        Ok(judged.unwrap_or(Err(ResolveError::Unresolvable))?)
    }

    async fn judge_literal(&self, url: &Url) -> Result<(), ClosedReason> {
        let Some(address) = url::literal(url) else { return Ok(()) };
        self.dialer.guarded.judge(url.host_str().unwrap_or_default(), address).await
    }

    /// Makes one attempt. Errors are part of the returned value.
    pub async fn send(&self, outgoing: Outgoing) -> Attempted {
        self.send_within(outgoing, None).await
    }

    /// The same, but if the host name resolves to no address within these networks, nothing is sent:
    /// [`NOT_VERIFIED`](super::outcome::NOT_VERIFIED). A literal address cannot change.
    pub async fn send_within(&self, outgoing: Outgoing, within: Option<&Networks>) -> Attempted {
        let started = Instant::now();
        let deadline = started + outgoing.timeout;
        let attempted = self.attempt(outgoing, within, deadline).await;
        Attempted { duration: started.elapsed(), ..attempted }
    }

    async fn attempt(&self, outgoing: Outgoing, within: Option<&Networks>, deadline: Instant) -> Attempted {
        // Literal addresses are checked here, because they are not resolved.
        let parsed = url::parse(&outgoing.url, &self.dialer.guarded.policy).ok();
        let Some(url) = parsed else { return Attempted::unanswered(DeliveryOutcome::Refused, "address_refused") };
        if timeout_at(deadline, self.judge_literal(&url)).await.is_ok_and(|judged| judged.is_err()) {
            return Attempted::unanswered(DeliveryOutcome::Refused, "address_refused");
        }
        let within = within.filter(|_| url.domain().is_some());
        let Some(message) = self.message(&url, &outgoing.headers, outgoing.body) else {
            return Attempted::unanswered(DeliveryOutcome::Failed, "invalid_request");
        };
        match timeout_at(deadline, self.exchange(&url, message, within)).await {
            Ok(Ok((link, response))) => {
                let attempted = self.read(&url, link, response, deadline).await;
                let response_excerpt = echo::blank(attempted.response_excerpt, &outgoing.headers, &url);
                Attempted { response_excerpt, ..attempted }
            }
            Ok(Err(fault)) => {
                let (outcome, word) = classify(&fault);
                Attempted::unanswered(outcome, word)
            }
            Err(_) => Attempted::unanswered(DeliveryOutcome::Failed, "timeout"),
        }
    }

    /// The request; hyper adds its length.
    fn message(&self, url: &Url, headers: &[(String, String)], body: String) -> Option<WebhookRequest> {
        let mut message = Request::new(Full::new(Bytes::from(body)));
        *message.method_mut() = Method::POST;
        *message.uri_mut() = Uri::try_from(&url[Position::BeforePath..Position::AfterQuery]).ok()?;
        let mut all = header_map(headers)?;
        all.insert(HOST, HeaderValue::try_from(&url[Position::BeforeHost..Position::AfterPort]).ok()?);
        all.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        all.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        *message.headers_mut() = all;
        Some(message)
    }

    /// Sends a message over an idle or new connection, and waits for the headers of the response.
    async fn exchange(
        &self,
        url: &Url,
        mut message: WebhookRequest,
        within: Option<&Networks>,
    ) -> Result<(Link, Response<Incoming>), SendError> {
        while let Some(mut link) = self.pool.take(origin(url), within) {
            if !link.is_ready().await {
                continue;
            }
            match link.exchange(message).await {
                Ok(response) => return Ok((link, response)),
                // The receiver had closed the connection, and not a single byte was written: only then is the message
                // sent on a new one. What may have been received is never repeated here.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => message = unsent,
                    None => return Err(SendError::Talking(error.into_error())),
                },
            }
        }
        // Boxed, so that the usual attempt's future is not enlarged by it.
        let mut link = Box::pin(self.connect(url, within)).await?;
        let answered = link.exchange(message).await;
        answered.map(|response| (link, response)).map_err(|error| SendError::Talking(error.into_error()))
    }

    async fn connect(&self, url: &Url, within: Option<&Networks>) -> Result<Link, SendError> {
        let uri = Uri::try_from(origin(url)).map_err(|error| SendError::Connecting(error.into()))?;
        let dialed = self.dialer.dial(uri, url::port(url), within).await;
        let (stream, beyond) = dialed.map_err(SendError::Connecting)?;
        Link::over(stream, beyond).await.map_err(SendError::Talking)
    }

    async fn read(&self, url: &Url, mut link: Link, response: Response<Incoming>, deadline: Instant) -> Attempted {
        let (outcome, error) = judge_status(response.status());
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = asked.and_then(|text| retry_after::parse(text, self.clock.now()));
        let (http_status, remote) = (Some(response.status().as_u16()), link.remote);
        let redirect = Redirect::of(url, response.status(), response.headers());
        let (mut body, mut kept) = (response.into_body(), Vec::new());
        // A body that breaks off is as good as a complete one, but its connection is not used again.
        let whole = body.is_end_stream()
            || timeout_at(deadline, link.read(&mut body, &mut kept, MAX_EXCERPT_BYTES)).await.unwrap_or(false);
        if whole && link.is_ready().await {
            self.pool.put(origin(url), link);
        }
        Attempted {
            outcome,
            http_status,
            duration: Duration::ZERO,
            remote,
            redirect,
            retry_after: retry_after.filter(|_| outcome != DeliveryOutcome::Delivered),
            error,
            response_excerpt: kept,
        }
    }
}

/// Scheme, host and port, for which a connection is opened.
fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

fn judge_status(status: StatusCode) -> (DeliveryOutcome, Option<&'static str>) {
    match status.as_u16() {
        200..=299 => (DeliveryOutcome::Delivered, None),
        300..=399 => (DeliveryOutcome::Failed, Some("redirect")),
        410 => (DeliveryOutcome::Gone, Some("gone")),
        _ => (DeliveryOutcome::Failed, Some("status")),
    }
}
