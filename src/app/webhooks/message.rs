//! What is sent to an endpoint: an event in the form that it wants, and the word for how sending ended.

use crate::app::Error;
use crate::app::view::{CLOUD_EVENTS, EventBody, cloud_event};
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EventId;
use crate::domain::webhooks::endpoint::EventFormat;
use crate::webhook::outcome::DeliveryOutcome;

/// What goes over the wire for an event.
pub(in crate::app) struct RenderedMessage {
    pub(in crate::app) content_type: &'static str,
    pub(in crate::app) body: String,
}

impl RenderedMessage {
    /// A body of ours as it is.
    pub(in crate::app) fn native(body: String) -> Self {
        Self { content_type: "application/json", body }
    }
}

/// The body in the form that the endpoint wants: the event's own bytes, or the same as CloudEvents has it.
pub(in crate::app) fn render(
    format: EventFormat,
    team: &TeamId,
    event: EventId,
    body: &str,
) -> Result<RenderedMessage, Error> {
    let body = EventBody::sendable(body);
    match format {
        EventFormat::Native => Ok(RenderedMessage::native(body.into_owned())),
        EventFormat::CloudEvents => {
            let body = cloud_event(team, event, &body).map_err(|error| Error::Internal(error.into()))?;
            Ok(RenderedMessage { content_type: CLOUD_EVENTS, body })
        }
    }
}

/// The outcome of an attempt, as it is stored and shown.
pub(in crate::app) fn word(outcome: DeliveryOutcome) -> &'static str {
    match outcome {
        DeliveryOutcome::Delivered => "delivered",
        DeliveryOutcome::Failed => "failed",
        DeliveryOutcome::Gone => "gone",
        DeliveryOutcome::Refused => "refused",
    }
}
