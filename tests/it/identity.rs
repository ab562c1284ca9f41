//! Authentication: tokens, API keys, revocations, and what hostile clients send instead.
#![cfg(test)]

pub(crate) mod api_keys;
mod containment;
mod exchange;
mod explain_command;
mod hostile_claims;
mod hostile_exchange;
mod hostile_requests;
mod hostile_tokens;
mod issuer_changes;
mod issuers;
mod jobs;
mod jwks;
mod key_sets;
mod leavers;
mod malformed_keys;
mod pipelines;
mod platform_events;
mod provider;
mod provider_oddities;
mod providers;
mod reported_attacks;
mod revocations;
mod signers;
mod tokens;
