//! Access keys as an administrator sees them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::one_time_secret::OneTimeSecret;
use crate::domain::identity::access_key::AccessKey;

/// A key for the cloud's own API at `/`. Unmodified SDKs sign requests with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AccessKey)]
pub struct AccessKeyView {
    /// The id of the key, which is its `AccessKeyId`: `LTAI…`.
    pub id: String,
    /// The team that the key acts for.
    pub team: String,
    /// The scopes of the key: `read`, `write`.
    pub scopes: Vec<String>,
    /// A description for human readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// The secret of the key. It is shown once, in the response to the create or the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub access_key_secret: Option<OneTimeSecret>,
    /// The subject that created the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_by: Option<String>,
    /// When the key was created.
    pub created_at: DateTime<Utc>,
    /// When the secret of the key was last replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rotated_at: Option<DateTime<Utc>>,
    /// The subject that last replaced the secret, and has known it since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rotated_by: Option<String>,
    /// When the key expires. Absent if it is valid until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When the previous secret stops being valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub old_secret_until: Option<DateTime<Utc>>,
    /// When the key was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// The revocation that also revoked this key, `rv_…`. Absent if the key was revoked directly.
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
