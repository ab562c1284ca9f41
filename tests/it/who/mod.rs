//! Who gets in, and who does not: tokens, API keys, revocations, and what hostile clients send in their place.
#![cfg(test)]

pub(crate) mod api_keys;
mod cases;
mod claims;
mod containment;
mod exchange;
mod exchange_hostile;
mod explained;
mod issuers;
mod jobs;
mod key_sets;
mod leavers;
mod malformed;
mod oddities;
mod pipelines;
mod platform_events;
mod provider;
mod providers;
mod replaced;
mod requests;
mod revocations;
mod signers;
mod tokens;
mod unauthenticated;
