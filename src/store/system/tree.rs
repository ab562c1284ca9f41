//! Reads of the Merkle tree and its checkpoints: only hashes, so nothing of any team.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::ids::AuditId;
use crate::store::database::pool::PooledConnection;
use crate::store::{Store, StoreError};

impl Store {
    /// The leaf of an entry; `None` while it is not sealed.
    pub async fn audit_leaf(&self, id: AuditId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT leaf FROM audit_leaves WHERE entry = $1";
        Ok(sqlx::query_scalar(sql).bind(id.uuid()).fetch_optional(&self.requests).await?)
    }

    /// The hashes of complete subtrees, given by last leaf and level, in that order. If some are missing, fewer are
    /// returned.
    pub async fn audit_hashes(&self, wanted: &[(i64, i16)]) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut connection = self.requests.acquire().await?;
        hashes(&mut connection, wanted).await
    }

    /// The note of the checkpoint of this size, or of the newest one.
    pub async fn audit_checkpoint(&self, size: Option<i64>) -> Result<Option<String>, StoreError> {
        let sql = "SELECT note FROM audit_checkpoints WHERE $1::bigint IS NULL OR size = $1 ORDER BY size DESC LIMIT 1";
        Ok(sqlx::query_scalar(sql).bind(size).fetch_optional(&self.requests).await?)
    }

    /// Sizes and notes of up to `limit` checkpoints smaller than `before`, newest first.
    pub async fn audit_checkpoints(&self, before: Option<i64>, limit: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let mut connection = self.requests.acquire().await?;
        checkpoints(&mut connection, before.unwrap_or(i64::MAX), limit).await
    }

    /// Whether there is a leaf where the next one belongs after a tree of this size, with no checkpoint beyond it other
    /// than these.
    pub async fn is_audit_leaf_stray(&self, size: i64, passed_over: &[i64]) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT FROM audit_leaves WHERE leaf = $1)
            AND NOT EXISTS (SELECT FROM audit_checkpoints WHERE size > $1 AND size <> ALL ($2))";
        Ok(sqlx::query_scalar(sql).bind(size).bind(passed_over).fetch_one(&self.requests).await?)
    }

    /// The leaves of those entries that are sealed, each with its hash.
    pub async fn audit_leaves_of(&self, ids: &[AuditId]) -> Result<HashMap<AuditId, (i64, Vec<u8>)>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let sql = "SELECT entry, leaf, hash FROM audit_leaves WHERE entry = ANY ($1)";
        let found: Vec<(Uuid, i64, Vec<u8>)> = sqlx::query_as(sql).bind(ids).fetch_all(&self.requests).await?;
        Ok(found.into_iter().map(|(entry, leaf, hash)| (entry.into(), (leaf, hash))).collect())
    }
}

/// Sizes and notes of checkpoints smaller than `before`, newest first.
pub(super) async fn checkpoints(
    connection: &mut PooledConnection,
    before: i64,
    limit: i64,
) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "SELECT size, note FROM audit_checkpoints WHERE size < $1 ORDER BY size DESC LIMIT $2";
    Ok(sqlx::query_as(sql).bind(before).bind(limit).fetch_all(connection).await?)
}

/// The hashes of subtrees in the given order; level 0 are leaves.
pub(super) async fn hashes(
    connection: &mut PooledConnection,
    wanted: &[(i64, i16)],
) -> Result<Vec<[u8; 32]>, StoreError> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT coalesce(n.hash, l.hash) FROM unnest($1::bigint[], $2::smallint[]) WITH ORDINALITY AS w (leaf, level, place)
             LEFT JOIN audit_nodes n ON n.leaf = w.leaf AND n.level = w.level
             LEFT JOIN audit_leaves l ON l.leaf = w.leaf AND w.level = 0
         WHERE coalesce(n.hash, l.hash) IS NOT NULL ORDER BY place",
    )
    .bind(wanted.iter().map(|subtree| subtree.0).collect::<Vec<_>>())
    .bind(wanted.iter().map(|subtree| subtree.1).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    // A hash of another length was not written by us, and counts as missing.
    Ok(found.into_iter().filter_map(|hash| hash.try_into().ok()).collect())
}
