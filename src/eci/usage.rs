//! `ListUsage`: an account's quotas, and what of them is used.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::params::Params;
use super::params::read::{Flat, ParameterError, RequestPairs, region};
use super::{Action, Client, wire};
use crate::domain::failure::CallError;
use crate::domain::region::Region;

/// The answer, as the cloud writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUsageAnswer {
    /// The cloud's id of the call (`RequestId`).
    #[serde(default, deserialize_with = "wire::text")]
    pub request_id: Option<String>,
    /// `Attributes`: an open map, whose numbers may be fractional. Insisted on.
    pub attributes: Map<String, Value>,
    /// What the cloud answers beside these; nothing reads it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Client {
    /// The account's quota and use in a region, under the cloud's own names.
    pub async fn list_usage(&self, region: &Region) -> Result<Map<String, Value>, CallError> {
        let answer: ListUsageAnswer = self.look(Action::Usage, region, written(region)).await?;
        Ok(answer.attributes)
    }
}

/// What is asked, as it is sent.
pub fn written(region: &Region) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    params
}

/// What is asked, as it came: the region, which sources disagree whether it must be given.
pub fn read(params: &RequestPairs) -> Result<Option<Region>, ParameterError> {
    let flat = Flat::new(params);
    if flat.text("RegionId").is_some() { region(&flat).map(Some) } else { Ok(None) }
}
