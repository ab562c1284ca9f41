//! Understands a signed request of an SDK, under signature V1 or V3: what it asks, and whether it is signed.
//!
//! Pure, and safe to be handed anything. What must stay true: parameters are decoded and encoded again, never
//! compared as they stand in the URL (SDKs differ); a key that comes twice is refused; under V3 the host,
//! every `x-acs-*` header and, with a body, its type are signed; `Debug` shows no value that may be secret.
//!
//! The order for a door: [`Incoming::read`], look the key up, [`Incoming::verify`], [`Incoming::check_time`],
//! and only then spend the nonce, so that nobody can spend another's.
//!
//! Who calls it: the stand-in and the RPC front. What it does not do: know keys, remember nonces, know actions.

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

/// How far the time of signing may be off, either way.
pub const SKEW: Duration = Duration::minutes(15);
/// The longest nonce, in bytes: whoever remembers nonces must not be made to remember novels.
const NONCE: usize = 256;
/// What a body without a type is taken for.
const FORM: &str = "application/x-www-form-urlencoded";
/// What is no parameter of an action.
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

/// An HTTP request as it came.
#[derive(Clone, Copy)]
pub struct RawRequest<'a> {
    /// Such as `POST`.
    pub method: &'a str,
    /// The path as it came.
    pub path: &'a str,
    /// The query as it came, without the `?`.
    pub query: &'a str,
    /// Lower-case name, value; one that came twice stands here twice.
    pub headers: &'a [(String, String)],
    /// The whole body.
    pub body: &'a [u8],
}

/// Which signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA1 over the parameters.
    V1,
    /// ACS3-HMAC-SHA256 over the request.
    V3,
}

/// In what the caller wants the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerFormat {
    /// Also where nothing is asked for: an SDK that says nothing reads JSON.
    #[default]
    Json,
    /// `Format=XML`.
    Xml,
}

/// A request that was understood, and not verified yet.
#[derive(Clone)]
pub struct Incoming {
    /// Which signature.
    pub scheme: Scheme,
    /// The action's name, whether it exists or not.
    pub action: String,
    /// The version of the API that is asked for.
    pub version: String,
    /// Whose key.
    pub access_key_id: String,
    /// At most 256 bytes.
    pub nonce: String,
    /// When it says that it was signed.
    pub signed_at: Instant,
    /// In what to answer.
    pub format: AnswerFormat,
    /// The STS token, if any.
    pub security_token: Option<SecretString>,
    /// The action's own parameters, decoded, query and body together, in the order in which they came.
    pub params: FormPairs,
    proof: Proof,
}

/// What verifying takes.
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
    /// Understands a request.
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

    /// Whether `secret` signed it.
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

    /// Whether it was signed within 15 minutes of `now`.
    pub fn check_time(&self, now: Instant) -> Result<(), RequestRefusal> {
        let off = now.signed_duration_since(self.signed_at).abs();
        if off > SKEW { Err(RequestRefusal::TimestampExpired { signed_at: self.signed_at, now }) } else { Ok(()) }
    }
}

/// In what the answer to a request is wanted that may not be understood otherwise.
pub fn format_of(request: &RawRequest<'_>) -> AnswerFormat {
    let pairs = decode(request.query.as_bytes()).into_iter().chain(form(request).unwrap_or_default());
    let given: FormPairs = pairs.filter(|(key, _)| key == "Format").collect();
    format(request, &given).unwrap_or_default()
}

impl<'a> RawRequest<'a> {
    /// The header, which must not be there twice.
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

/// The body's parameters where it is a form; nothing where there is no body.
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

/// By `Format`; without it, under V3, by `Accept`.
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
