//! One method for each action of the cloud. Each makes exactly one HTTP request, and a second one only if the first was
//! refused because of its temporary credentials, which proves that it was not carried out.
//!
//! What must stay true: everything is sent in the form body of a POST, so no URL contains a secret; every call has a
//! new nonce and signature; nothing is retried here; the response is read up to a limit; an error is `NotSent` only if
//! the cloud cannot have carried out the call: there was no connection, there were no valid credentials, or it was
//! refused because of its timestamp.
//!
//! Called by `app`. It does not decide what an unknown outcome means.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use super::credentials::{CredentialSource, Credentials};
use super::params::{self, Params};
use super::request::{Attempt, DescribeQuery};
use super::{Action, fault, wire};
use crate::domain::clock::{Clock, Instant};
use crate::domain::entropy::Entropy;
use crate::domain::failure::CallError;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::spec::{ImageCacheChanges, ImageCacheSpec, RegistryCredential};
use crate::domain::operation::is_stale;
use crate::domain::region::Region;
use crate::egress::Egress;

mod endpoint;
mod owner;
mod post;
mod probe;
mod session;

pub use owner::CredentialOwner;
use owner::Ownership;
use post::{OutgoingCall, Post};
use session::Session;

/// The placeholder for the region in [`ClientSettings::endpoint`].
const REGION: &str = "{region}";

/// The recommended [`ClientSettings::keep_idle`]. It is shorter than the keep-alive timeout of most servers: if a call
/// is sent while the server closes the connection, its outcome is unknown, and a create has to be tracked instead of
/// being answered.
pub const KEEP_IDLE: Duration = Duration::from_secs(4);

/// How to reach the cloud.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// `https://eci.{region}.aliyuncs.com`, or a fixed URL such as `http://127.0.0.1:1234`.
    pub endpoint: String,
    /// How outgoing connections are made.
    pub egress: Egress,
    /// The timeout for connecting, including TLS.
    pub connect_timeout: Duration,
    /// The timeout for the whole call.
    pub timeout: Duration,
    /// How long an idle connection is kept; more than zero.
    pub keep_idle: Duration,
    /// The maximum length of a response in bytes; a longer one counts as an unknown outcome.
    pub max_answer_bytes: usize,
}

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The endpoint is not an `http` or `https` URL that consists of a host only.
    #[error(
        "the endpoint must be http:// or https:// and a host, without user, path or query; {{region}} stands for the region"
    )]
    Endpoint,
    /// The HTTP client could not be set up, for example because there are no CA certificates.
    #[error("the HTTP client cannot be set up: {0}")]
    Transport(#[from] reqwest::Error),
}

/// The response to a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// `ImageCacheId`, imc-….
    pub eci_cache_id: String,
    /// `ContainerGroupId` of the instance that builds it.
    pub container_group_id: Option<String>,
    /// The cloud's `RequestId`; empty if it sent none.
    pub request_id: String,
}

/// The response to an update or a delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The cloud's `RequestId`.
    pub request_id: String,
}

/// One page of caches. The last page is the one without `next_token`, however many caches it contains.
#[derive(Debug, Clone)]
pub struct SeenPage {
    /// At most 20 caches.
    pub caches: Vec<Observation>,
    /// The token of the next page.
    pub next_token: Option<String>,
    /// The cloud's `RequestId`; empty if it sent none.
    pub request_id: String,
}

/// The client of one cloud account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<ClientInner>);

/// One signed request.
struct SignedCall<'a> {
    action: Action,
    region: &'a Region,
    signed_at: Instant,
    logins: &'a [RegistryCredential],
}

#[derive(Debug)]
struct ClientInner {
    settings: ClientSettings,
    signer: ClientSigner,
    post: Post,
    ownership: Ownership,
}

#[derive(Debug)]
enum ClientSigner {
    Own(Credentials),
    Session(Arc<Session>),
}

impl Client {
    /// A client of the account that these keys belong to.
    ///
    /// # Errors
    /// If an endpoint is invalid or the HTTP client cannot be set up.
    pub fn new(
        settings: ClientSettings,
        keys: impl Into<CredentialSource>,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
    ) -> Result<Self, BuildError> {
        let http = settings
            .egress
            .client()?
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .pool_idle_timeout(settings.keep_idle)
            .user_agent(concat!("eci-cache-gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let post = Post { http, max_answer_bytes: settings.max_answer_bytes, clock, entropy, told: Arc::default() };
        Self::of(settings, keys.into(), post)
    }

    /// A client of another account, with the same settings except for the endpoint.
    ///
    /// # Errors
    /// If an endpoint is invalid.
    pub fn of_account(&self, endpoint: Option<String>, keys: CredentialSource) -> Result<Self, BuildError> {
        let mut settings = self.0.settings.clone();
        settings.endpoint = endpoint.unwrap_or(settings.endpoint);
        Self::of(settings, keys, self.0.post.clone())
    }

    /// The access key id, and the role that the key assumes, if any: its ARN, and whether it is used with an external
    /// id.
    pub fn identity(&self) -> (&str, Option<(&str, bool)>) {
        match &self.0.signer {
            ClientSigner::Own(own) => (&own.access_key_id, None),
            ClientSigner::Session(session) => session.identity(),
        }
    }

    /// Whether nothing can be sent because the last attempt to assume the role failed.
    pub fn lacks_credentials(&self) -> bool {
        matches!(&self.0.signer, ClientSigner::Session(session) if session.is_without())
    }

    fn of(settings: ClientSettings, keys: CredentialSource, post: Post) -> Result<Self, BuildError> {
        endpoint::check(&settings.endpoint)?;
        let signer = match keys {
            CredentialSource::Own(credentials) => ClientSigner::Own(credentials),
            CredentialSource::Assumed(own, role) => {
                endpoint::check(&role.endpoint)?;
                ClientSigner::Session(Arc::new(Session::new(own, role, post.clone())))
            }
        };
        Ok(Self(Arc::new(ClientInner { settings, signer, post, ownership: Ownership::default() })))
    }

    /// `CreateImageCache`.
    pub async fn create(
        &self,
        spec: &ImageCacheSpec,
        logins: &[RegistryCredential],
        attempt: &Attempt,
    ) -> Result<Created, CallError> {
        let params = params::create(spec, logins, attempt);
        let call = SignedCall { action: Action::Create, region: &spec.region, signed_at: attempt.signed_at, logins };
        let answer: wire::CreateImageCacheAnswer = self.call(call, params).await?;
        Ok(Created {
            eci_cache_id: answer.image_cache_id,
            container_group_id: answer.container_group_id,
            request_id: answer.request_id.unwrap_or_default(),
        })
    }

    /// `UpdateImageCache`: sends only the given changes.
    pub async fn update(
        &self,
        region: &Region,
        eci_cache_id: &str,
        changes: &ImageCacheChanges,
        logins: &[RegistryCredential],
        attempt: &Attempt,
    ) -> Result<Acknowledgement, CallError> {
        let params = params::update(region, eci_cache_id, changes, logins, attempt);
        let call = SignedCall { action: Action::Update, region, signed_at: attempt.signed_at, logins };
        self.call(call, params).await.map(done)
    }

    /// `DeleteImageCache`.
    pub async fn delete(
        &self,
        region: &Region,
        eci_cache_id: &str,
        attempt: &Attempt,
    ) -> Result<Acknowledgement, CallError> {
        let params = params::delete(region, eci_cache_id, attempt);
        let call = SignedCall { action: Action::Delete, region, signed_at: attempt.signed_at, logins: &[] };
        self.call(call, params).await.map(done)
    }

    /// `DescribeImageCaches`: one page of 20. For an id that the cloud does not know, the page is empty.
    pub async fn describe(&self, region: &Region, query: &DescribeQuery) -> Result<SeenPage, CallError> {
        let params = params::describe(region, query);
        let page: wire::DescribeImageCachesAnswer = self.look(Action::Describe, region, params).await?;
        let caches = page.image_caches.into_iter().map(Observation::read).collect::<Result<_, _>>();
        Ok(SeenPage {
            caches: caches.map_err(|error| CallError::Unknown(format!("cannot parse an image cache: {error}")))?,
            next_token: page.next_token,
            request_id: page.request_id.unwrap_or_default(),
        })
    }

    /// Calls an action that only reads.
    pub(super) async fn look<T: DeserializeOwned>(
        &self,
        action: Action,
        region: &Region,
        params: Params,
    ) -> Result<T, CallError> {
        let call = SignedCall { action, region, signed_at: self.0.post.clock.now(), logins: &[] };
        self.call(call, params).await
    }

    /// Makes the call. If it is refused because of its temporary credentials, it was not carried out, so it is signed
    /// again with new ones, once.
    async fn call<T: DeserializeOwned>(&self, call: SignedCall<'_>, params: Params) -> Result<T, CallError> {
        let session = match &self.0.signer {
            ClientSigner::Own(own) => return self.ask(&call, &params, own).await,
            ClientSigner::Session(session) => session,
        };
        let credentials = session.credentials().await?;
        self.on_time(&call)?;
        match self.ask(&call, &params, &credentials).await {
            Err(CallError::Refused(error)) if fault::is_of_token(&error) => {
                tracing::info!(code = error.code, "the cloud refused the temporary credentials; fetching new ones");
                let fresh = session.others_than(&credentials).await?;
                self.on_time(&call)?;
                self.ask(&call, &params, &fresh).await.map_err(|fault| match fault {
                    CallError::Refused(error) if fault::is_of_token(&error) => {
                        CallError::NotSent(format!("the cloud accepts no credentials of the role: {}", error.code))
                    }
                    other => other,
                })
            }
            answered => answered,
        }
    }

    /// Fetching credentials takes time. A call whose timestamp is too old is not sent; whoever recorded the attempt
    /// signs it again.
    fn on_time(&self, call: &SignedCall<'_>) -> Result<(), CallError> {
        let late = is_stale(call.signed_at, self.0.post.clock.now());
        if late { Err(CallError::NotSent("its credentials took too long to arrive".into())) } else { Ok(()) }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        call: &SignedCall<'_>,
        params: &Params,
        credentials: &Credentials,
    ) -> Result<T, CallError> {
        let url = self.0.settings.endpoint.replace(REGION, call.region.as_str());
        let asked = OutgoingCall { url: &url, action: call.action, signed_at: call.signed_at };
        let ours: Vec<&str> = match &self.0.signer {
            ClientSigner::Own(_) => Vec::new(),
            ClientSigner::Session(session) => session.texts().collect(),
        };
        let passwords = call.logins.iter().map(|login| login.password.expose_secret());
        let secrets: Vec<&str> = ours.into_iter().chain(passwords).collect();
        self.0.post.ask(asked, params, credentials, &secrets).await
    }
}

fn done(answer: wire::DoneAnswer) -> Acknowledgement {
    Acknowledgement { request_id: answer.request_id }
}
