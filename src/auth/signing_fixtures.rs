//! Signing keys for the tests of this module: new ones for each run, because tests do not compare their bytes.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(super) const SECRET: [u8; 32] = [b's'; 32];

pub(super) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn jwks(signers: &[TestSigner]) -> Value {
    json!({"keys": signers.iter().map(TestSigner::jwk).collect::<Vec<_>>()})
}

#[derive(Clone)]
pub(super) struct TestSigner {
    kid: &'static str,
    pair: TestKeyPair,
}

#[derive(Clone)]
enum TestKeyPair {
    Rsa(Arc<RsaKeyPair>),
    Ec(Arc<EcdsaKeyPair>),
    Ed(Arc<Ed25519KeyPair>),
    Hmac,
}

impl TestSigner {
    pub(super) fn rsa(kid: &'static str) -> Self {
        // The slowest to generate, so all tests share one.
        static PAIR: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
        let pair = PAIR.get_or_init(|| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
        Self { kid, pair: TestKeyPair::Rsa(Arc::clone(pair)) }
    }

    pub(super) fn ec(kid: &'static str) -> Self {
        Self { kid, pair: TestKeyPair::Ec(Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())) }
    }

    pub(super) fn ed(kid: &'static str) -> Self {
        Self { kid, pair: TestKeyPair::Ed(Arc::new(Ed25519KeyPair::generate().unwrap())) }
    }

    pub(super) fn hmac(kid: &'static str) -> Self {
        Self { kid, pair: TestKeyPair::Hmac }
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self.pair {
            TestKeyPair::Rsa(_) => "RS256",
            TestKeyPair::Ec(_) => "ES256",
            TestKeyPair::Ed(_) => "EdDSA",
            TestKeyPair::Hmac => "HS256",
        }
    }

    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            TestKeyPair::Rsa(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                json!({"kty": "RSA", "n": b64(n.big_endian_without_leading_zero()),
                       "e": b64(e.big_endian_without_leading_zero())})
            }
            TestKeyPair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            TestKeyPair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())}),
            TestKeyPair::Hmac => json!({"kty": "oct", "k": b64(&SECRET)}),
        };
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// A header as an issuer writes it.
    pub(super) fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.kid})
    }

    /// A token with exactly this header and these claims.
    pub(super) fn sign_raw(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64(header.as_bytes()), b64(claims.as_bytes()));
        let signature = b64(&self.signature(message.as_bytes()));
        format!("{message}.{signature}")
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_raw(&header.to_string(), &claims.to_string())
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            TestKeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            TestKeyPair::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            TestKeyPair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            TestKeyPair::Hmac => hmac_sha256(&SECRET, message),
        }
    }
}

pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
}
