//! URLs of webhook endpoints that are not encrypted yet, whichever team's; and where they are verified.
//!
//! What must stay true: a row is only rewritten as it was read, so that whoever changes or removes it meanwhile wins.

use uuid::Uuid;

use crate::domain::ids::EndpointId;
use crate::store::{Store, StoreError};

/// A URL that stands in plain text where none has to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PlainUrl {
    id: Uuid,
    /// What stands there: all of it, or scheme and host.
    url: String,
    url_sealed: Option<Vec<u8>>,
}

impl PlainUrl {
    /// Whose.
    pub fn endpoint(&self) -> EndpointId {
        self.id.into()
    }

    /// The URL, where it is not encrypted.
    pub fn text(&self) -> &str {
        &self.url
    }

    /// The URL, encrypted, where it is.
    pub fn sealed(&self) -> Option<&[u8]> {
        self.url_sealed.as_deref()
    }
}

impl Store {
    /// Up to `limit` endpoints whose URL is not encrypted, or stands in plain text beside without need.
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

    /// Writes the encrypted URL of an endpoint, and the placeholder in place of the plain one where no version of
    /// before has to read it. `false`: it was changed meanwhile.
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

    /// From now on no URL is kept in plain text: no version that reads nothing else may run on this database any more.
    pub async fn end_plain_urls(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE webhook_url_storage SET plain_beside = false WHERE plain_beside")
            .execute(&self.workers)
            .await?;
        Ok(())
    }

    /// Wipes what a version of before left of the URLs of endpoints that it removed. Returns how many.
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

    /// Notes in which networks an endpoint is verified, unless it was moved or removed since they were `was`.
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
