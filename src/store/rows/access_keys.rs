//! `access_keys`: one row for each key of the RPC API.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::identity::access_key::AccessKey;
use crate::domain::identity::caller::Scope;
use crate::store::StoreError;
use crate::store::columns::row;
use crate::store::values::word;

row! {
    /// A row of `access_keys`, without the secret.
    #[derive(FromRow)]
    pub(in crate::store) struct AccessKeyRow {
        id: String,
        team: String,
        scopes: Vec<String>,
        description: Option<String>,
        created_by: Option<String>,
        made_with: Option<Vec<String>>,
        created_at: DateTime<Utc>,
        rotated_at: Option<DateTime<Utc>>,
        rotated_by: Option<String>,
        expires_at: Option<DateTime<Utc>>,
        previous_until: Option<DateTime<Utc>>,
        revoked_at: Option<DateTime<Utc>>,
        revoked_with: Option<Uuid>,
    }
}

impl TryFrom<AccessKeyRow> for AccessKey {
    type Error = StoreError;

    fn try_from(row: AccessKeyRow) -> Result<Self, StoreError> {
        const TABLE: &str = "access_keys";
        Ok(Self {
            id: word(row.id.parse().ok(), TABLE, "id")?,
            team: word(row.team.parse().ok(), TABLE, "team")?,
            // A scope that only a later version knows grants nothing here.
            scopes: row.scopes.iter().filter_map(|name| Scope::from_word(name)).collect(),
            description: row.description,
            created_by: row.created_by,
            made_with: row.made_with.unwrap_or_default(),
            created_at: row.created_at,
            rotated_at: row.rotated_at,
            rotated_by: row.rotated_by,
            expires_at: row.expires_at,
            previous_until: row.previous_until,
            revoked_at: row.revoked_at,
            revoked_with: row.revoked_with.map(Into::into),
        })
    }
}

/// The names of these scopes.
pub(in crate::store) fn words(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}
