//! `api_keys`: one row for each key of the REST API.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::identity::api_key::ApiKey;
use crate::domain::identity::caller::Scope;
use crate::store::StoreError;
use crate::store::columns::row;
use crate::store::values::word;

row! {
    /// A row of `api_keys`, without the hashes.
    #[derive(FromRow)]
    pub(in crate::store) struct ApiKeyRow {
        id: Uuid,
        team: String,
        name: String,
        scopes: Vec<String>,
        created_by: String,
        made_with: Option<Vec<String>>,
        created_at: DateTime<Utc>,
        rotated_at: Option<DateTime<Utc>>,
        rotated_by: Option<String>,
        previous_until: Option<DateTime<Utc>>,
        expires_at: Option<DateTime<Utc>>,
        last_used_at: Option<DateTime<Utc>>,
        revoked_at: Option<DateTime<Utc>>,
        revoked_with: Option<Uuid>,
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            team: word(row.team.parse().ok(), "api_keys", "team")?,
            name: row.name,
            // A scope that only a later version knows grants nothing here.
            scopes: row.scopes.iter().filter_map(|name| Scope::from_word(name)).collect(),
            created_by: row.created_by,
            made_with: row.made_with.unwrap_or_default(),
            created_at: row.created_at,
            rotated_at: row.rotated_at,
            rotated_by: row.rotated_by,
            previous_until: row.previous_until,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            revoked_with: row.revoked_with.map(Into::into),
        })
    }
}
