//! What an endpoint stores encrypted: its signing keys and its custom headers. They are decrypted for sending.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use crate::app::Error;
use crate::app::webhooks::Webhooks;
use crate::domain::entropy::Entropy;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::ids::EndpointId;
use crate::domain::webhooks::endpoint::{MAX_HEADERS, is_header_name, is_header_value};
use crate::webhook::ed25519::Ed25519Key;
use crate::webhook::secret::{self, SigningSecret};
use crate::webhook::sender;
use crate::webhook::sign::SigningKey;

/// An endpoint's signing keys and custom headers, decrypted for sending.
pub(in crate::app) type DeliverySecrets = (Vec<SigningKey>, Vec<(String, String)>);

/// The keys of one generation: always HMAC, and ed25519 if asked for.
pub(super) struct SigningKeys {
    pub(super) hmac: SigningSecret,
    pub(super) ed25519: Option<Ed25519Key>,
}

impl SigningKeys {
    pub(super) fn generate(entropy: &Entropy, ed25519: bool) -> Self {
        Self { hmac: SigningSecret::generate(entropy), ed25519: ed25519.then(|| Ed25519Key::generate(entropy)) }
    }

    /// Keys with the given secret, or a new one.
    pub(super) fn of(secret: Option<&SecretString>, entropy: &Entropy, ed25519: bool) -> Result<Self, Error> {
        let keys = Self::generate(entropy, ed25519);
        let Some(text) = secret else { return Ok(keys) };
        let text = text.expose_secret();
        let refuse = |detail: String| Error::Invalid(vec![FieldError::new("/secret", FieldCode::Invalid, detail)]);
        if !text.starts_with(secret::PREFIX) {
            return Err(refuse("must begin with `whsec_`: then the base64 of 24 to 64 random bytes".into()));
        }
        let hmac = SigningSecret::parse(text).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { hmac, ..keys })
    }

    pub(super) fn public_key(&self) -> Option<String> {
        self.ed25519.as_ref().map(Ed25519Key::public_text)
    }

    /// Both keys, separated by a space.
    fn text(&self) -> SecretString {
        let hmac = self.hmac.text();
        let ed25519 = self.ed25519.as_ref().map(Ed25519Key::text);
        let texts = [Some(&hmac), ed25519.as_ref()].into_iter().flatten().map(ExposeSecret::expose_secret);
        SecretString::from(texts.collect::<Vec<_>>().join(" "))
    }

    /// The keys to sign with.
    pub(super) fn signing(&self) -> Vec<SigningKey> {
        let text = self.text();
        // We wrote it, so it can be parsed.
        text.expose_secret().split(' ').filter_map(|key| SigningKey::parse(key).ok()).collect()
    }
}

/// The headers as they are sent.
pub(super) fn plain(headers: &BTreeMap<String, SecretString>) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
}

/// Refuses names that belong to us or to the transport, and values with line breaks.
pub(super) fn check_headers(headers: &BTreeMap<String, SecretString>, findings: &mut Findings) {
    findings.require(headers.len() <= MAX_HEADERS, "/headers", FieldCode::TooMany, "must be at most 20 headers");
    for (name, value) in headers {
        let field = || format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        let name_rule = "must be a header's name: at most 64 letters, digits and -_.!#$%&'*+^`|~";
        findings.require(is_header_name(name), field(), FieldCode::Invalid, name_rule);
        findings.require(
            sender::is_free(name),
            field(),
            FieldCode::NotAllowed,
            "is set by the gateway or the transport and \
                                                          cannot be overridden",
        );
        let value_rule = "must have a value of at most 1024 printable ASCII characters";
        findings.require(is_header_value(value.expose_secret()), field(), FieldCode::Invalid, value_rule);
    }
}

impl Webhooks {
    pub(super) fn seal_keys(&self, endpoint: EndpointId, keys: &SigningKeys) -> Vec<u8> {
        let text = keys.text();
        self.base.sealer().seal(text.expose_secret().as_bytes(), &key_context(endpoint), self.base.entropy())
    }

    pub(super) fn seal_headers(&self, endpoint: EndpointId, headers: &BTreeMap<String, SecretString>) -> Vec<u8> {
        let plain: BTreeMap<&str, &str> =
            headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        let text = serde_json::to_vec(&plain).expect("a map of strings always becomes JSON");
        self.base.sealer().seal(&text, &header_context(endpoint), self.base.entropy())
    }

    /// An endpoint's keys of one generation, decrypted for signing.
    pub(in crate::app) fn open_keys(&self, endpoint: EndpointId, sealed: &[u8]) -> Result<Vec<SigningKey>, Error> {
        let plain = self.base.sealer().open(sealed, &key_context(endpoint));
        let plain = plain.map_err(|error| Error::Internal(error.into()))?;
        let text = std::str::from_utf8(plain.expose_secret())
            .map_err(|_| Error::Internal("a sealed secret is no text".into()))?;
        let keys = text.split(' ').map(SigningKey::parse).collect::<Result<_, _>>();
        keys.map_err(|error| Error::Internal(error.into()))
    }

    /// The same, in a form that can be encrypted again.
    pub(super) fn read_keys(&self, endpoint: EndpointId, sealed: &[u8]) -> Result<SigningKeys, Error> {
        let (mut hmac, mut ed25519) = (None, None);
        for key in self.open_keys(endpoint, sealed)? {
            match key {
                SigningKey::Hmac(secret) => hmac = Some(secret),
                SigningKey::Ed25519(key) => ed25519 = Some(*key),
            }
        }
        let hmac = hmac.ok_or_else(|| Error::Internal("an endpoint has no secret".into()))?;
        Ok(SigningKeys { hmac, ed25519 })
    }

    /// An endpoint's custom headers, decrypted for sending.
    pub(in crate::app) fn open_headers(
        &self,
        endpoint: EndpointId,
        sealed: Option<&[u8]>,
    ) -> Result<Vec<(String, String)>, Error> {
        let Some(sealed) = sealed else { return Ok(Vec::new()) };
        let plain = self.base.sealer().open(sealed, &header_context(endpoint));
        let plain = plain.map_err(|error| Error::Internal(error.into()))?;
        let headers: BTreeMap<String, String> =
            serde_json::from_slice(plain.expose_secret()).map_err(|error| Error::Internal(error.into()))?;
        Ok(headers.into_iter().collect())
    }
}

fn key_context(endpoint: EndpointId) -> String {
    format!("webhook_secret:{endpoint}")
}

fn header_context(endpoint: EndpointId) -> String {
    format!("webhook_headers:{endpoint}")
}
