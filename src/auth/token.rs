//! The format of a token: three parts in base64url, of which header and claims are JSON objects.
//!
//! Deliberately stricter than the common libraries: a duplicate member, padding, or stray bits at the end of a part are
//! refused, so that no two parsers can see different tokens in the same bytes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::{Map, Value};

use super::keys::MAX_KID_BYTES;
use super::refusal::TokenRefusal;
use crate::domain::identity::issuer::ALGORITHMS;

/// The maximum length of a token in bytes.
pub(super) const MAX_BYTES: usize = 8 * 1024;
/// Header members that change how a token must be processed. None of them is supported, so they must not be ignored.
const EXTENSIONS: [&str; 5] = ["crit", "b64", "zip", "enc", "cty"];

/// A parsed token; nothing in it is verified yet.
#[derive(Debug)]
pub(super) struct ParsedToken<'a> {
    /// What is signed: the first two parts with the dot between them.
    pub(super) message: &'a str,
    /// The third part.
    pub(super) signature: &'a str,
    /// `alg`.
    pub(super) algorithm: String,
    /// `kid`.
    pub(super) kid: Option<String>,
    claims: Map<String, Value>,
}

impl<'a> ParsedToken<'a> {
    /// Parses a token and checks its header.
    pub(super) fn parse(text: &'a str) -> Result<Self, TokenRefusal> {
        if text.is_empty() {
            return Err(TokenRefusal::Missing);
        }
        if text.len() > MAX_BYTES {
            return Err(TokenRefusal::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenRefusal::Malformed)?;
        // A fourth or fifth part (an encrypted token) leaves a dot in `claims`, which is not base64.
        let (header, claims) = (decode(header)?, decode(claims)?);
        decode(signature)?;
        let (algorithm, kid) = judge_header(&object(&header)?)?;
        Ok(Self { message, signature, algorithm, kid, claims: object(&claims)? })
    }

    /// The claims. Only `iss` may be read before the signature has been verified, to choose the keys.
    pub(super) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenRefusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed)
}

fn judge_header(header: &Map<String, Value>) -> Result<(String, Option<String>), TokenRefusal> {
    if EXTENSIONS.iter().any(|name| header.contains_key(*name)) {
        return Err(TokenRefusal::UnsupportedHeader);
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(typ)) if is_jwt(typ) => {}
        Some(_) => return Err(TokenRefusal::WrongType),
    }
    let algorithm = header.get("alg").and_then(Value::as_str).ok_or(TokenRefusal::Malformed)?;
    if !ALGORITHMS.contains(&algorithm) {
        return Err(TokenRefusal::WrongAlgorithm);
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Some(kid.clone()),
        Some(_) => return Err(TokenRefusal::Malformed),
    };
    Ok((algorithm.to_owned(), kid))
}

fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    // RFC 7515, section 4.1.9: the prefix may be omitted, and usually is.
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

fn object(json: &[u8]) -> Result<Map<String, Value>, TokenRefusal> {
    serde_json::from_slice::<UniqueMembers>(json).map(|members| members.0).map_err(|_| TokenRefusal::Malformed)
}

/// A JSON object without duplicate names.
struct UniqueMembers(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = UniqueMembers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueMembers, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a name occurs twice"));
                    }
                }
                Ok(UniqueMembers(members))
            }
        }
        from.deserialize_map(Members)
    }
}
