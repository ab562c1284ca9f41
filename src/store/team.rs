//! One team's data: every read is restricted to its id. [`system`](super::system) has what looks across teams.

pub(super) mod access_keys;
pub(super) mod adoption;
pub(super) mod api_keys;
pub(super) mod audit;
pub(super) mod backlog;
pub(super) mod deliveries;
pub(super) mod description;
pub(super) mod endpoint_changes;
pub(super) mod endpoint_trials;
pub(super) mod endpoints;
pub(super) mod ensure;
pub(super) mod events;
pub(super) mod gate;
pub(super) mod idempotent_responses;
pub(super) mod image_caches;
pub(super) mod operations;
pub(super) mod owed_answers;
pub(super) mod policies;
pub(super) mod redelivery;
pub(super) mod rendered;
pub(super) mod settle;
pub(super) mod transitions;
