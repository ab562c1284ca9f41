//! What is specific to V3: `Authorization`, the headers that must be signed, and the hash of the body.

use std::borrow::Cow;
use std::collections::BTreeSet;

use secrecy::SecretString;

use super::{AnswerFormat, FORM, FormPairs, Incoming, Proof, RawRequest, RequestRefusal, Scheme, json};
use crate::eci::sign_v3::{self, ALGORITHM, SignedParts};

/// The parts of `Authorization`.
struct Authorization<'a> {
    access_key_id: &'a str,
    signed: BTreeSet<String>,
    signature: &'a str,
}

/// Parses a request whose `Authorization` begins with `ACS3-`.
pub(super) fn read(request: &RawRequest<'_>, authorization: &str) -> Result<Incoming, RequestRefusal> {
    let Authorization { access_key_id, signed, signature } = parse(authorization)?;
    let query = super::decode(request.query.as_bytes());
    let system =
        |name: &str, told| request.header(name)?.filter(|text| !text.is_empty()).ok_or(RequestRefusal::Missing(told));
    let action = system("x-acs-action", "Action")?.to_owned();
    let version = system("x-acs-version", "Version")?.to_owned();
    let nonce = super::nonce(system("x-acs-signature-nonce", "SignatureNonce")?)?;
    let signed_at = super::instant(system("x-acs-date", "Timestamp")?)?;
    check_identity(request, access_key_id)?;
    let headers = signed_headers(request, &signed)?;
    let payload = payload(request)?;
    let mut params = query.clone();
    params.extend(body(request)?);
    super::refuse_doubled(&params)?;
    let format: AnswerFormat = super::format(request, &params)?;
    Ok(Incoming {
        scheme: Scheme::V3,
        action,
        version,
        access_key_id: access_key_id.to_owned(),
        nonce,
        signed_at,
        format,
        security_token: request.header("x-acs-security-token")?.map(SecretString::from),
        params: super::business(&params),
        proof: Proof::V3 {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            query,
            headers,
            payload,
            signature: signature.to_owned(),
        },
    })
}

/// Checks that the request was signed with `secret`.
pub(super) fn verify(secret: &SecretString, signed: &SignedParts<'_>, signature: &str) -> Result<(), RequestRefusal> {
    let canonical = sign_v3::canonical_request(signed);
    let text = sign_v3::string_to_sign(&canonical);
    if sign_v3::verify(secret, &text, signature) {
        return Ok(());
    }
    let blanked = sign_v3::blanked_canonical_request(signed);
    // If everything in a request but one password is known, its hash would allow that password to be guessed offline.
    let text = if blanked == canonical { text } else { format!("{ALGORITHM}\n***") };
    Err(RequestRefusal::SignatureV3 { string_to_sign: text, canonical_request: blanked })
}

fn parse(authorization: &str) -> Result<Authorization<'_>, RequestRefusal> {
    let rest = authorization.trim().strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' '));
    let rest = rest.ok_or(incomplete("the algorithm must be ACS3-HMAC-SHA256"))?;
    let part = |name: &str| {
        let mut found = rest.split(',').filter_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        found.next().filter(|value| !value.is_empty() && found.next().is_none())
    };
    let malformed = || incomplete("Authorization must have Credential, SignedHeaders and Signature");
    let access_key_id = part("Credential").ok_or_else(malformed)?;
    let names = part("SignedHeaders").ok_or_else(malformed)?;
    let signature = part("Signature").ok_or_else(malformed)?;
    let names: Vec<_> = names.split(';').map(str::to_ascii_lowercase).collect();
    let signed: BTreeSet<_> = names.iter().cloned().collect();
    if signed.len() != names.len() {
        return Err(incomplete("a header is listed twice in SignedHeaders"));
    }
    Ok(Authorization { access_key_id, signed, signature })
}

/// With STS, a header repeats the access key id, and both must be the same.
fn check_identity(request: &RawRequest<'_>, access_key_id: &str) -> Result<(), RequestRefusal> {
    match request.header("x-acs-accesskey-id")? {
        Some(other) if other != access_key_id => Err(incomplete("x-acs-accesskey-id is not the Credential")),
        _ => Ok(()),
    }
}

/// The signed headers and their values. Fails if one that must be signed is not.
fn signed_headers(request: &RawRequest<'_>, signed: &BTreeSet<String>) -> Result<FormPairs, RequestRefusal> {
    let ours = |name: &str| name.starts_with("x-acs-") || (name == "content-type" && !request.body.is_empty());
    let names = request.headers.iter().map(|(name, _)| name.as_str()).filter(|name| ours(name));
    for name in names.chain(["host"]) {
        if !signed.contains(name) {
            let name: String = name.chars().take(100).collect();
            return Err(RequestRefusal::IncompleteSignature(Cow::Owned(format!("the header {name} must be signed"))));
        }
    }
    let value = |name: &String| {
        let value = request.header(name)?.ok_or(incomplete("a signed header is missing"))?;
        Ok((name.clone(), value.to_owned()))
    };
    signed.iter().map(value).collect()
}

/// The hash that was signed. Fails if it is not the hash of the body.
fn payload(request: &RawRequest<'_>) -> Result<String, RequestRefusal> {
    let given = request.header("x-acs-content-sha256")?.ok_or(incomplete("x-acs-content-sha256 is missing"))?;
    if given == sign_v3::hashed_payload(request.body) { Ok(given.to_owned()) } else { Err(RequestRefusal::BodyHash) }
}

fn body(request: &RawRequest<'_>) -> Result<FormPairs, RequestRefusal> {
    if request.body.is_empty() {
        return Ok(FormPairs::new());
    }
    match request.media_type()?.as_deref() {
        Some("application/json") => json::flatten(request.body),
        Some(FORM) => Ok(super::decode(request.body)),
        Some(_) => Err(RequestRefusal::UnsupportedBody),
        None => Err(incomplete("a body needs a signed content-type")),
    }
}

fn incomplete(why: &'static str) -> RequestRefusal {
    RequestRefusal::IncompleteSignature(Cow::Borrowed(why))
}
