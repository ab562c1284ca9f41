//! Who calls: keys, issuers, token exchange, revocations, and the caller as it is seen.

pub(super) mod access_keys;
pub(super) mod api_keys;
pub(super) mod bodies;
pub(super) mod issuers;
pub(super) mod me;
pub(super) mod revocations;
pub(super) mod token_exchange;
