//! Issuers of tokens, as administrators see them: nothing in them is secret.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::identity::issuer::Issuer;
use crate::store::StoredIssuer;

/// An issuer of tokens, with its metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeptIssuer)]
pub struct IssuerView {
    /// The name of the issuer.
    pub name: String,
    /// Who manages the resource: `settings` (the operator; it cannot be changed through the API) or `api`.
    pub managed_by: String,
    /// The issuer, in the form in which it is put.
    pub document: Issuer,
    /// The version, which is incremented by each change and used in the `ETag`. 0 for the resource from the gateway's
    /// settings.
    pub version: i64,
    /// When the issuer was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_at: Option<DateTime<Utc>>,
    /// When the issuer was last changed.
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
