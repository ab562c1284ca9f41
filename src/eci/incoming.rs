//! Parses a request that an SDK signed with signature V1 or V3, and verifies the signature.
//!
//! Pure; accepts any input. What must stay true: parameters are decoded and encoded again, never compared as they
//! appear in the URL (SDKs encode differently); a duplicate key is refused; under V3 the host, every `x-acs-*` header
//! and, if there is a body, its type must be signed; `Debug` shows no value that may be secret.
//!
//! The order for a caller: [`Incoming::read`], look the key up, [`Incoming::verify`], [`Incoming::check_time`], and
//! only then store the nonce, so that nobody can use up somebody else's nonce.
//!
//! Called by the stand-in and the RPC front. It knows no keys and no actions, and stores no nonces.

use std::collections::BTreeSet;
use std::fmt;

use chrono::Duration;
use secrecy::SecretString;

use super::{sign_v1, sign_v3};
use crate::domain::clock::Instant;

mod json;
mod refusal;
mod time;
mod v3;

pub use refusal::RequestRefusal;
use time::instant;

/// How much the time of signing may differ from ours, in either direction.
pub const SKEW: Duration = Duration::minutes(15);
/// The maximum length of a nonce in bytes: it limits the memory of whoever stores nonces.
const NONCE: usize = 256;
/// The assumed type of a body without a type.
const FORM: &str = "application/x-www-form-urlencoded";
/// Parameters of the request itself, not of the action.
const SYSTEM: [&str; 12] = [
    "AccessKeyId",
    "Action",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
    "BearerToken",
];

type FormPairs = Vec<(String, String)>;

/// An HTTP request as received.
#[derive(Clone, Copy)]
pub struct RawRequest<'a> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// The path, not decoded.
    pub path: &'a str,
    /// The query, not decoded, without the `?`.
    pub query: &'a str,
    /// Names in lower case, and values. A header that was sent twice appears twice.
    pub headers: &'a [(String, String)],
    /// The whole body.
    pub body: &'a [u8],
}

/// The version of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA1 over the parameters.
    V1,
    /// ACS3-HMAC-SHA256 over the request.
    V3,
}

/// The format of the response that the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerFormat {
    /// Also the default: an SDK that does not say reads JSON.
    #[default]
    Json,
    /// `Format=XML`.
    Xml,
}

/// A request that was parsed but not verified yet.
#[derive(Clone)]
pub struct Incoming {
    /// The version of the signature.
    pub scheme: Scheme,
    /// The name of the action, which may not exist.
    pub action: String,
    /// The requested version of the API.
    pub version: String,
    /// The access key id that the request claims.
    pub access_key_id: String,
    /// The nonce, at most 256 bytes.
    pub nonce: String,
    /// The time at which it claims to have been signed.
    pub signed_at: Instant,
    /// The format of the response.
    pub format: AnswerFormat,
    /// The STS token, if any.
    pub security_token: Option<SecretString>,
    /// The action's own parameters, decoded: those of the query and the body, in the order in which they were sent.
    pub params: FormPairs,
    proof: Proof,
}

/// What is needed to verify the signature.
#[derive(Clone)]
enum Proof {
    V1 { method: String, pairs: FormPairs, signature: String },
    V3 { method: String, path: String, query: FormPairs, headers: FormPairs, payload: String, signature: String },
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.params.iter().map(|(key, _)| key).collect();
        let Self { scheme, action, signed_at, .. } = self;
        f.debug_struct("Incoming")
            .field("scheme", scheme)
            .field("action", action)
            .field("signed_at", signed_at)
            .field("params", &keys)
            .finish_non_exhaustive()
    }
}

impl Incoming {
    /// Parses a request.
    pub fn read(request: &RawRequest<'_>) -> Result<Self, RequestRefusal> {
        if !["GET", "POST"].contains(&request.method) {
            return Err(RequestRefusal::UnsupportedMethod);
        }
        if request.path != "/" {
            return Err(RequestRefusal::UnknownApi);
        }
        match request.header("authorization")?.filter(|value| value.trim_start().starts_with("ACS3-")) {
            Some(authorization) => v3::read(request, authorization),
            None => read_v1(request),
        }
    }

    /// Checks that the request was signed with `secret`.
    pub fn verify(&self, secret: &SecretString) -> Result<(), RequestRefusal> {
        match &self.proof {
            Proof::V1 { method, pairs, signature } => {
                let text = sign_v1::string_to_sign(method, pairs);
                if sign_v1::verify(secret, &text, signature) {
                    return Ok(());
                }
                let shown = sign_v1::blanked_string_to_sign(method, pairs);
                Err(RequestRefusal::SignatureV1 { exact: shown == text, string_to_sign: shown })
            }
            Proof::V3 { method, path, query, headers, payload, signature } => {
                let signed = sign_v3::SignedParts { method, path, query, headers, payload };
                v3::verify(secret, &signed, signature)
            }
        }
    }

    /// Checks that it was signed within 15 minutes of `now`.
    pub fn check_time(&self, now: Instant) -> Result<(), RequestRefusal> {
        let off = now.signed_duration_since(self.signed_at).abs();
        if off > SKEW { Err(RequestRefusal::TimestampExpired { signed_at: self.signed_at, now }) } else { Ok(()) }
    }
}

/// The format for the response to a request, even if the request cannot be parsed otherwise.
pub fn format_of(request: &RawRequest<'_>) -> AnswerFormat {
    let pairs = decode(request.query.as_bytes()).into_iter().chain(form(request).unwrap_or_default());
    let given: FormPairs = pairs.filter(|(key, _)| key == "Format").collect();
    format(request, &given).unwrap_or_default()
}

impl<'a> RawRequest<'a> {
    /// The value of the header, which must not be there twice.
    fn header(&self, name: &str) -> Result<Option<&'a str>, RequestRefusal> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = found.next();
        if found.next().is_some() { Err(RequestRefusal::Doubled(name.to_owned())) } else { Ok(first) }
    }

    /// The type of the body in lower case, without parameters.
    fn media_type(&self) -> Result<Option<String>, RequestRefusal> {
        let kind = self.header("content-type")?.and_then(|kind| kind.split(';').next());
        Ok(kind.map(|kind| kind.trim().to_ascii_lowercase()).filter(|kind| !kind.is_empty()))
    }
}

fn read_v1(request: &RawRequest<'_>) -> Result<Incoming, RequestRefusal> {
    let mut pairs = decode(request.query.as_bytes());
    pairs.extend(form(request)?);
    refuse_doubled(&pairs)?;
    let system = |key: &'static str| text(&pairs, key).ok_or(RequestRefusal::Missing(key));
    let access_key_id = system("AccessKeyId")?.to_owned();
    let signature = system("Signature")?.to_owned();
    if system("SignatureMethod")? != "HMAC-SHA1" {
        return Err(RequestRefusal::Invalid("SignatureMethod", "it must be HMAC-SHA1"));
    }
    if system("SignatureVersion")? != "1.0" {
        return Err(RequestRefusal::Invalid("SignatureVersion", "it must be 1.0"));
    }
    Ok(Incoming {
        scheme: Scheme::V1,
        access_key_id,
        nonce: nonce(system("SignatureNonce")?)?,
        signed_at: instant(system("Timestamp")?)?,
        action: system("Action")?.to_owned(),
        version: system("Version")?.to_owned(),
        format: format(request, &pairs)?,
        security_token: text(&pairs, "SecurityToken").map(SecretString::from),
        params: business(&pairs),
        proof: Proof::V1 { method: request.method.to_owned(), pairs, signature },
    })
}

/// The parameters of a form body; none if there is no body.
fn form(request: &RawRequest<'_>) -> Result<FormPairs, RequestRefusal> {
    if request.body.is_empty() {
        return Ok(FormPairs::new());
    }
    match request.media_type()?.as_deref() {
        None | Some(FORM) => Ok(decode(request.body)),
        Some(_) => Err(RequestRefusal::UnsupportedBody),
    }
}

fn decode(encoded: &[u8]) -> FormPairs {
    url::form_urlencoded::parse(encoded).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

fn refuse_doubled(pairs: &[(String, String)]) -> Result<(), RequestRefusal> {
    let mut seen = BTreeSet::new();
    let doubled = pairs.iter().find(|(key, _)| !seen.insert(key.as_str()));
    doubled.map_or(Ok(()), |(key, _)| Err(RequestRefusal::Doubled(key.clone())))
}

/// The parameter's value; an empty one counts as absent.
fn text<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn business(pairs: &[(String, String)]) -> FormPairs {
    pairs.iter().filter(|(key, _)| !SYSTEM.contains(&key.as_str())).cloned().collect()
}

/// From `Format`; if it is absent, under V3 from `Accept`.
fn format(request: &RawRequest<'_>, pairs: &[(String, String)]) -> Result<AnswerFormat, RequestRefusal> {
    let Some(format) = text(pairs, "Format") else {
        let header = |name| request.header(name).ok().flatten().unwrap_or_default();
        let xml = header("accept").contains("xml") && !header("accept").contains("json");
        let xml = xml && header("authorization").trim_start().starts_with("ACS3-");
        return Ok(if xml { AnswerFormat::Xml } else { AnswerFormat::Json });
    };
    match format.to_ascii_uppercase().as_str() {
        "JSON" => Ok(AnswerFormat::Json),
        "XML" => Ok(AnswerFormat::Xml),
        _ => Err(RequestRefusal::Format),
    }
}

fn nonce(text: &str) -> Result<String, RequestRefusal> {
    if text.len() > NONCE {
        Err(RequestRefusal::Invalid("SignatureNonce", "the URL is too long"))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests;
