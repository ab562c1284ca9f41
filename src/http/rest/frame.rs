//! The document of the API before any handler has told its part: what it is called, and what its operations are about.

use utoipa::OpenApi;

use crate::app::view::{CloudEventView, EventBody, EventData};
use crate::http::problem::{Problem, ProblemField};

const DESCRIPTION: &str = "Image caches of Alibaba Cloud's Elastic Container Instance, as a service for teams.\n\n\
Times are RFC 3339 in UTC. What is unset is absent, never null. Refusals are RFC 9457 problem details with a stable \
`code`. New members, codes and event types may appear: ignore those that you do not know.";

#[derive(OpenApi)]
#[openapi(
    info(title = "eci-cache-gateway", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/", description = "This gateway")),
    tags(
        (name = "image-caches", description = "Create, follow and remove image caches."),
        (name = "operations", description = "What becomes of a change."),
        (name = "events", description = "What happened, in order."),
        (name = "webhooks", description = "Be told what happened."),
        (name = "audit", description = "Who did what, when, with what outcome."),
        (name = "access-keys", description = "Keys for the cloud's own API at `/`, for unmodified SDKs and Terraform."),
        (name = "api-keys", description = "Keys for this API, as an alternative to tokens of an identity provider."),
        (name = "issuers", description = "Identity providers whose tokens are accepted, and what their claims mean."),
        (name = "token-exchange", description = "Tokens of the gateway's own for those of an identity provider (RFC 8693)."),
        (name = "revocations", description = "Tokens that are refused although their signature is good."),
        (name = "policy", description = "What the team may do, and what it has."),
        (name = "teams", description = "Teams, their policies and what regions fill in: for the platform's administrators."),
        (name = "me", description = "The caller."),
        (name = "operations-pages", description = "For those who run the gateway."),
    ),
    components(schemas(Problem, ProblemField, EventBody, EventData, CloudEventView)),
)]
struct Frame;

/// The document before any handler has told its part.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    document.info.description = Some(DESCRIPTION.to_owned());
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document
}
