//! One entry of a JWKS document: a key, or the reason why it cannot be used.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256};
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::{HmacSecrets, MAX_KID_BYTES, MIN_SECRET_BYTES, VerificationKey, name_of};
use crate::domain::identity::issuer::subject::is_plain;

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const RSA: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// Why an entry is skipped. Shows only the names of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwkSkip {
    #[error("is not an object")]
    NotObject,
    #[error("has no {0}")]
    Missing(&'static str),
    #[error("its {0} has the wrong type")]
    Type(&'static str),
    #[error("its kty is not RSA, EC, OKP or oct")]
    UnknownType,
    #[error("its crv is not P-256, P-384 or Ed25519")]
    UnknownCurve,
    #[error("is not for signatures (use, key_ops)")]
    OtherUse,
    #[error("its alg is not among those allowed for the issuer's tokens")]
    OtherAlgorithm,
    #[error("its type fits none of the algorithms allowed for the issuer's tokens")]
    OtherType,
    #[error("its kid is longer than {MAX_KID_BYTES} bytes, is empty, or contains invisible characters")]
    Kid,
    #[error("another key has the same kid")]
    Double,
    #[error("contains the private key")]
    PrivateKey,
    #[error("is a publicly known secret")]
    PublishedSecret,
    #[error("is a secret of fewer than {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    #[error("is an RSA key that does not have 2048 to 8192 bits")]
    RsaSize,
    #[error("has a certificate (x5c) but not the parameters of its key, and certificates are not read")]
    CertificateOnly,
    #[error("its parameters are not a valid key")]
    Unreadable,
}

/// An entry that has not been parsed.
pub(super) struct Jwk<'a>(pub(super) &'a Value);

impl Jwk<'_> {
    /// Parses the key, for tokens signed with one of `allowed`.
    pub(super) fn key<S: AsRef<str>>(&self, secrets: HmacSecrets, allowed: &[S]) -> Result<VerificationKey, JwkSkip> {
        if !self.0.is_object() {
            return Err(JwkSkip::NotObject);
        }
        if self.has("d") {
            return Err(JwkSkip::PrivateKey);
        }
        let kid = self.text("kid")?.map(str::to_owned);
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES || !is_plain(kid)) {
            return Err(JwkSkip::Kid);
        }
        let algorithms = self.algorithms(secrets, allowed)?;
        let (material, numbers) = self.material()?;
        Ok(VerificationKey { kid, algorithms, material, numbers })
    }

    /// Its algorithms: those of its type, or the one that it names, as far as they are allowed.
    fn algorithms<S: AsRef<str>>(&self, secrets: HmacSecrets, allowed: &[S]) -> Result<Vec<Algorithm>, JwkSkip> {
        let of_type = self.of_type()?;
        if !self.is_for_signatures()? {
            return Err(JwkSkip::OtherUse);
        }
        if of_type == [Algorithm::HS256] && secrets == HmacSecrets::Refused {
            return Err(JwkSkip::PublishedSecret);
        }
        let mut algorithms = of_type.to_vec();
        algorithms.retain(|algorithm| allowed.iter().any(|name| name.as_ref() == name_of(*algorithm)));
        if algorithms.is_empty() {
            return Err(JwkSkip::OtherType);
        }
        if let Some(named) = self.text("alg")? {
            algorithms.retain(|algorithm| name_of(*algorithm) == named);
        }
        if algorithms.is_empty() { Err(JwkSkip::OtherAlgorithm) } else { Ok(algorithms) }
    }

    fn of_type(&self) -> Result<&'static [Algorithm], JwkSkip> {
        match (self.text("kty")?.ok_or(JwkSkip::Missing("kty"))?, self.text("crv")?) {
            ("RSA", _) => Ok(&RSA),
            ("oct", _) => Ok(&[Algorithm::HS256]),
            ("EC", Some("P-256")) => Ok(&[Algorithm::ES256]),
            ("EC", Some("P-384")) => Ok(&[Algorithm::ES384]),
            ("OKP", Some("Ed25519")) => Ok(&[Algorithm::EdDSA]),
            ("EC" | "OKP", _) => Err(JwkSkip::UnknownCurve),
            _ => Err(JwkSkip::UnknownType),
        }
    }

    fn is_for_signatures(&self) -> Result<bool, JwkSkip> {
        let signs = self.text("use")?.is_none_or(|usage| usage == "sig");
        let verifies = match self.0.get("key_ops") {
            None | Some(Value::Null) => true,
            Some(Value::Array(ops)) => ops.iter().any(|op| op == "verify"),
            Some(_) => return Err(JwkSkip::Type("key_ops")),
        };
        Ok(signs && verifies)
    }

    /// The key, and the numbers that it consists of.
    fn material(&self) -> Result<(DecodingKey, Vec<Vec<u8>>), JwkSkip> {
        let kind = (self.text("kty")?.unwrap_or_default(), self.text("crv")?.unwrap_or_default());
        let names: &[&'static str] = match kind {
            ("RSA", _) => &["n", "e"],
            ("EC", _) => &["x", "y"],
            ("OKP", _) => &["x"],
            _ => &["k"],
        };
        let numbers: Vec<Vec<u8>> = names.iter().map(|name| self.bytes(name)).collect::<Result<_, _>>()?;
        let key = match (kind, numbers.as_slice()) {
            (("RSA", _), [n, e]) => rsa(n, e)?,
            (("EC", "P-256"), [x, y]) => point(&ECDSA_P256_SHA256_FIXED, 32, x, y)?,
            (("EC", _), [x, y]) => point(&ECDSA_P384_SHA384_FIXED, 48, x, y)?,
            (("OKP", _), [x]) => ed25519(x)?,
            (_, [secret]) => hmac(secret)?,
            _ => return Err(JwkSkip::Unreadable),
        };
        Ok((key, numbers))
    }

    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, JwkSkip> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(JwkSkip::Type(name)),
        }
    }

    fn bytes(&self, name: &'static str) -> Result<Vec<u8>, JwkSkip> {
        let missing = if self.has("x5c") { JwkSkip::CertificateOnly } else { JwkSkip::Missing(name) };
        URL_SAFE_NO_PAD.decode(self.text(name)?.ok_or(missing)?).map_err(|_| JwkSkip::Unreadable)
    }
}

pub(super) fn hmac(secret: &[u8]) -> Result<DecodingKey, JwkSkip> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(JwkSkip::ShortSecret);
    }
    Ok(DecodingKey::from_secret(secret))
}

fn rsa(n: &[u8], e: &[u8]) -> Result<DecodingKey, JwkSkip> {
    // Some issuers write a leading zero byte, which is not part of the number.
    let n = &n[n.iter().take_while(|byte| **byte == 0).count()..];
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(JwkSkip::RsaSize);
    }
    // With an exponent of 1, every message would be its own signature.
    if e.last().is_none_or(|last| last % 2 == 0) || e == [1] || e[0] == 0 {
        return Err(JwkSkip::Unreadable);
    }
    let components = RsaPublicKeyComponents { n, e };
    components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|_| JwkSkip::Unreadable)?;
    Ok(DecodingKey::from_rsa_raw_components(n, e))
}

fn point(on: &'static dyn VerificationAlgorithm, bytes: usize, x: &[u8], y: &[u8]) -> Result<DecodingKey, JwkSkip> {
    if (x.len(), y.len()) != (bytes, bytes) {
        return Err(JwkSkip::Unreadable);
    }
    let point = [&[4], x, y].concat();
    parses(on, &point)?;
    Ok(DecodingKey::from_ec_der(&point))
}

fn ed25519(x: &[u8]) -> Result<DecodingKey, JwkSkip> {
    parses(&ED25519, x)?;
    Ok(DecodingKey::from_ed_der(x))
}

/// Detects a point that is not on the curve now, rather than later as an invalid signature.
fn parses(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Result<(), JwkSkip> {
    ParsedPublicKey::new(algorithm, key).map(drop).map_err(|_| JwkSkip::Unreadable)
}
