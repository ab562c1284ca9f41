//! Issuers of tokens, as administrators see them: nothing in them is secret.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::identity::issuer::Issuer;
use crate::store::StoredIssuer;

/// An issuer of tokens, and who changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeptIssuer)]
pub struct IssuerView {
    /// Its name.
    pub name: String,
    /// Who changes it: `settings` (the operator; it cannot be changed here) or `api`.
    pub managed_by: String,
    /// The issuer itself, as it is put.
    pub document: Issuer,
    /// Counts the changes; `ETag`. 0 for that of the settings.
    pub version: i64,
    /// When it was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub updated_at: Option<DateTime<Utc>>,
}

impl IssuerView {
    /// That of the settings.
    pub fn of_settings(issuer: Issuer) -> Self {
        let name = issuer.name.clone();
        Self { name, managed_by: "settings".into(), document: issuer, version: 0, created_at: None, updated_at: None }
    }
}

impl From<StoredIssuer> for IssuerView {
    fn from(stored: StoredIssuer) -> Self {
        Self {
            name: stored.issuer.name.clone(),
            managed_by: "api".into(),
            document: stored.issuer,
            version: stored.version,
            created_at: Some(stored.created_at),
            updated_at: Some(stored.updated_at),
        }
    }
}
