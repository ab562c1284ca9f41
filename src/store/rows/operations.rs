//! `operations`: one row for each intended change at the cloud.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::operation::{HoldReason, Operation, OperationKind, OperationState, Progress};
use crate::store::StoreError;
use crate::store::columns::table;
use crate::store::input::NewOperation;
use crate::store::input::Settlement;
use crate::store::stored_names::SPEC;
use crate::store::values::{json, jsonb, word};

/// The values that a row is written from.
pub(in crate::store) struct OperationToWrite<'a> {
    operation: &'a Operation,
    progress: Progress,
    credentials: Option<&'a [u8]>,
    /// The lease token, and the length of the lease in seconds by the database's clock.
    lease: Option<(Uuid, f64)>,
}

impl<'a> OperationToWrite<'a> {
    /// An operation that starts.
    pub(in crate::store) fn begun(new: &'a NewOperation) -> Self {
        Self {
            operation: &new.operation,
            progress: new.noted.unwrap_or(new.operation.progress),
            credentials: new.credentials.as_deref(),
            lease: Some((new.lease_token, new.lease_seconds)),
        }
    }

    /// An operation that had ended before it was recorded.
    pub(in crate::store) fn done(operation: &'a Operation) -> Self {
        Self { operation, progress: operation.progress, credentials: None, lease: None }
    }
}

table! {
    /// A row of `operations`, without the credentials.
    #[derive(Debug, FromRow)]
    pub(in crate::store) struct OperationRow of "operations" {
        id: Uuid = new.operation.id.uuid(),
        team: String = new.operation.team.as_str(),
        image_cache: Uuid = new.operation.cache.uuid(),
        kind: String = new.operation.progress.kind.as_str(),
        state: String = new.operation.state.as_str()
            => "CASE WHEN n.state = 'running' AND n.kind = 'delete'
                 AND EXISTS (SELECT FROM operations o WHERE o.image_cache = n.image_cache AND o.state = 'running')
             THEN 'waiting' ELSE n.state END",
        generation: i32 = new.operation.generation,
        spec: serde_json::Value = SPEC.write(&new.operation.spec),
        changes: Option<serde_json::Value> = new.operation.changes.as_ref().map(jsonb),
        attempts: i32 = new.progress.attempts,
        window_opened_at: Option<DateTime<Utc>> = new.progress.window_opened_at,
        last_signed_at: Option<DateTime<Utc>> = new.progress.last_signed_at,
        in_doubt: bool => "n.attempts > 0",
        held: Option<String>,
        unseen_since: Option<DateTime<Utc>>,
        error: Option<serde_json::Value>,
        provider_request_id: Option<String> = new.operation.provider_request_id.as_deref(),
        subject: String = new.operation.subject.as_str(),
        credential: Option<String> = new.operation.credential.as_deref(),
        request_id: String = new.operation.request_id.as_str(),
        created_at: DateTime<Utc> = new.operation.created_at,
        finished_at: Option<DateTime<Utc>> = new.operation.finished_at,
        marks: serde_json::Value = jsonb(&new.operation.marks),
    }
    written from |new: OperationToWrite<'a>| {
        credentials: Vec<u8> = new.credentials,
        due_at: DateTime<Utc> => "n.created_at",
        lease_token: Uuid = new.lease.map(|(token, _)| token),
        lease_until: f64 = new.lease.map(|(_, seconds)| seconds)
            => "clock_timestamp() + make_interval(secs => n.lease_until)",
    }
}

/// What an end writes to `operations`: it clears the lease and the registry logins.
pub(in crate::store) struct EndedOperation;

impl EndedOperation {
    /// The columns that find the row.
    pub(in crate::store) const FOUND_BY: &'static [&'static str] = &["id"];
}

table! {
    impl EndedOperation of "operations" written from |end: &'a Settlement| {
        id: Uuid = end.operation.uuid(),
        state: String = end.state.as_str(),
        error: serde_json::Value = end.error.as_ref().map(jsonb),
        provider_request_id: String = end.provider_request_id.as_deref(),
        finished_at: DateTime<Utc> = end.at,
        unsettled_until: DateTime<Utc> = end.unsettled_until,
        in_doubt: bool => "false",
        held: String => "NULL",
        credentials: Vec<u8> => "NULL",
        lease_token: Uuid = end.lease_token => "NULL",
        lease_until: DateTime<Utc> => "NULL",
    }
}

/// Records how the last attempt of each operation in `ended` ended: for any statement that ends operations.
pub(in crate::store) const NOTE_END: &str = "UPDATE operation_attempts a SET finished_at = ended.finished_at,
            outcome = ended.state, provider_request_id = ended.provider_request_id
        FROM ended WHERE a.operation = ended.id AND a.number = ended.attempts";

impl OperationRow {
    /// The operation's id.
    pub(in crate::store) fn id(&self) -> Uuid {
        self.id
    }

    /// Its position among operations, by the time of the request.
    pub(in crate::store) fn place(&self) -> (DateTime<Utc>, Uuid) {
        (self.created_at, self.id)
    }
}

impl TryFrom<OperationRow> for Operation {
    type Error = StoreError;

    fn try_from(row: OperationRow) -> Result<Self, StoreError> {
        const TABLE: &str = "operations";
        Ok(Self {
            id: row.id.into(),
            team: word(row.team.parse().ok(), TABLE, "team")?,
            cache: row.image_cache.into(),
            generation: row.generation,
            progress: Progress {
                kind: word(OperationKind::from_word(&row.kind), TABLE, "kind")?,
                window_opened_at: row.window_opened_at,
                last_signed_at: row.last_signed_at,
                attempts: row.attempts,
                in_doubt: row.in_doubt,
                held: row.held.map(|held| word(HoldReason::from_word(&held), TABLE, "held")).transpose()?,
                unseen_since: row.unseen_since,
            },
            state: word(OperationState::from_word(&row.state), TABLE, "state")?,
            spec: SPEC.read(row.spec, TABLE, "spec")?,
            changes: row.changes.map(|value| json(value, TABLE, "changes")).transpose()?,
            marks: json(row.marks, TABLE, "marks")?,
            error: row.error.map(|value| json(value, TABLE, "error")).transpose()?,
            provider_request_id: row.provider_request_id,
            subject: row.subject,
            credential: row.credential,
            request_id: row.request_id,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}
