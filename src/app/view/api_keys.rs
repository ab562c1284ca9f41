//! API keys and revocations as an administrator sees them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shown::ShownOnce;
use crate::domain::identity::api_key::ApiKey;
use crate::domain::identity::revocation::{Revocation, Target};
use crate::store::TakenKeys;

/// A key for this API, as an alternative to tokens of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    /// The id, `ak_…`: what the audit calls it.
    pub id: String,
    /// The team that it acts for.
    pub team: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The key itself, `ecg_…`: shown once, in the answer to the create or the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub key: Option<ShownOnce>,
    /// Who made it.
    pub created_by: String,
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
    /// Until when the key as it was before that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub old_key_until: Option<DateTime<Utc>>,
    /// Until when it is good; absent where it is so until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// Since when it is no longer taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// The revocation that took it along, `rv_…`; absent where it was revoked by itself.
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

/// Tokens that are refused although their issuer's signature is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Revocation)]
pub struct RevocationView {
    /// The id, `rv_…`.
    pub id: String,
    /// The `jti` of the one token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jti: Option<String>,
    /// The subject whose tokens are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub subject: Option<String>,
    /// Those of them that were issued before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issued_before: Option<DateTime<Utc>>,
    /// As far as they act for this team; absent where it is every team.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub team: Option<String>,
    /// The API keys that went with it, by id: in the answer to the create only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_api_keys: Option<Vec<String>>,
    /// The access keys that went with it, by id: in the answer to the create only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_access_keys: Option<Vec<String>>,
    /// What may be wrong with it: nobody here has that subject. In the answer to the create only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it is forgotten: every token that it is about has ended by then.
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
            Target::Token(jti) => (Some(jti), None, None),
            Target::Subject { subject, issued_before } => (None, Some(subject), Some(issued_before)),
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
