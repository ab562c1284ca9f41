//! Who calls: tokens and keys become callers, and are made, exchanged, rotated and revoked; which issuers are believed.

pub(super) mod access_keys;
pub(super) mod api_keys;
pub(super) mod authentication;
pub(super) mod issuer_keys;
pub(super) mod issuers;
pub(super) mod key_rules;
pub(super) mod revocations;
pub(super) mod token_exchange;
