//! API keys and revocations as an administrator sees them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::one_time_secret::OneTimeSecret;
use crate::domain::identity::api_key::ApiKey;
use crate::domain::identity::revocation::{Revocation, RevocationTarget};
use crate::store::TakenKeys;

/// A key for this API, as an alternative to tokens of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    /// The id of the key, `ak_…`, as it appears in the audit.
    pub id: String,
    /// The team that the key acts for.
    pub team: String,
    /// The name of the key, for human readers.
    pub name: String,
    /// The scopes of the key.
    pub scopes: Vec<String>,
    /// The key itself, `ecg_…`. It is shown once, in the response to the create or the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub key: Option<OneTimeSecret>,
    /// The subject that created the key.
    pub created_by: String,
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
    /// When the previous key stops being valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub old_key_until: Option<DateTime<Utc>>,
    /// When the key expires. Absent if it is valid until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When the key was last used, accurate to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When the key was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// The revocation that also revoked this key, `rv_…`. Absent if the key was revoked directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_with: Option<String>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            old_key_until: key.overlap(),
            id: key.id.to_string(),
            team: key.team.to_string(),
            name: key.name,
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            key: None,
            created_by: key.created_by,
            created_at: key.created_at,
            rotated_at: key.rotated_at,
            rotated_by: key.rotated_by,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            revoked_with: key.revoked_with.map(|id| id.to_string()),
        }
    }
}

/// A revocation: tokens that are refused although their issuer's signature is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Revocation)]
pub struct RevocationView {
    /// The id of the revocation, `rv_…`.
    pub id: String,
    /// The `jti` of the revoked token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jti: Option<String>,
    /// The subject whose tokens are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub subject: Option<String>,
    /// Only tokens of the subject that were issued before this time are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issued_before: Option<DateTime<Utc>>,
    /// The tokens are refused only when they act for this team. Absent if they are refused for every team.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub team: Option<String>,
    /// The ids of the API keys that were revoked together with the tokens. Only in the response to the create.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_api_keys: Option<Vec<String>>,
    /// The ids of the access keys that were revoked together with the tokens. Only in the response to the create.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_access_keys: Option<Vec<String>>,
    /// What may be wrong with the revocation: the gateway knows nobody with this subject. Only in the response to the
    /// create.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<String>,
    /// The reason for the revocation, for human readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// The subject that created the revocation.
    pub created_by: String,
    /// When the revocation was created.
    pub created_at: DateTime<Utc>,
    /// When the revocation is deleted. By then, every token that it concerns has expired.
    pub kept_until: DateTime<Utc>,
}

impl RevocationView {
    /// One that was made just now, with the keys that went with it.
    pub(in crate::app) fn made(revocation: Revocation, taken: &TakenKeys) -> Self {
        Self {
            revoked_api_keys: Some(taken.api_keys.iter().map(ToString::to_string).collect()),
            revoked_access_keys: Some(taken.access_keys.iter().map(ToString::to_string).collect()),
            ..revocation.into()
        }
    }
}

impl From<Revocation> for RevocationView {
    fn from(revocation: Revocation) -> Self {
        let (jti, subject, issued_before) = match revocation.target {
            RevocationTarget::Token(jti) => (Some(jti), None, None),
            RevocationTarget::Subject { subject, issued_before } => (None, Some(subject), Some(issued_before)),
        };
        Self {
            id: revocation.id.to_string(),
            jti,
            subject,
            issued_before,
            team: revocation.team.map(Into::into),
            revoked_api_keys: None,
            revoked_access_keys: None,
            hint: None,
            reason: revocation.reason,
            created_by: revocation.created_by,
            created_at: revocation.created_at,
            kept_until: revocation.kept_until,
        }
    }
}
