//! `ListUsage`: an account's quotas and their usage.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::params::Params;
use super::params::read::{Flat, ParameterError, RequestPairs, region};
use super::{Action, Client, wire};
use crate::domain::failure::CallError;
use crate::domain::region::Region;

/// The response in the cloud's format.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUsageAnswer {
    /// The cloud's id of the call (`RequestId`).
    #[serde(default, deserialize_with = "wire::text")]
    pub request_id: Option<String>,
    /// `Attributes`: an open map whose numbers may be fractional. Required.
    pub attributes: Map<String, Value>,
    /// Everything else in the response; not used.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Client {
    /// The account's quotas and usage in a region, under the cloud's own names.
    pub async fn list_usage(&self, region: &Region) -> Result<Map<String, Value>, CallError> {
        let answer: ListUsageAnswer = self.look(Action::Usage, region, written(region)).await?;
        Ok(answer.attributes)
    }
}

/// The parameters of a request.
pub fn written(region: &Region) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    params
}

/// The region in a request. Sources disagree whether it is required.
pub fn read(params: &RequestPairs) -> Result<Option<Region>, ParameterError> {
    let flat = Flat::new(params);
    if flat.text("RegionId").is_some() { region(&flat).map(Some) } else { Ok(None) }
}
