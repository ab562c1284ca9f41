//! URLs of endpoints: encrypted at rest, and decrypted for their owners and for sending. The janitor encrypts those
//! that an older version stored in plain text.

use secrecy::ExposeSecret as _;

use crate::app::Error;
use crate::app::webhooks::Webhooks;
use crate::crypto::seal::Sealer;
use crate::domain::entropy::Entropy;
use crate::domain::ids::EndpointId;
use crate::domain::webhooks::endpoint::Endpoint;
use crate::domain::webhooks::endpoint::url::EndpointUrl;
use crate::store::{PlainUrl, Store, StoredEndpoint};

/// The most rows of one round.
const BATCH: i64 = 500;

impl Webhooks {
    pub(super) fn seal_url(&self, endpoint: EndpointId, url: &EndpointUrl) -> Vec<u8> {
        seal(self.base.sealer(), self.base.entropy(), endpoint, url)
    }

    /// The URL that counts: the encrypted one, if there is one.
    pub(in crate::app) fn open_url(
        &self,
        endpoint: EndpointId,
        plain: EndpointUrl,
        sealed: Option<&[u8]>,
    ) -> Result<EndpointUrl, Error> {
        sealed.map_or(Ok(plain), |sealed| open(self.base.sealer(), endpoint, sealed))
    }

    /// An endpoint with its URL.
    pub(in crate::app) fn open_endpoint(&self, kept: StoredEndpoint) -> Result<Endpoint, Error> {
        let StoredEndpoint { endpoint, sealed_url } = kept;
        let url = self.open_url(endpoint.id, endpoint.url.clone(), sealed_url.as_deref())?;
        Ok(Endpoint { url, ..endpoint })
    }

    /// Encrypts URLs that no longer need to be in plain text. Returns how many.
    pub(in crate::app) async fn seal_urls(&self) -> Result<u64, Error> {
        let wiped = self.base.store().wipe_removed_urls().await?;
        Ok(wiped + seal_all(self.base.store(), self.base.sealer(), self.base.entropy()).await?)
    }
}

/// Encrypts the URLs of all teams that no longer need to be in plain text. Returns how many.
///
/// # Errors
/// If the database cannot be used. What cannot be decrypted is logged and left as it is.
pub(in crate::app) async fn seal_all(store: &Store, sealer: &Sealer, entropy: &Entropy) -> Result<u64, Error> {
    let mut done = 0;
    loop {
        let found = store.plain_urls(BATCH).await?;
        let mut changed = 0;
        for was in &found {
            match url_of(sealer, was) {
                Ok(url) => {
                    let envelope = seal(sealer, entropy, was.endpoint(), &url);
                    changed += u64::from(store.seal_url(was, &envelope, &url.placeholder()).await?);
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(endpoint = %was.endpoint(), error, "the URL of a webhook endpoint cannot be \
                        decrypted");
                }
            }
        }
        done += changed;
        // What is left cannot be decrypted, or is being changed by others right now.
        if changed == 0 {
            return Ok(done);
        }
    }
}

fn url_of(sealer: &Sealer, was: &PlainUrl) -> Result<EndpointUrl, Error> {
    was.sealed().map_or_else(|| Ok(was.text().into()), |sealed| open(sealer, was.endpoint(), sealed))
}

fn seal(sealer: &Sealer, entropy: &Entropy, endpoint: EndpointId, url: &EndpointUrl) -> Vec<u8> {
    sealer.seal(url.expose().as_bytes(), &context(endpoint), entropy)
}

fn open(sealer: &Sealer, endpoint: EndpointId, envelope: &[u8]) -> Result<EndpointUrl, Error> {
    let plain = sealer.open(envelope, &context(endpoint)).map_err(|error| Error::Internal(error.into()))?;
    let text = std::str::from_utf8(plain.expose_secret());
    text.map(Into::into).map_err(|_| Error::Internal("a sealed URL is no text".into()))
}

fn context(endpoint: EndpointId) -> String {
    format!("webhook_url:{endpoint}")
}
