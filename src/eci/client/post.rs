//! One signed POST, for the client and for the session that fetches its credentials.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::clock::{Clock, Instant};
use crate::domain::entropy::Entropy;
use crate::domain::explain::{is_of_key, is_of_rights};
use crate::domain::failure::{CallError, CloudError};
use crate::domain::log_limit::LogLimit;
use crate::eci::Action;
use crate::eci::credentials::Credentials;
use crate::eci::params::Params;
use crate::eci::ram::Right;
use crate::eci::{fault, sign_v1};

/// The maximum length of a stored transport error, in characters.
const REASON: usize = 300;
/// How often to log that the cloud does not accept our key.
const TELL_AGAIN: chrono::Duration = chrono::Duration::seconds(10);

/// Limits how often each missing right is logged.
static SAID: LogLimit = LogLimit::new();

/// Sends the requests.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) http: reqwest::Client,
    pub(super) max_answer_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<Entropy>,
    /// When it was last logged that the cloud does not accept our key.
    pub(super) told: Arc<Mutex<Option<Instant>>>,
}

/// A call to be sent.
#[derive(Clone, Copy)]
pub(super) struct OutgoingCall<'a> {
    pub(super) url: &'a str,
    pub(super) action: Action,
    pub(super) signed_at: Instant,
}

impl Post {
    /// Sends the call once. In error messages, `secrets` and the signing key are replaced.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        asked: OutgoingCall<'_>,
        params: &Params,
        credentials: &Credentials,
        secrets: &[&str],
    ) -> Result<T, CallError> {
        let request = self
            .http
            .post(asked.url)
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(reqwest::header::ACCEPT, "application/json")
            .body(self.form(asked, params, credentials));
        let answer = request.send().await.map_err(transport)?;
        self.hear_time(&answer);
        let status = answer.status();
        let body = self.read(answer).await?;
        let secrets: Vec<&str> = secrets.iter().copied().chain(credentials.texts()).collect();
        let answered = understand(status, &body, &secrets);
        if let Err(CallError::Refused(error)) = &answered {
            if credentials.security_token.is_none() && is_of_key(&error.code) {
                self.tell(asked.action, &error.code);
            } else if is_of_rights(&error.code) {
                tell_right(asked.action, error);
            }
        }
        answered
    }

    /// Each response contains the cloud's time (`Date`, RFC 9110, section 6.6.1): a third clock, should those of the
    /// database and the machine differ.
    fn hear_time(&self, answer: &reqwest::Response) {
        let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            self.clock.confirm(date.into());
        }
    }

    /// The caller cannot fix it, so it is logged for the operator.
    fn tell(&self, action: Action, code: &str) {
        metrics::counter!("ecg_cloud_key_refused_total").increment(1);
        let now = self.clock.now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| (now - at).abs() >= TELL_AGAIN) {
            *told = Some(now);
            tracing::warn!(
                action = action.as_str(),
                code,
                "the cloud does not accept the gateway's own access key: its id or its secret is wrong, or it was \
                 disabled"
            );
        }
    }

    /// The signed form. Signed again for each attempt, because a nonce is valid only once.
    fn form(&self, asked: OutgoingCall<'_>, params: &Params, credentials: &Credentials) -> String {
        let nonce = uuid::Builder::from_random_bytes(self.entropy.bytes()).into_uuid();
        let mut all = params.as_slice().to_vec();
        let mut put = |key: &str, value: &str| all.push((key.to_owned(), value.to_owned()));
        put("Action", asked.action.as_str());
        put("Version", asked.action.product().version());
        put("Format", "JSON");
        put("AccessKeyId", &credentials.access_key_id);
        put("SignatureMethod", "HMAC-SHA1");
        put("SignatureVersion", "1.0");
        put("SignatureNonce", &nonce.to_string());
        put("Timestamp", &asked.signed_at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        if let Some(token) = &credentials.security_token {
            put("SecurityToken", token.expose_secret());
        }
        let text = sign_v1::string_to_sign("POST", &all);
        let signature = sign_v1::signature(&credentials.access_key_secret, &text);
        format!("{}&{}={}", sign_v1::canonical(&all), sign_v1::SIGNATURE, sign_v1::encode(&signature))
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, CallError> {
        let most = self.max_answer_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > most {
                return Err(CallError::Unknown(format!("the response is longer than {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// A right is missing. The caller cannot fix that either.
fn tell_right(action: Action, error: &CloudError) {
    let known = Right::to(action).map(Right::name).unwrap_or_default();
    let denied = error.denied.as_ref();
    let right = denied.map(|denied| denied.right.clone()).filter(|right| !right.is_empty()).unwrap_or(known);
    metrics::counter!("ecg_cloud_right_missing_total", "action" => action.as_str()).increment(1);
    if SAID.may(&right, std::time::Instant::now()).is_some() {
        tracing::warn!(
            action = action.as_str(),
            right,
            code = error.code,
            kind = denied.map(|denied| denied.kind.as_str()),
            policy = denied.map(|denied| denied.policy.as_str()),
            request_id = error.request_id,
            "the cloud does not permit the gateway to do this: a permission is missing; `doctor cloud` prints the \
             policy that it needs"
        );
    }
}

fn understand<T: DeserializeOwned>(status: StatusCode, body: &[u8], secrets: &[&str]) -> Result<T, CallError> {
    let unreadable = || CallError::Unknown(format!("HTTP {} with a response that cannot be parsed", status.as_u16()));
    let Ok(Value::Object(envelope)) = serde_json::from_slice(body) else { return Err(unreadable()) };
    if !status.is_success() || fault::error_code(&envelope).is_some() {
        return Err(fault::classify(status.as_u16(), body, secrets));
    }
    serde_json::from_value(Value::Object(envelope)).map_err(|_| unreadable())
}

/// Converts a transport error, without the URL. Only a failed connection attempt proves that nothing was sent.
fn transport(error: reqwest::Error) -> CallError {
    let not_sent = error.is_connect();
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    let reason = reason.chars().take(REASON).collect();
    if not_sent { CallError::NotSent(reason) } else { CallError::Unknown(reason) }
}
