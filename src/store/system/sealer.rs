//! What the sealer reads and writes: entries of all teams become leaves, under one database lock.
//!
//! There is no leader: whoever gets the lock seals, and the others try again later. Rows are taken in the order of
//! transaction and number, and only from transactions older than every running one, so that no row can still appear
//! before them.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::record::AuditRecord;
use crate::store::database::pool::PooledConnection;
use crate::store::database::pool::Tx;
use crate::store::rows::audit_entries::AuditRow;
use crate::store::{Store, StoreError};

/// One lock for all gateways of a database. The number is arbitrary.
const LOCK: i64 = 0x0065_6367_5ea1;
/// How many numbers before the last sealed one may belong to rows that were unsealed when a dump was made.
const LOOK_BACK: i64 = 100_000;

/// The permission to seal, until it is dropped or finished.
#[derive(Debug)]
pub struct Sealing(Tx);

/// What is added to the tree in one step.
#[derive(Debug, Default)]
pub struct SealedBatch {
    /// Index, entry and hash of each leaf.
    pub leaves: Vec<(i64, Uuid, [u8; 32])>,
    /// Last leaf, level and hash of each subtree that is now complete.
    pub nodes: Vec<(i64, i16, [u8; 32])>,
    /// The number of leaves in the tree after this batch.
    pub size: i64,
    /// The signed checkpoint of that size.
    pub note: String,
}

/// A row that may be sealed.
#[derive(Debug)]
pub struct Unsealed {
    /// Transaction id and number.
    pub position: (i64, i64),
    /// The entry's id.
    pub id: Uuid,
    /// The row; `None` if no gateway can have written it as it is.
    pub record: Option<AuditRecord>,
}

impl From<AuditRow> for Unsealed {
    fn from(row: AuditRow) -> Self {
        Self { position: (row.txid, row.seq), id: row.id, record: row.try_into().ok() }
    }
}

impl Store {
    /// The permission to seal, unless another gateway has it right now.
    pub async fn begin_sealing(&self) -> Result<Option<Sealing>, StoreError> {
        let mut transaction = self.workers.begin().await?;
        // A gateway that stops responding must not keep the others from sealing.
        sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '5s'").execute(&mut *transaction).await?;
        let held: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK).fetch_one(&mut *transaction).await?;
        Ok(held.then_some(Sealing(transaction)))
    }
}

impl Sealing {
    /// Sizes and notes of up to `limit` checkpoints smaller than `before`, newest first.
    pub async fn checkpoints(&mut self, before: i64, limit: i64) -> Result<Vec<(i64, String)>, StoreError> {
        super::tree::checkpoints(&mut self.0, before, limit).await
    }

    /// Whether this leaf exists.
    pub async fn has_leaf(&mut self, leaf: i64) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT FROM audit_leaves WHERE leaf = $1)";
        Ok(sqlx::query_scalar(sql).bind(leaf).fetch_one(&mut *self.0).await?)
    }

    /// The hashes of complete subtrees, given by last leaf and level. If some are missing, fewer are returned.
    pub async fn hashes(&mut self, wanted: &[(i64, i16)]) -> Result<Vec<[u8; 32]>, StoreError> {
        super::tree::hashes(&mut self.0, wanted).await
    }

    /// Whether the entry of this leaf has a stamp; `None` if it no longer exists.
    pub async fn is_stamped(&mut self, leaf: i64) -> Result<Option<bool>, StoreError> {
        let sql =
            "SELECT e.stamp IS NOT NULL FROM audit_leaves l JOIN audit_entries e ON e.id = l.entry WHERE l.leaf = $1";
        Ok(sqlx::query_scalar(sql).bind(leaf).fetch_optional(&mut *self.0).await?)
    }

    /// Up to `limit` rows after `position` that can be sealed now.
    pub async fn unsealed(&mut self, position: (i64, i64), limit: i64) -> Result<Vec<Unsealed>, StoreError> {
        let rows: Vec<AuditRow> = if self.is_of_this_life(position.0).await? {
            let sql = format!(
                "SELECT {} FROM audit_entries e
                 WHERE (txid, seq) > ($1, $2) AND txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
                   AND NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry = e.id)
                 ORDER BY txid, seq LIMIT $3",
                AuditRow::columns("e")
            );
            let query = sqlx::query_as(AssertSqlSafe(sql)).bind(position.0).bind(position.1).bind(limit);
            query.fetch_all(&mut *self.0).await?
        } else {
            self.after_a_restore(position.1, limit).await?
        };
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Whether this server has issued that transaction id. If not, the database was restored from a dump, and the ids
    /// started over.
    async fn is_of_this_life(&mut self, transaction: i64) -> Result<bool, StoreError> {
        let sql = "SELECT $1 < pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        Ok(sqlx::query_scalar(sql).bind(transaction).fetch_one(&mut *self.0).await?)
    }

    /// Rows from the previous life have committed, whatever their transaction ids; they come first.
    async fn after_a_restore(&mut self, number: i64, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM audit_entries e, (SELECT pg_current_snapshot() AS now) s
             WHERE seq > $1 AND (txid < pg_snapshot_xmin(now)::text::bigint OR txid >= pg_snapshot_xmax(now)::text::bigint)
               AND NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry = e.id)
             ORDER BY txid >= pg_snapshot_xmax(now)::text::bigint DESC, txid, seq LIMIT $2",
            AuditRow::columns("e")
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(number - LOOK_BACK).bind(limit);
        Ok(query.fetch_all(&mut *self.0).await?)
    }

    /// Adds a batch to the tree, and releases the permission to seal.
    pub async fn finish(mut self, batch: &SealedBatch) -> Result<(), StoreError> {
        insert_leaves(&mut self.0, batch).await?;
        insert_nodes(&mut self.0, batch).await?;
        sqlx::query("INSERT INTO audit_checkpoints (size, note) VALUES ($1, $2)")
            .bind(batch.size)
            .bind(&batch.note)
            .execute(&mut *self.0)
            .await?;
        self.0.commit().await?;
        Ok(())
    }
}

async fn insert_leaves(connection: &mut PooledConnection, batch: &SealedBatch) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_leaves (leaf, entry, hash) SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bytea[])",
    )
    .bind(batch.leaves.iter().map(|leaf| leaf.0).collect::<Vec<_>>())
    .bind(batch.leaves.iter().map(|leaf| leaf.1).collect::<Vec<_>>())
    .bind(batch.leaves.iter().map(|leaf| leaf.2.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_nodes(connection: &mut PooledConnection, batch: &SealedBatch) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_nodes (leaf, level, hash) SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bytea[])",
    )
    .bind(batch.nodes.iter().map(|node| node.0).collect::<Vec<_>>())
    .bind(batch.nodes.iter().map(|node| node.1).collect::<Vec<_>>())
    .bind(batch.nodes.iter().map(|node| node.2.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
