//! Signature version 3 of Alibaba's APIs, ACS3-HMAC-SHA256: over a canonical request with selected headers.
//!
//! It works on the decoded query, as [`super::sign_v1`] does, and on the exact bytes of the body. The client chooses
//! which headers are signed.
//!
//! [`super::incoming`] calls it to verify, tests to sign. It does not require headers to be signed, check the time or
//! store nonces.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::sign_v1;

/// The algorithm, with which `Authorization` and the string to sign begin.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The parts that are signed.
#[derive(Clone, Copy)]
pub struct SignedParts<'a> {
    /// The method in upper case.
    pub method: &'a str,
    /// The path; `/` for RPC.
    pub path: &'a str,
    /// The decoded query, in any order.
    pub query: &'a [(String, String)],
    /// The signed headers in any order: name in lower case, value.
    pub headers: &'a [(String, String)],
    /// [`hashed_payload`] of the body.
    pub payload: &'a str,
}

/// The hash of the body for `x-acs-content-sha256`: lower-case hex.
pub fn hashed_payload(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// The names of the signed headers, sorted and joined by `;`.
pub fn signed_headers(headers: &[(String, String)]) -> String {
    sorted(headers).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

/// The canonical request. Contains every secret in the query or in a signed header.
pub fn canonical_request(signed: &SignedParts<'_>) -> String {
    render(signed, |_, _| false)
}

/// The same with empty values for secret parameters and headers, so that it can be returned to the caller.
pub fn blanked_canonical_request(signed: &SignedParts<'_>) -> String {
    render(signed, |name, _| is_secret(name))
}

/// The string that is finally signed.
pub fn string_to_sign(canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{}", hashed_payload(canonical_request.as_bytes()))
}

/// The signature in lower-case hex. Unlike in V1, the secret is used as the key without a suffix.
pub fn signature(secret: &SecretString, string_to_sign: &str) -> String {
    hex(&mac(secret, string_to_sign).finalize().into_bytes())
}

/// Whether `signature` is that string's signature, in constant time.
pub fn verify(secret: &SecretString, string_to_sign: &str, signature: &str) -> bool {
    unhex(signature).is_some_and(|bytes| mac(secret, string_to_sign).verify_slice(&bytes).is_ok())
}

/// The value of `Authorization`.
pub fn authorization(access_key_id: &str, headers: &[(String, String)], signature: &str) -> String {
    let signed = signed_headers(headers);
    format!("{ALGORITHM} Credential={access_key_id},SignedHeaders={signed},Signature={signature}")
}

fn is_secret(name: &str) -> bool {
    let headers = ["x-acs-security-token", "x-acs-bearer-token", "authorization", "cookie"];
    headers.contains(&name) || sign_v1::is_secret(name)
}

fn render(signed: &SignedParts<'_>, blank: impl Fn(&str, &str) -> bool) -> String {
    let value = |name: &str, value: &str| if blank(name, value) { String::new() } else { value.to_owned() };
    let query: Vec<_> = signed.query.iter().map(|(key, text)| (key.clone(), value(key, text))).collect();
    let headers = sorted(signed.headers).into_iter().fold(String::new(), |lines, (name, text)| {
        // One line each; values are trimmed as in the SDKs.
        lines + name + ":" + value(name, text).trim() + "\n"
    });
    let SignedParts { method, path, payload, .. } = signed;
    let query = sign_v1::canonical(&query);
    format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", signed_headers(signed.headers))
}

fn sorted(headers: &[(String, String)]) -> Vec<&(String, String)> {
    let mut sorted: Vec<_> = headers.iter().collect();
    sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
    sorted
}

fn mac(secret: &SecretString, string_to_sign: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.chain_update(string_to_sign.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| Some((digit(pair[0])? << 4) | digit(pair[1])?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}
