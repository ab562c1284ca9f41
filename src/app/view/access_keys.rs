//! Access keys as an administrator sees them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shown::ShownOnce;
use crate::domain::identity::access_key::AccessKey;

/// A key for the cloud's own API at `/`: unmodified SDKs sign with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AccessKey)]
pub struct AccessKeyView {
    /// The `AccessKeyId`, `LTAI…`.
    pub id: String,
    /// The team that it acts for.
    pub team: String,
    /// What it may do: `read`, `write`.
    pub scopes: Vec<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// The secret: shown once, in the answer to the create or the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub access_key_secret: Option<ShownOnce>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its secret was last replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rotated_at: Option<DateTime<Utc>>,
    /// Who replaced it, and knows it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rotated_by: Option<String>,
    /// Until when it is good; absent where it is so until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when the secret before that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Since when it is no longer taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// The revocation that took it along, `rv_…`; absent where it was revoked by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_with: Option<String>,
}

impl From<AccessKey> for AccessKeyView {
    fn from(key: AccessKey) -> Self {
        Self {
            id: key.id.to_string(),
            team: key.team.to_string(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            description: key.description,
            access_key_secret: None,
            created_by: key.created_by,
            created_at: key.created_at,
            rotated_at: key.rotated_at,
            rotated_by: key.rotated_by,
            expires_at: key.expires_at,
            old_secret_until: key.previous_until,
            revoked_at: key.revoked_at,
            revoked_with: key.revoked_with.map(|id| id.to_string()),
        }
    }
}
