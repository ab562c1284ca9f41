//! Why something failed: the cloud's own words, and beside them what they mean.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::explain::explain;
use crate::domain::image_cache::Failure;

/// Why a build or a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureView {
    /// The cloud's error code, or the reason of its event.
    pub code: String,
    /// The cloud's message, with secrets redacted.
    pub message: String,
    /// A stable code for the cause: `image_not_found`, `registry_login`, `image_too_large`, `network`, `quota`,
    /// `subnet_full`, `zone_mismatch`, `no_stock`, `account_disabled`, `gateway_key`, `permission`, …; `unclear` if
    /// the gateway does not know the cloud's reason. New codes may be added.
    #[serde(default)]
    #[schema(required = true)]
    pub cause: String,
    /// The cause, in a sentence.
    #[serde(default)]
    #[schema(required = true)]
    pub explanation: String,
    /// How to resolve the problem.
    #[serde(default)]
    #[schema(required = true)]
    pub hint: String,
    /// Whether the same request may succeed later without changes.
    pub retryable: bool,
    /// The cloud's RequestId, to quote when you contact its support.
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
