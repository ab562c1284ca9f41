//! The caller as the caller sees itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The caller, as described by its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The team that the caller acts for.
    pub team: String,
    /// The subject of the caller.
    pub subject: String,
    /// The id of the credential that the caller used.
    pub credential_id: String,
    /// The scopes of the caller.
    pub scopes: Vec<String>,
}
