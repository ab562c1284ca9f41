//! `transitions`: one row for each change of an image cache's status.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::identity::caller::TeamId;
use crate::domain::image_cache::Transition;
use crate::domain::image_cache::status::Status;
use crate::store::StoreError;
use crate::store::columns::table;
use crate::store::values::word;

/// The values that a row is written from.
pub(in crate::store) struct TransitionToWrite<'a> {
    /// The team that owns the image cache.
    pub(in crate::store) team: &'a TeamId,
    /// The change of status that was observed.
    pub(in crate::store) transition: &'a Transition,
}

table! {
    /// A row of `transitions`.
    #[derive(Debug, FromRow)]
    pub(in crate::store) struct TransitionRow of "transitions" {
        id: Uuid = new.transition.id.uuid(),
        image_cache: Uuid = new.transition.cache.uuid(),
        sequence: i64 = new.transition.sequence,
        generation: i32 = new.transition.generation,
        from_status: Option<String> = new.transition.from.map(Status::as_str),
        to_status: String = new.transition.to.as_str(),
        provider_status: Option<String> = new.transition.provider_status.as_deref(),
        reason: String = new.transition.reason.as_str(),
        at: DateTime<Utc> = new.transition.at,
    }
    written from |new: TransitionToWrite<'a>| {
        team: String = new.team.as_str(),
    }
}

impl TransitionRow {
    /// Its position among the transitions of its image cache.
    pub(in crate::store) fn sequence(&self) -> i64 {
        self.sequence
    }
}

impl TryFrom<TransitionRow> for Transition {
    type Error = StoreError;

    fn try_from(row: TransitionRow) -> Result<Self, StoreError> {
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
