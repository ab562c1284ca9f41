//! Why something failed: the cloud's own words, and beside them what they mean.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::explain::explain;
use crate::domain::image_cache::Failure;

/// Why a build or a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureView {
    /// The cloud's code or the reason of its event.
    pub code: String,
    /// The cloud's own words, with secrets blanked.
    pub message: String,
    /// Why, as a stable word: `image_not_found`, `registry_login`, `image_too_large`, `network`, `quota`,
    /// `subnet_full`, `zone_mismatch`, `no_stock`, `account_disabled`, `gateway_key`, `permission`, …; `unclear` where
    /// the gateway does not know the cloud's reason. New words may appear.
    #[serde(default)]
    #[schema(required = true)]
    pub cause: String,
    /// Why, in a sentence.
    #[serde(default)]
    #[schema(required = true)]
    pub explanation: String,
    /// What to do about it.
    #[serde(default)]
    #[schema(required = true)]
    pub hint: String,
    /// Whether the same request may succeed later, unchanged.
    pub retryable: bool,
    /// The cloud's RequestId, for a ticket with its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_request_id: Option<String>,
}

impl FailureView {
    /// The cloud's words with what they mean for a cache of that size.
    pub(crate) fn explained(failure: Failure, size_gib: Option<i32>) -> Self {
        let explanation = explain(&failure.code, &failure.message, size_gib);
        Self {
            cause: explanation.cause.as_str().into(),
            explanation: explanation.sentence.into(),
            hint: explanation.hint.into_owned(),
            retryable: failure.retryable || explanation.retryable,
            code: failure.code,
            message: failure.message,
            provider_request_id: failure.provider_request_id,
        }
    }
}
