//! Who may do what with the audit log: what the current role could alter, and the months that the owner drops.

use sqlx::AssertSqlSafe;

use crate::domain::audit::AuditEntry;
use crate::domain::audit::retention::{LEAVES, Leaves};
use crate::domain::clock::Instant;
use crate::store::system::check;
use crate::store::writes::audit_entries;
use crate::store::{Store, StoreError};

/// A month of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedMonth {
    /// The partition's name.
    pub table: String,
    /// How many entries it held.
    pub entries: i64,
}

impl Store {
    /// The ways in which the current role could alter or delete audit entries, each as a phrase; empty for a proper
    /// runtime role. `None` while there are no audit tables yet.
    pub async fn powers_over_audit(&self) -> Result<Option<Vec<String>>, StoreError> {
        let sql = "SELECT to_regclass('public.audit_checkpoints') IS NOT NULL";
        if !sqlx::query_scalar::<_, bool>(sql).fetch_one(&self.workers).await? {
            return Ok(None);
        }
        let powers = sqlx::query_scalar(
            "WITH tables AS (
                 SELECT c.oid, c.relname::text AS name, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND starts_with(c.relname, 'audit_')
             ), powers (place, power) AS (
                 SELECT 1, 'it is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
                 UNION ALL SELECT 1, 'it logged in as ' || session_user || ', which it could become again'
                     WHERE session_user <> current_user
                 UNION ALL SELECT 2, 'it may make and change roles' FROM pg_roles WHERE rolname = current_user AND rolcreaterole
                 UNION ALL SELECT 3, 'it owns the database, or is a member of who does' FROM pg_database
                     WHERE datname = current_database() AND pg_has_role(current_user, datdba, 'MEMBER')
                 UNION ALL SELECT 4, 'it owns the schema, or is a member of who does' FROM pg_namespace
                     WHERE nspname = 'public' AND pg_has_role(current_user, nspowner, 'MEMBER')
                 UNION ALL SELECT 5, 'it owns ' || name || ', or is a member of who does' FROM tables
                     WHERE pg_has_role(current_user, relowner, 'MEMBER')
                 UNION ALL SELECT 6, 'it has ' || power || ' on ' || name
                     FROM tables, unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS power
                     WHERE has_table_privilege(current_user, tables.oid, power)
                        OR (power = 'UPDATE' AND has_any_column_privilege(current_user, tables.oid, 'UPDATE'))
             ) SELECT power FROM powers ORDER BY place, power",
        );
        Ok(Some(powers.fetch_all(&self.workers).await?))
    }

    /// Creates the partitions for the coming months that do not exist yet.
    pub async fn make_audit_months(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT audit_make_months()").execute(&self.workers).await?;
        Ok(())
    }

    /// The months that end at or before `before` and whose entries are all sealed, oldest first.
    pub async fn audit_months_before(&self, before: Instant) -> Result<Vec<DroppedMonth>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'audit_entries'::regclass AND c.relname ~ '^audit_entries_[0-9]{4}_[0-9]{2}$'
               AND to_timestamp(right(c.relname, 7) || ' +00', 'YYYY_MM TZH') + interval '1 month' <= $1
             ORDER BY 1",
        )
        .bind(before)
        .fetch_all(&self.workers)
        .await?;
        let mut months = Vec::new();
        for table in names {
            let sql = format!(
                "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry = e.id)) FROM {table} e"
            );
            let (entries, open): (i64, i64) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&self.workers).await?;
            if open == 0 {
                months.push(DroppedMonth { table, entries });
            }
        }
        Ok(months)
    }

    /// Drops months. `entry` records it in the same transaction; the leaves that lose their entries, now and in all
    /// earlier drops, are added to it. Earlier drops are taken from the newest sealed entry about them, so that entry
    /// has to be verified first.
    pub async fn drop_audit_months(&self, months: &[DroppedMonth], mut entry: AuditEntry) -> Result<(), StoreError> {
        let mut transaction = self.workers.begin().await?;
        let told = check::dropped(&mut transaction).await?;
        let mut leaves: Leaves = told.and_then(|text| text.parse().ok()).unwrap_or_default();
        for month in months {
            let sql = format!("SELECT l.leaf FROM {} e JOIN audit_leaves l ON l.entry = e.id", month.table);
            let lost: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *transaction).await?;
            for leaf in lost {
                leaves.add(leaf);
            }
        }
        entry.parameters.insert(LEAVES.to_owned(), leaves.to_string());
        audit_entries::insert(&mut transaction, &self.stamp, &[entry]).await?;
        for month in months {
            // The catalogue returned the name, in the form that was asked for.
            sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {}", month.table))).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
