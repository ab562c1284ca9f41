//! The document of the API before any handler has told its part: what it is called, and what its operations are about.

use utoipa::OpenApi;
use utoipa::openapi::tag::TagBuilder;

use crate::app::view::{CloudEventView, EventData, EventView};
use crate::http::problem::{Problem, ProblemField};

const DESCRIPTION: &str = "Image caches of Alibaba Cloud's Elastic Container Instance, as a service for teams.\n\n\
Times are RFC 3339 in UTC. Unset members are absent, never null. Errors are RFC 9457 problem details with a stable \
`code`. New members, codes and event types may be added: ignore those that you do not know.";

#[derive(OpenApi)]
#[openapi(
    info(title = "eci-cache-gateway", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/", description = "This gateway")),
    components(schemas(Problem, ProblemField, EventView, EventData, CloudEventView)),
)]
struct Frame;

/// The document before any handler has told its part; `tags` are the subjects of its operations.
pub(super) fn frame(tags: &[(&str, &str)]) -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    let tag =
        |(name, description): &(&str, &str)| TagBuilder::new().name(*name).description(Some(*description)).build();
    document.tags = Some(tags.iter().map(tag).collect());
    document.info.description = Some(DESCRIPTION.to_owned());
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document
}
