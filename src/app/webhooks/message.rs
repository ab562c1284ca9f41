//! What is sent to an endpoint: an event in the endpoint's format; and the names of the outcomes.

use crate::app::Error;
use crate::app::view::{CLOUD_EVENTS, EventBody, cloud_event};
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EventId;
use crate::domain::webhooks::endpoint::EventFormat;
use crate::webhook::outcome::DeliveryOutcome;

/// The message that goes over the wire for an event.
pub(in crate::app) struct RenderedMessage {
    pub(in crate::app) content_type: &'static str,
    pub(in crate::app) body: String,
}

impl RenderedMessage {
    /// A body in our own format.
    pub(in crate::app) fn native(body: String) -> Self {
        Self { content_type: "application/json", body }
    }
}

/// The message in the endpoint's format: the stored body with the event's id, or the same as a `CloudEvent`.
pub(in crate::app) fn render(
    format: EventFormat,
    team: &TeamId,
    event: EventId,
    body: &str,
) -> Result<RenderedMessage, Error> {
    let body = EventBody::message(event, body);
    match format {
        EventFormat::Native => Ok(RenderedMessage::native(body)),
        EventFormat::CloudEvents => {
            let body = cloud_event(team, event, &body).map_err(|error| Error::Internal(error.into()))?;
            Ok(RenderedMessage { content_type: CLOUD_EVENTS, body })
        }
    }
}

/// The name of an attempt's outcome, as it is stored and shown.
pub(in crate::app) fn word(outcome: DeliveryOutcome) -> &'static str {
    match outcome {
        DeliveryOutcome::Delivered => "delivered",
        DeliveryOutcome::Failed => "failed",
        DeliveryOutcome::Gone => "gone",
        DeliveryOutcome::Refused => "refused",
    }
}
