//! From the domain's endpoints and deliveries to what is shown.

use super::{AttemptView, DeliveryView, EndpointTestView, EndpointView};
use crate::domain::webhooks::endpoint::Endpoint;
use crate::domain::webhooks::{Delivery, DeliveryAttempt};
use crate::store::PlacedDelivery;
use crate::webhook::excerpt::excerpt;
use crate::webhook::explain::explain;
use crate::webhook::outcome::DeliveryOutcome;
use crate::webhook::sender::Attempted;

/// What stands where a value is not shown.
const MASK: &str = "********";

impl From<Endpoint> for EndpointView {
    fn from(endpoint: Endpoint) -> Self {
        let (options, health) = (endpoint.options, endpoint.health);
        Self {
            id: endpoint.id.to_string(),
            url: endpoint.url.expose().to_owned(),
            description: endpoint.description,
            event_types: options.event_types.iter().map(|kind| kind.as_str().into()).collect(),
            name_pattern: options.name_pattern,
            tags: options.tags,
            rate_per_second: options.rate_per_second,
            ordered: options.ordered,
            format: options.format.as_str().into(),
            headers: endpoint.header_names.into_iter().map(|name| (name, MASK.to_owned())).collect(),
            timeout_seconds: options.timeout_seconds,
            retry_schedule_seconds: options.retry_schedule,
            public_key: endpoint.public_key,
            old_secret_until: endpoint.old_secret_until,
            disabled: !endpoint.enabled,
            disabled_reason: endpoint.disabled_reason,
            consecutive_failures: health.consecutive_failures,
            failing_since: health.failing_since,
            last_success_at: health.last_success_at,
            resting_until: health.resting_until,
            passed_over: health.passed_over,
            passed_over_since: health.passed_over_since,
            secret: None,
            created_at: endpoint.created_at,
            version: endpoint.version,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event.to_string(),
            event_type: delivery.event_type,
            webhook_endpoint_id: delivery.endpoint.to_string(),
            status: delivery.state.as_str().into(),
            attempts: delivery.attempts.into(),
            next_attempt_at: delivery.next_attempt_at,
            last_http_status: delivery.last_http_status.map(Into::into),
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}

impl From<PlacedDelivery> for DeliveryView {
    fn from(placed: PlacedDelivery) -> Self {
        placed.delivery.into()
    }
}

impl From<DeliveryAttempt> for AttemptView {
    fn from(attempt: DeliveryAttempt) -> Self {
        Self {
            number: attempt.number.into(),
            outcome: attempt.outcome,
            http_status: attempt.http_status.map(Into::into),
            duration_ms: attempt.duration_ms,
            response: attempt.response.map(|response| excerpt(response.as_bytes())),
            explanation: attempt.error.as_deref().map(|error| explain(error, status(attempt.http_status), None)),
            error: attempt.error,
            finished_at: attempt.at,
        }
    }
}

fn status(stored: Option<i16>) -> Option<u16> {
    stored.and_then(|status| u16::try_from(status).ok())
}

impl EndpointTestView {
    /// What came of a test with this id.
    pub(in crate::app) fn of(message_id: String, outcome: &str, attempted: &Attempted) -> Self {
        let excerpt = excerpt(&attempted.response_excerpt);
        // The guard's own refusals have nothing to show.
        let response = (attempted.outcome != DeliveryOutcome::Refused && !excerpt.is_empty()).then_some(excerpt);
        Self {
            message_id,
            outcome: outcome.to_owned(),
            http_status: attempted.http_status.map(Into::into),
            duration_ms: i32::try_from(attempted.duration.as_millis()).unwrap_or(i32::MAX),
            response,
            error: attempted.error.map(str::to_owned),
            explanation: attempted
                .error
                .map(|error| explain(error, attempted.http_status, attempted.redirect.as_ref())),
        }
    }
}
