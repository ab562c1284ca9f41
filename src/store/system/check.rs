//! The whole audit log in tree order, for verification and export: one view of the database, read page by page.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, FromRow, Row as _};
use uuid::Uuid;

use crate::domain::audit::record::AuditRecord;
use crate::domain::audit::retention::{DROPPED, LEAVES};
use crate::store::database::pool::PooledConnection;
use crate::store::database::pool::Tx;
use crate::store::rows::audit_entries::AuditRow;
use crate::store::{Store, StoreError};

/// One consistent view of the whole audit log.
#[derive(Debug)]
pub struct AuditView(Tx);

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRow {
    /// The entry's id.
    pub id: Uuid,
    /// Transaction id and number.
    pub position: (i64, i64),
    /// The row; `None` if it contains something that no gateway writes.
    pub record: Option<AuditRecord>,
}

impl From<AuditRow> for CheckedRow {
    fn from(row: AuditRow) -> Self {
        Self { id: row.id, position: (row.txid, row.seq), record: row.try_into().ok() }
    }
}

/// A leaf as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLeaf {
    /// Its index.
    pub leaf: i64,
    /// The id of its entry.
    pub entry: Uuid,
    /// Its hash.
    pub hash: Vec<u8>,
    /// The rows with that id: one, unless a row was removed or added.
    pub rows: Vec<CheckedRow>,
}

/// A page of the audit log, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// The leaves, by index.
    pub leaves: Vec<FoundLeaf>,
    /// Complete subtrees by last leaf and level; `None` if they are not known.
    pub nodes: Option<BTreeMap<(i64, i16), Vec<u8>>>,
    /// Size and note of each checkpoint that ends in this page.
    pub checkpoints: Vec<(i64, String)>,
}

impl Store {
    /// A view of the audit log as it is now; it does not change while it is read.
    pub async fn audit_view(&self) -> Result<AuditView, StoreError> {
        let mut transaction = self.workers.begin().await?;
        // A page is read while the previous one is checked, and a large log takes longer than a request may.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut *transaction).await?;
        sqlx::raw_sql("SET LOCAL statement_timeout = '5min'; SET LOCAL idle_in_transaction_session_timeout = '5min'")
            .execute(&mut *transaction)
            .await?;
        Ok(AuditView(transaction))
    }
}

impl AuditView {
    /// The leaves whose entries retention has dropped, according to the newest sealed entry about it.
    pub async fn dropped(&mut self) -> Result<Option<String>, StoreError> {
        dropped(&mut self.0).await
    }

    /// The page from leaf `from` on: up to `limit` leaves, and what ends with them. If there are no leaves, it contains
    /// what lies beyond the last one.
    pub async fn page(&mut self, from: i64, limit: i64) -> Result<AuditPage, StoreError> {
        let leaves = self.leaves(from, limit).await?;
        let to = leaves.last().map_or(i64::MAX, |last| last.leaf + 1);
        let nodes = sqlx::query_as("SELECT leaf, level, hash FROM audit_nodes WHERE leaf >= $1 AND leaf < $2 LIMIT $3");
        // Each leaf completes one subtree on average, and never more than there are levels.
        let nodes: Vec<(i64, i16, Vec<u8>)> =
            nodes.bind(from).bind(to).bind(limit * 64).fetch_all(&mut *self.0).await?;
        let sql = "SELECT size, note FROM audit_checkpoints WHERE size > $1 AND size <= $2 ORDER BY size LIMIT $3";
        let checkpoints = sqlx::query_as(sql).bind(from).bind(to).bind(limit).fetch_all(&mut *self.0).await?;
        let nodes = nodes.into_iter().map(|(leaf, level, hash)| ((leaf, level), hash)).collect();
        Ok(AuditPage { leaves, nodes: Some(nodes), checkpoints })
    }

    async fn leaves(&mut self, from: i64, limit: i64) -> Result<Vec<FoundLeaf>, StoreError> {
        let sql = format!(
            "SELECT l.leaf, l.entry, l.hash, {}
             FROM (SELECT leaf, entry, hash FROM audit_leaves WHERE leaf >= $1 ORDER BY leaf LIMIT $2) l
                 LEFT JOIN audit_entries e ON e.id = l.entry
             ORDER BY l.leaf, e.seq",
            AuditRow::columns("e")
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(limit).fetch_all(&mut *self.0).await?;
        let mut leaves: Vec<FoundLeaf> = Vec::new();
        for row in rows {
            let leaf = row.try_get("leaf")?;
            if leaves.last().is_none_or(|last| last.leaf != leaf) {
                leaves.push(FoundLeaf {
                    leaf,
                    entry: row.try_get("entry")?,
                    hash: row.try_get("hash")?,
                    rows: Vec::new(),
                });
            }
            let there: Option<Uuid> = row.try_get("id")?;
            if let Some(last) = leaves.last_mut().filter(|_| there.is_some()) {
                last.rows.push(AuditRow::from_row(&row)?.into());
            }
        }
        Ok(leaves)
    }

    /// Up to `limit` rows that have no leaf, by transaction id and number.
    pub async fn unsealed(&mut self, limit: i64) -> Result<Vec<CheckedRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM audit_entries e WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry = e.id)
             ORDER BY txid, seq LIMIT $1",
            AuditRow::columns("e")
        );
        let rows: Vec<AuditRow> = sqlx::query_as(AssertSqlSafe(sql)).bind(limit).fetch_all(&mut *self.0).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// The leaves whose entries retention has dropped, according to the newest sealed entry about it.
pub(in crate::store) async fn dropped(connection: &mut PooledConnection) -> Result<Option<String>, StoreError> {
    let sql = "SELECT e.parameters ->> $2 FROM audit_entries e JOIN audit_leaves l ON l.entry = e.id
               WHERE e.action = $1 AND e.outcome = 'succeeded' ORDER BY l.leaf DESC LIMIT 1";
    let found: Option<Option<String>> =
        sqlx::query_scalar(sql).bind(DROPPED).bind(LEAVES).fetch_optional(connection).await?;
    Ok(found.flatten())
}
