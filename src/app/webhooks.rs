//! Webhooks: the endpoints that teams keep, what is delivered to them and how that went, and what the platform is told.

pub(super) mod deliverer;
pub(super) mod deliveries;
pub mod endpoints;
pub(super) mod platform_events;
