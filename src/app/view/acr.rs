//! ACR Enterprise registries, as callers see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An ACR Enterprise registry of an image cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AcrRegistry)]
pub struct AcrRegistryView {
    /// The instance (`InstanceId`).
    pub instance_id: String,
    /// Its name (`InstanceName`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub instance_name: Option<String>,
    /// Its region (`RegionId`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region_id: Option<String>,
    /// Its domains (`Domain.M`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// The role that reads it for the service (`ArnService`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub arn_service: Option<String>,
    /// The role of the account that owns it (`ArnUser`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub arn_user: Option<String>,
}
