//! Webhook endpoints and the deliveries to them.

pub(super) mod bodies;
pub(super) mod deliveries;
pub(super) mod endpoint_actions;
pub(super) mod endpoints;
