//! The privileges that a role has in the database, and granting what it needs (`domain::database::grants`).
//!
//! `migrate` and `doctor database` call it. It does not judge powers over the audit log that are not privileges
//! ([`Store::powers_over_audit`]).

use sqlx::AssertSqlSafe;

use crate::domain::database::grants::{self, HeldPrivileges, ObjectKind};
use crate::store::{Store, StoreError};

/// Every object and the privileges that `$1` has on it, however it got them. Privileges on single columns count too, as
/// a privilege of their own.
const HELD: &str = "
    WITH tables AS (
        SELECT c.oid, c.relname::text AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ), held (kind, name, place, privilege) AS (
        SELECT 'database', current_database()::text, place, p FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY'])
            WITH ORDINALITY AS u (p, place) WHERE has_database_privilege($1, current_database(), p)
        UNION ALL SELECT 'schema', 'public', place, p FROM unnest(ARRAY['USAGE', 'CREATE']) WITH ORDINALITY AS u (p, place)
            WHERE has_schema_privilege($1, 'public', p)
        UNION ALL SELECT 'table', name, place, p FROM tables,
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
                WITH ORDINALITY AS u (p, place) WHERE has_table_privilege($1, oid, p)
        UNION ALL SELECT 'table', name, 10 + place, p || ' on columns' FROM tables,
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) WITH ORDINALITY AS u (p, place)
            WHERE has_any_column_privilege($1, oid, p) AND NOT has_table_privilege($1, oid, p)
        UNION ALL SELECT 'sequence', c.relname::text, place, p FROM pg_class c,
                unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) WITH ORDINALITY AS u (p, place)
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' AND has_sequence_privilege($1, c.oid, p)
        UNION ALL SELECT 'function', f.oid::regprocedure::text, 1, 'EXECUTE' FROM pg_proc f
            WHERE f.pronamespace = 'public'::regnamespace AND f.prorettype <> 'trigger'::regtype
              AND has_function_privilege($1, f.oid, 'EXECUTE')
    ) SELECT kind, name, array_agg(privilege ORDER BY place) FROM held GROUP BY kind, name ORDER BY kind, name";

impl Store {
    /// The current role.
    pub async fn role(&self) -> Result<String, StoreError> {
        let mut one = self.sessions.connect().await?;
        Ok(sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut one).await?)
    }

    /// The privileges of a role, by object. `None` if there is no such role. Queried outside the pools, whose sessions
    /// already need some of these privileges.
    pub async fn held_privileges(&self, role: &str) -> Result<Option<Vec<HeldPrivileges>>, StoreError> {
        let mut one = self.sessions.connect().await?;
        let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(role)
            .fetch_one(&mut one)
            .await?;
        if !known {
            return Ok(None);
        }
        // Names without a schema: only objects in `public` are queried.
        let rows: Vec<(String, String, Vec<String>)> = sqlx::query_as(HELD).bind(role).fetch_all(&mut one).await?;
        let held = |(kind, name, privileges): (String, String, Vec<String>)| {
            Some(HeldPrivileges { kind: kind_of(&kind)?, name, privileges })
        };
        Ok(Some(rows.into_iter().filter_map(held).collect()))
    }

    /// Grants `role` what a gateway needs, and revokes what it does not need, as far as that was granted by name.
    /// `false` if there is no such role. The database itself is left to its owner.
    pub async fn grant_runtime(&self, role: &str) -> Result<bool, StoreError> {
        let Some(held) = self.held_privileges(role).await? else { return Ok(false) };
        let mut statements = Vec::new();
        for found in grants::compare(&held).iter().filter(|found| found.kind != ObjectKind::Database) {
            // The schema is left as it is, and so are objects that another version has created.
            let needed = grants::needed(found.kind, &found.name);
            let part = found.name.starts_with("audit_entries_");
            if found.kind != ObjectKind::Schema && (needed.is_some() || part) {
                statements.push(format!("REVOKE ALL ON {} FROM {role}", grants::target(found.kind, &found.name)));
            }
            statements.extend(needed.map(|grant| grant.statement("", role)));
        }
        sqlx::raw_sql(AssertSqlSafe(statements.join("; "))).execute(&self.workers).await?;
        Ok(true)
    }
}

fn kind_of(word: &str) -> Option<ObjectKind> {
    let kinds = [
        ("database", ObjectKind::Database),
        ("schema", ObjectKind::Schema),
        ("table", ObjectKind::Table),
        ("sequence", ObjectKind::Sequence),
        ("function", ObjectKind::Function),
    ];
    kinds.into_iter().find_map(|(name, kind)| (name == word).then_some(kind))
}
