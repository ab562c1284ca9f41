//! One method per action of the cloud; each makes exactly one HTTP request.
//!
//! What must stay true: everything travels in the form body of a POST, so no secret stands in a URL; every
//! call has a fresh nonce, timestamp and signature; nothing is retried here; the answer is read up to a
//! limit; a fault says `NotSent` only where no connection came about.
//!
//! Who calls it: `app`. What it does not do: decide what an unknown outcome means.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::params::{self, Params};
use super::{API_VERSION, fault, sign_v1, wire};
use crate::domain::clock::{Clock, Instant};
use crate::domain::entropy::Entropy;
use crate::domain::failure::Fault;
use crate::domain::ids::OperationId;
use crate::domain::observation::Seen;
use crate::domain::region::Region;
use crate::domain::spec::{ImageCacheChanges, ImageCacheSpec, RegistryCredential};

mod endpoint;

/// What stands for the region in [`Settings::endpoint`].
const REGION: &str = "{region}";
/// The most characters of a transport error that are kept.
const REASON: usize = 300;

/// A cloud account's key.
#[derive(Clone)]
pub struct Credentials {
    /// `AccessKeyId`. Not secret by itself, yet never logged.
    pub access_key_id: String,
    /// The secret that signs.
    pub access_key_secret: SecretString,
    /// `SecurityToken`, with STS credentials.
    pub security_token: Option<SecretString>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// How to reach the cloud.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://eci.{region}.aliyuncs.com`, or a fixed URL such as `http://127.0.0.1:1234`.
    pub endpoint: String,
    /// How long a connection may take to come about, TLS included.
    pub connect_timeout: Duration,
    /// How long a call may take in all.
    pub timeout: Duration,
    /// How long an answer may be, in bytes; a longer one counts as an unknown outcome.
    pub max_answer_bytes: usize,
}

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The endpoint is not an `http` or `https` URL of a host alone.
    #[error(
        "the endpoint must be http:// or https:// and a host, without user, path or query; {{region}} stands for the region"
    )]
    Endpoint,
    /// The HTTP client could not be set up (for example no CA certificates).
    #[error("the HTTP client cannot be set up: {0}")]
    Transport(#[from] reqwest::Error),
}

/// The answer to a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// `ImageCacheId`, imc-….
    pub eci_cache_id: String,
    /// `ContainerGroupId` of the instance that builds it.
    pub container_group_id: Option<String>,
    /// The cloud's `RequestId`; empty where it gave none.
    pub request_id: String,
}

/// The answer to an update or a delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The cloud's `RequestId`.
    pub request_id: String,
}

/// What to look for; the default is everything in the region.
#[derive(Debug, Clone, Default)]
pub struct DescribeQuery {
    /// Only the cache with this id.
    pub eci_cache_id: Option<String>,
    /// Only caches that carry this operation's tag.
    pub operation_tag: Option<OperationId>,
    /// Only caches that carry this bucket's tag.
    pub bucket: Option<String>,
    /// Only caches of this name.
    pub name: Option<String>,
    /// The page after the one that gave this token.
    pub next_token: Option<String>,
}

/// One page of caches. The last page is the one without `next_token`, however many caches it has.
#[derive(Debug, Clone)]
pub struct SeenPage {
    /// At most 20 caches.
    pub caches: Vec<Seen>,
    /// Where the next page begins.
    pub next_token: Option<String>,
    /// The cloud's `RequestId`; empty where it gave none.
    pub request_id: String,
}

/// What makes one attempt of an operation: the same token in each, another time of signing.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The operation; its id becomes the tag by which a lost answer can be found.
    pub operation: OperationId,
    /// `ClientToken`: at most 64 ASCII characters.
    pub client_token: String,
    /// The `Timestamp` that is signed. Whoever recorded the attempt decides it, so that a pause between
    /// recording and signing cannot make the request acceptable for longer than was recorded.
    pub signed_at: Instant,
    /// The bucket whose tag the cache carries, where the team's tags leave room for it.
    pub bucket: Option<String>,
    /// Tags of ours that say whose it is, for as many as find room.
    pub marks: Vec<(String, String)>,
}

/// The client of one cloud account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

/// One signed request.
struct Call<'a> {
    action: &'static str,
    region: &'a Region,
    signed_at: Instant,
    logins: &'a [RegistryCredential],
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    http: reqwest::Client,
}

impl Client {
    /// A client of `credentials`' account.
    ///
    /// # Errors
    /// If the endpoint is not one, or the HTTP client cannot be set up.
    pub fn new(
        settings: Settings,
        credentials: Credentials,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
    ) -> Result<Self, BuildError> {
        endpoint::check(&settings.endpoint)?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .user_agent(concat!("eci-cache-gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(Arc::new(Inner { settings, credentials, clock, entropy, http })))
    }

    /// `CreateImageCache`.
    pub async fn create(
        &self,
        spec: &ImageCacheSpec,
        logins: &[RegistryCredential],
        attempt: &Attempt,
    ) -> Result<Created, Fault> {
        let params = params::create(spec, logins, attempt);
        let call = Call { action: "CreateImageCache", region: &spec.region, signed_at: attempt.signed_at, logins };
        let answer: wire::CreateImageCacheAnswer = self.call(call, params).await?;
        Ok(Created {
            eci_cache_id: answer.image_cache_id,
            container_group_id: answer.container_group_id,
            request_id: answer.request_id.unwrap_or_default(),
        })
    }

    /// `UpdateImageCache`: only what `changes` gives.
    pub async fn update(
        &self,
        region: &Region,
        eci_cache_id: &str,
        changes: &ImageCacheChanges,
        logins: &[RegistryCredential],
        attempt: &Attempt,
    ) -> Result<Done, Fault> {
        let params = params::update(region, eci_cache_id, changes, logins, attempt);
        let call = Call { action: "UpdateImageCache", region, signed_at: attempt.signed_at, logins };
        self.call(call, params).await.map(done)
    }

    /// `DeleteImageCache`.
    pub async fn delete(&self, region: &Region, eci_cache_id: &str, attempt: &Attempt) -> Result<Done, Fault> {
        let params = params::delete(region, eci_cache_id, attempt);
        let call = Call { action: "DeleteImageCache", region, signed_at: attempt.signed_at, logins: &[] };
        self.call(call, params).await.map(done)
    }

    /// `DescribeImageCaches`: one page of 20. An id that the cloud does not know gives an empty page.
    pub async fn describe(&self, region: &Region, query: &DescribeQuery) -> Result<SeenPage, Fault> {
        let params = params::describe(region, query);
        let call = Call { action: "DescribeImageCaches", region, signed_at: self.0.clock.now(), logins: &[] };
        let page: wire::DescribeImageCachesAnswer = self.call(call, params).await?;
        let caches = page.image_caches.into_iter().map(Seen::read).collect::<Result<_, _>>();
        Ok(SeenPage {
            caches: caches.map_err(|error| Fault::Unknown(format!("an image cache cannot be read: {error}")))?,
            next_token: page.next_token,
            request_id: page.request_id.unwrap_or_default(),
        })
    }

    /// `ListUsage`: the account's quota and use in a region, under the cloud's own names.
    pub async fn list_usage(&self, region: &Region) -> Result<Map<String, Value>, Fault> {
        let call = Call { action: "ListUsage", region, signed_at: self.0.clock.now(), logins: &[] };
        let answer: wire::ListUsageAnswer = self.call(call, params::list_usage(region)).await?;
        Ok(answer.attributes)
    }

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>, params: Params) -> Result<T, Fault> {
        let url = self.0.settings.endpoint.replace(REGION, call.region.as_str());
        let request = self
            .0
            .http
            .post(url)
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(reqwest::header::ACCEPT, "application/json")
            .body(self.form(call.action, call.signed_at, params));
        let answer = request.send().await.map_err(transport)?;
        let status = answer.status();
        let body = self.read(answer).await?;
        self.understand(status, &body, call.logins)
    }

    /// The signed form. Signed anew for each attempt: a nonce is good for one.
    fn form(&self, action: &str, signed_at: Instant, params: Params) -> String {
        let Inner { credentials, entropy, .. } = &*self.0;
        let nonce = uuid::Builder::from_random_bytes(entropy.bytes()).into_uuid();
        let mut all = params.into_inner();
        let mut put = |key: &str, value: &str| all.push((key.to_owned(), value.to_owned()));
        put("Action", action);
        put("Version", API_VERSION);
        put("Format", "JSON");
        put("AccessKeyId", &credentials.access_key_id);
        put("SignatureMethod", "HMAC-SHA1");
        put("SignatureVersion", "1.0");
        put("SignatureNonce", &nonce.to_string());
        put("Timestamp", &signed_at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        if let Some(token) = &credentials.security_token {
            put("SecurityToken", token.expose_secret());
        }
        let text = sign_v1::string_to_sign("POST", &all);
        let signature = sign_v1::signature(&credentials.access_key_secret, &text);
        format!("{}&{}={}", sign_v1::canonical(&all), sign_v1::SIGNATURE, sign_v1::encode(&signature))
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, Fault> {
        let most = self.0.settings.max_answer_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > most {
                return Err(Fault::Unknown(format!("the answer is longer than {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn understand<T: DeserializeOwned>(
        &self,
        status: reqwest::StatusCode,
        body: &[u8],
        logins: &[RegistryCredential],
    ) -> Result<T, Fault> {
        let refused = || fault::classify(status.as_u16(), body, &self.secrets(logins));
        let unreadable = || Fault::Unknown(format!("HTTP {} with an answer that cannot be read", status.as_u16()));
        let Ok(Value::Object(envelope)) = serde_json::from_slice(body) else { return Err(unreadable()) };
        if !status.is_success() || fault::error_code(&envelope).is_some() {
            return Err(refused());
        }
        serde_json::from_value(Value::Object(envelope)).map_err(|_| unreadable())
    }

    fn secrets<'a>(&'a self, logins: &'a [RegistryCredential]) -> Vec<&'a str> {
        let Credentials { access_key_id, access_key_secret, security_token } = &self.0.credentials;
        let ours = [Some(access_key_id.as_str()), Some(access_key_secret.expose_secret())];
        let token = security_token.as_ref().map(secrecy::ExposeSecret::expose_secret);
        let passwords = logins.iter().map(|login| login.password.expose_secret());
        ours.into_iter().flatten().chain(token).chain(passwords).collect()
    }
}

fn done(answer: wire::DoneAnswer) -> Done {
    Done { request_id: answer.request_id }
}

/// A transport error as a fault, without the URL. Only a failed connect proves that nothing was sent.
fn transport(error: reqwest::Error) -> Fault {
    let not_sent = error.is_connect();
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    let reason = reason.chars().take(REASON).collect();
    if not_sent { Fault::NotSent(reason) } else { Fault::Unknown(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let credentials = Credentials {
            access_key_id: "canary-id".into(),
            access_key_secret: "canary-secret".into(),
            security_token: Some("canary-token".into()),
        };
        assert!(!format!("{credentials:?}").contains("canary"));
    }
}
