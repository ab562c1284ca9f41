//! Adding audit entries: each with its stamp, all in one statement, in the transaction of what they record.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use sqlx::postgres::PgQueryResult;
use uuid::Uuid;

use super::{Error, Store};
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

/// Adds entries, all in one statement.
pub(super) async fn insert<E>(connection: &mut Connection, stamp: &Stamp, entries: &[E]) -> Result<(), Error>
where
    E: Borrow<AuditEntry> + Sync,
{
    // What is stamped is what is written: both come from these.
    let bodies: Vec<AuditBody> = entries.iter().map(|entry| entry.borrow().into()).collect();
    let stamps: Vec<Option<Vec<u8>>> = bodies.iter().map(|body| stamp.of(body)).collect();
    let instants: Vec<Instant> = entries.iter().map(|entry| entry.borrow().at).collect();
    let text = |of: fn(&AuditBody) -> Option<&str>| bodies.iter().map(of).collect::<Vec<_>>();
    let number = |of: fn(&AuditBody) -> Option<i32>| bodies.iter().map(of).collect::<Vec<_>>();
    let uuid = |of: fn(&AuditBody) -> Option<Uuid>| bodies.iter().map(of).collect::<Vec<_>>();
    let parameters: Vec<serde_json::Value> = bodies.iter().map(|body| serde_json::json!(body.parameters)).collect();
    sqlx::query(
        "INSERT INTO audit_entries (id, at, team, subject, credential, door, request_id, address, action, resource, outcome,
             http_status, code, duration_ms, cloud_ms, operation, provider_request_id, parameters, stamp)
         SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::text[], $10::text[], $11::text[], $12::int[], $13::text[], $14::int[], $15::int[], $16::uuid[],
             $17::text[], $18::jsonb[], $19::bytea[])",
    )
    .bind(uuid(|body| Some(body.id)))
    .bind(instants)
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
    .bind(stamps)
    .execute(connection)
    .await?;
    Ok(())
}
