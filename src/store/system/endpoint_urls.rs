//! URLs of webhook endpoints of all teams that are not encrypted yet, and the networks in which endpoints are verified.
//!
//! What must stay true: a row is only rewritten if it is as it was read, so that whoever changes or deletes it in the
//! meantime wins.

use uuid::Uuid;

use crate::domain::ids::EndpointId;
use crate::store::{Store, StoreError};

/// A URL in plain text that need not be.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PlainUrl {
    id: Uuid,
    /// What is stored: the whole URL, or scheme and host.
    url: String,
    url_sealed: Option<Vec<u8>>,
}

impl PlainUrl {
    /// The endpoint that it belongs to.
    pub fn endpoint(&self) -> EndpointId {
        self.id.into()
    }

    /// The URL, if it is not encrypted.
    pub fn text(&self) -> &str {
        &self.url
    }

    /// The encrypted URL, if there is one.
    pub fn sealed(&self) -> Option<&[u8]> {
        self.url_sealed.as_deref()
    }
}

impl Store {
    /// Up to `limit` endpoints whose URL is not encrypted, or is also stored in plain text without need.
    pub async fn plain_urls(&self, limit: i64) -> Result<Vec<PlainUrl>, StoreError> {
        let found = sqlx::query_as(
            "SELECT id, url, url_sealed FROM webhook_endpoints WHERE NOT deleted AND url NOT LIKE 'sealed:%' AND (url_sealed IS NULL
                 OR NOT (SELECT plain_beside FROM webhook_url_storage))
             ORDER BY id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.workers)
        .await?;
        Ok(found)
    }

    /// Writes the encrypted URL of an endpoint, and the placeholder in place of the plain one unless an older version
    /// has to read it. `false` if it was changed in the meantime.
    pub async fn seal_url(&self, was: &PlainUrl, sealed: &[u8], placeholder: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE webhook_endpoints SET url_sealed = $4,
                 url = CASE WHEN (SELECT plain_beside FROM webhook_url_storage) THEN url ELSE $5 END
             WHERE id = $1 AND url = $2 AND url_sealed IS NOT DISTINCT FROM $3 AND NOT deleted",
        )
        .bind(was.id)
        .bind(&was.url)
        .bind(&was.url_sealed)
        .bind(sealed)
        .bind(placeholder)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// From now on no URL is stored in plain text: versions that can read nothing else must not run on this database
    /// any more.
    pub async fn end_plain_urls(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE webhook_url_storage SET plain_beside = false WHERE plain_beside")
            .execute(&self.workers)
            .await?;
        Ok(())
    }

    /// Wipes the URLs that an older version left behind for endpoints that it deleted. Returns how many.
    pub async fn wipe_removed_urls(&self) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE webhook_endpoints SET url = COALESCE(substring(url FROM '^[^/]*//[^/?#]*'), ''), url_sealed = NULL,
                 verified_networks = NULL
             WHERE deleted AND (url_sealed IS NOT NULL OR url IS DISTINCT FROM COALESCE(substring(url FROM '^[^/]*//[^/?#]*'), ''))",
        )
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }

    /// Records the networks in which an endpoint is verified, unless it was moved or deleted since they were `was`.
    pub async fn note_networks(&self, endpoint: EndpointId, was: &[String], are: &[String]) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE webhook_endpoints SET verified_networks = $3 WHERE id = $1 AND verified_networks = $2 AND NOT deleted",
        )
        .bind(endpoint.uuid())
        .bind(was)
        .bind(are)
        .execute(&self.workers)
        .await?;
        Ok(())
    }
}
