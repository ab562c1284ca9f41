//! Rows as the database has them, and their way into the domain's types. A value that this binary cannot
//! read names its table and column.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::Error;
use super::columns::row;
use crate::domain::image_cache::{Evidence, Failure, ImageCache, Transition};
use crate::domain::operation::{Held, Operation, OperationKind, OperationState, Progress};
use crate::domain::reconcile::Reconciled;
use crate::domain::spec::ImageCacheSpec;

/// Reads a word of a closed set.
pub(super) fn word<T>(value: Option<T>, table: &'static str, column: &'static str) -> Result<T, Error> {
    value.ok_or_else(|| Error::Unreadable { table, column, detail: "an unknown word".into() })
}

/// Reads jsonb into a type.
pub(super) fn json<T: DeserializeOwned>(
    value: serde_json::Value,
    table: &'static str,
    column: &'static str,
) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Unreadable { table, column, detail: error.to_string() })
}

/// Reads a uuid as JSON has it.
fn uuid<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(from)?;
    Uuid::parse_str(&text).map_err(serde::de::Error::custom)
}

row! {
    /// A row of `image_caches`; as JSON, what `row_to_json` makes of it.
    #[derive(Debug, FromRow, Deserialize)]
    pub(super) struct ImageCacheRow {
        #[serde(deserialize_with = "uuid")]
        id: Uuid,
        team: String,
        account: String,
        spec: serde_json::Value,
        status: String,
        provider_status: Option<String>,
        generation: i32,
        version: i64,
        sequence: i64,
        #[serde(deserialize_with = "uuid")]
        operation: Uuid,
        eci_cache_id: Option<String>,
        container_group_id: Option<String>,
        snapshot_id: Option<String>,
        flash_snapshot_id: Option<String>,
        progress_percent: Option<i32>,
        failure: Option<serde_json::Value>,
        evidence: serde_json::Value,
        misses: i32,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
        ready_at: Option<DateTime<Utc>>,
        expires_at: Option<DateTime<Utc>>,
        last_matched_at: Option<DateTime<Utc>>,
        provider: Option<serde_json::Value>,
        drift: Option<serde_json::Value>,
        expiry_told: Option<DateTime<Utc>>,
        gone_at: Option<DateTime<Utc>>,
        poll_bucket: Option<String>,
    }
}

impl ImageCacheRow {
    /// Its place in its team's list.
    pub(super) fn id(&self) -> Uuid {
        self.id
    }
}

impl TryFrom<ImageCacheRow> for ImageCache {
    type Error = Error;

    fn try_from(row: ImageCacheRow) -> Result<Self, Error> {
        const TABLE: &str = "image_caches";
        Ok(Self {
            id: row.id.into(),
            team: word(row.team.parse().ok(), TABLE, "team")?,
            account: row.account,
            spec: json::<ImageCacheSpec>(row.spec, TABLE, "spec")?,
            status: word(row.status.parse().ok(), TABLE, "status")?,
            provider_status: row.provider_status,
            generation: row.generation,
            version: row.version,
            sequence: row.sequence,
            operation: row.operation.into(),
            eci_cache_id: row.eci_cache_id,
            container_group_id: row.container_group_id,
            snapshot_id: row.snapshot_id,
            flash_snapshot_id: row.flash_snapshot_id,
            progress_percent: row.progress_percent,
            failure: row.failure.map(|value| json::<Failure>(value, TABLE, "failure")).transpose()?,
            evidence: json::<Evidence>(row.evidence, TABLE, "evidence")?,
            misses: row.misses,
            created_at: row.created_at,
            updated_at: row.updated_at,
            ready_at: row.ready_at,
            expires_at: row.expires_at,
            last_matched_at: row.last_matched_at,
            provider: row.provider,
            reconciled: Reconciled {
                drift: row.drift.map(|value| json(value, TABLE, "drift")).transpose()?.unwrap_or_default(),
                expiry_told: row.expiry_told,
                gone_at: row.gone_at,
            },
            poll_bucket: row.poll_bucket,
        })
    }
}

row! {
    /// A row of `operations`, without the credentials.
    #[derive(Debug, FromRow)]
    pub(super) struct OperationRow {
        id: Uuid,
        team: String,
        image_cache: Uuid,
        kind: String,
        state: String,
        generation: i32,
        spec: serde_json::Value,
        changes: Option<serde_json::Value>,
        attempts: i32,
        window_opened_at: Option<DateTime<Utc>>,
        last_signed_at: Option<DateTime<Utc>>,
        in_doubt: bool,
        held: Option<String>,
        unseen_since: Option<DateTime<Utc>>,
        error: Option<serde_json::Value>,
        provider_request_id: Option<String>,
        subject: String,
        credential: Option<String>,
        request_id: String,
        created_at: DateTime<Utc>,
        finished_at: Option<DateTime<Utc>>,
        marks: serde_json::Value,
    }
}

impl OperationRow {
    /// Which operation it is of.
    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    /// Where it stands among those that were asked for one after the other.
    pub(super) fn place(&self) -> (DateTime<Utc>, Uuid) {
        (self.created_at, self.id)
    }
}

impl TryFrom<OperationRow> for Operation {
    type Error = Error;

    fn try_from(row: OperationRow) -> Result<Self, Error> {
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
                held: row.held.map(|held| word(Held::from_word(&held), TABLE, "held")).transpose()?,
                unseen_since: row.unseen_since,
            },
            state: word(OperationState::from_word(&row.state), TABLE, "state")?,
            spec: json(row.spec, TABLE, "spec")?,
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

row! {
    /// A row of `transitions`.
    #[derive(Debug, FromRow)]
    pub(super) struct TransitionRow {
        id: Uuid,
        image_cache: Uuid,
        sequence: i64,
        generation: i32,
        from_status: Option<String>,
        to_status: String,
        provider_status: Option<String>,
        reason: String,
        at: DateTime<Utc>,
    }
}

impl TransitionRow {
    /// Its place among those of its image cache.
    pub(super) fn sequence(&self) -> i64 {
        self.sequence
    }
}

impl TryFrom<TransitionRow> for Transition {
    type Error = Error;

    fn try_from(row: TransitionRow) -> Result<Self, Error> {
        const TABLE: &str = "transitions";
        let from = row.from_status.map(|status| word(status.parse().ok(), TABLE, "from_status")).transpose()?;
        Ok(Self {
            id: row.id.into(),
            cache: row.image_cache.into(),
            sequence: row.sequence,
            generation: row.generation,
            from,
            to: word(row.to_status.parse().ok(), TABLE, "to_status")?,
            provider_status: row.provider_status,
            reason: row.reason,
            at: row.at,
        })
    }
}

/// Wraps a value for a jsonb column.
pub(super) fn jsonb<T: serde::Serialize>(value: &T) -> Json<&T> {
    Json(value)
}
