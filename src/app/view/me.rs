//! The caller as the caller sees itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The caller, as its credential tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The team that it acts for.
    pub team: String,
    /// Who.
    pub subject: String,
    /// Which credential.
    pub credential_id: String,
    /// What it may do.
    pub scopes: Vec<String>,
}
