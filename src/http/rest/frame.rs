//! The document of the API before any handler has told its part: what it is called, and what its operations are about.

use utoipa::OpenApi;

use crate::app::view::{CloudEventView, EventBody, EventData};
use crate::http::problem::{Problem, ProblemField};

const DESCRIPTION: &str = "Image caches of Alibaba Cloud's Elastic Container Instance, as a service for teams.\n\n\
Times are RFC 3339 in UTC. Unset members are absent, never null. Errors are RFC 9457 problem details with a stable \
`code`. New members, codes and event types may be added: ignore those that you do not know.";

#[derive(OpenApi)]
#[openapi(
    info(title = "eci-cache-gateway", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/", description = "This gateway")),
    tags(
        (name = "image-caches", description = "Create, track and delete image caches."),
        (name = "operations", description = "The progress and outcome of changes."),
        (name = "events", description = "A team's events, in order."),
        (name = "webhooks", description = "Endpoints to which events are delivered."),
        (name = "audit", description = "A record of who did what, when, and with what outcome."),
        (name = "access-keys", description = "Keys for the cloud's own API at `/`, for unmodified SDKs and Terraform."),
        (name = "api-keys", description = "Keys for this API, as an alternative to tokens of an identity provider."),
        (name = "issuers", description = "Identity providers whose tokens are accepted, and the rules that interpret their claims."),
        (name = "token-exchange", description = "Tokens of the gateway, issued in exchange for tokens of an identity provider (RFC 8693)."),
        (name = "revocations", description = "Tokens that are refused although their signature is valid."),
        (name = "policy", description = "What the team may do, and its usage."),
        (name = "teams", description = "Teams, their policies and the defaults of regions, for the platform's administrators."),
        (name = "me", description = "The caller of the API."),
        (name = "operations-pages", description = "Health and metrics, for operators of the gateway."),
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
