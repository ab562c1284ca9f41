//! Who gets in, and who does not: tokens, API keys, revocations, and what hostile clients send in their place.
#![cfg(test)]

pub(crate) mod api_keys;
mod cases;
mod claims;
mod containment;
mod malformed;
mod requests;
mod revocations;
mod signers;
mod tokens;
