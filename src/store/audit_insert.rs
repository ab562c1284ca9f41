//! Adding audit entries: each with its stamp, all in one statement, in the transaction or the statement of what they record.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use sqlx::postgres::{PgArguments, PgQueryResult};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres};
use uuid::Uuid;

use super::{Error, PlatformEvent, Store, platform_events};
use crate::domain::audit::AuditEntry;
use crate::domain::audit::record::AuditBody;
use crate::domain::clock::Instant;
use crate::store::pool::{Connection, Tx};

type MakeStamp = dyn Fn(&[u8]) -> [u8; 32] + Send + Sync;

/// What stamps entries with the audit key; cheap to clone.
#[derive(Clone)]
pub struct Stamp(Option<Arc<MakeStamp>>);

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Stamp(…)" } else { "Stamp(none)" })
    }
}

impl Stamp {
    /// Stamps with `make`.
    pub fn new(make: impl Fn(&[u8]) -> [u8; 32] + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(make)))
    }

    /// For commands that write no entries: the database refuses one without a stamp.
    pub fn none() -> Self {
        Self(None)
    }

    fn of(&self, body: &AuditBody) -> Option<Vec<u8>> {
        self.0.as_ref().map(|make| make(&body.stamped_bytes()).to_vec())
    }
}

impl Store {
    /// Writes the entry of a request that changes nothing, together with all others that wait (group
    /// commit), and returns when it is durable.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<(), Error> {
        self.audit.ask(entry).await
    }

    /// Ends a change that may have found nothing to change: with its entry, or without a trace. Whether it changed anything.
    pub(super) async fn end_audited(
        &self,
        mut transaction: Tx,
        done: &PgQueryResult,
        entry: &AuditEntry,
    ) -> Result<bool, Error> {
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

impl Store {
    /// The same, with what the platform tells of it.
    pub(super) async fn end_told(
        &self,
        mut transaction: Tx,
        done: &PgQueryResult,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<bool, Error> {
        if done.rows_affected() > 0 {
            platform_events::tell(&mut transaction, told).await?;
        }
        let ended = self.end_audited(transaction, done, entry).await?;
        if ended {
            platform_events::committed(told);
        }
        Ok(ended)
    }
}

/// The columns, in the order in which [`Rows::bind`] gives them.
const COLUMNS: &str =
    "id, at, team, subject, credential, door, request_id, address, action, resource, outcome, http_status,
    code, duration_ms, cloud_ms, operation, provider_request_id, parameters, stamp";
/// The type of each.
const TYPES: &str =
    "uuid timestamptz text text text text text text text text text int text int int uuid text jsonb bytea";

/// Adds all of them.
static INSERT: LazyLock<String> =
    LazyLock::new(|| format!("INSERT INTO audit_entries ({COLUMNS}) SELECT * FROM {}", unnest(1)));

/// Adds those that are not there. Another connection may be adding them just now: it is waited for.
static INSERT_MISSING: LazyLock<String> = LazyLock::new(|| format!("{} ON CONFLICT DO NOTHING", *INSERT));

/// Entries with their stamps. What is stamped is what is written: both come from these.
pub(super) struct Rows {
    bodies: Vec<AuditBody>,
    stamps: Vec<Option<Vec<u8>>>,
    instants: Vec<Instant>,
}

impl Rows {
    /// Stamps them.
    pub(super) fn of<E: Borrow<AuditEntry>>(stamp: &Stamp, entries: &[E]) -> Self {
        let bodies: Vec<AuditBody> = entries.iter().map(|entry| entry.borrow().into()).collect();
        let stamps = bodies.iter().map(|body| stamp.of(body)).collect();
        Self { bodies, stamps, instants: entries.iter().map(|entry| entry.borrow().at).collect() }
    }

    /// Gives a statement the next parameters: a column each.
    pub(super) fn bind<'q>(&'q self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let text = |of: fn(&AuditBody) -> Option<&str>| self.bodies.iter().map(of).collect::<Vec<_>>();
        let number = |of: fn(&AuditBody) -> Option<i32>| self.bodies.iter().map(of).collect::<Vec<_>>();
        let uuid = |of: fn(&AuditBody) -> Option<Uuid>| self.bodies.iter().map(of).collect::<Vec<_>>();
        let parameters: Vec<_> = self.bodies.iter().map(|body| serde_json::json!(body.parameters)).collect();
        query
            .bind(uuid(|body| Some(body.id)))
            .bind(&self.instants)
            .bind(text(|body| body.team.as_deref()))
            .bind(text(|body| Some(&body.subject)))
            .bind(text(|body| body.credential.as_deref()))
            .bind(text(|body| Some(&body.door)))
            .bind(text(|body| Some(&body.request_id)))
            .bind(text(|body| body.address.as_deref()))
            .bind(text(|body| Some(&body.action)))
            .bind(text(|body| body.resource.as_deref()))
            .bind(text(|body| Some(&body.outcome)))
            .bind(number(|body| body.http_status))
            .bind(text(|body| body.code.as_deref()))
            .bind(number(|body| body.duration_ms))
            .bind(number(|body| body.cloud_ms))
            .bind(uuid(|body| body.operation))
            .bind(text(|body| body.provider_request_id.as_deref()))
            .bind(parameters)
            .bind(&self.stamps)
    }
}

/// The entries as a table, whose parameters are those from number `first` on.
fn unnest(first: usize) -> String {
    let columns = TYPES.split(' ').zip(first..).map(|(name, number)| format!("${number}::{name}[]"));
    format!("unnest({})", columns.collect::<Vec<_>>().join(", "))
}

/// Adds, within another statement, the entry of each that has its `place` (from 1) in that statement's `fit`. Their
/// parameters are those from number `first` on.
pub(super) fn of_those_that_fit(first: usize) -> String {
    format!(
        "INSERT INTO audit_entries ({COLUMNS})
         SELECT {COLUMNS} FROM {} WITH ORDINALITY AS a ({COLUMNS}, place) WHERE place IN (SELECT place FROM fit)",
        unnest(first)
    )
}

/// Adds entries, all in one statement.
pub(super) async fn insert<E>(connection: &mut Connection, stamp: &Stamp, entries: &[E]) -> Result<(), Error>
where
    E: Borrow<AuditEntry> + Sync,
{
    run(&INSERT, connection, stamp, entries).await
}

/// Adds those entries that are not there yet.
pub(super) async fn insert_missing<E>(connection: &mut Connection, stamp: &Stamp, entries: &[E]) -> Result<(), Error>
where
    E: Borrow<AuditEntry> + Sync,
{
    run(&INSERT_MISSING, connection, stamp, entries).await
}

async fn run<E>(sql: &'static str, connection: &mut Connection, stamp: &Stamp, entries: &[E]) -> Result<(), Error>
where
    E: Borrow<AuditEntry> + Sync,
{
    let rows = Rows::of(stamp, entries);
    rows.bind(sqlx::query(AssertSqlSafe(sql))).execute(connection).await?;
    Ok(())
}
