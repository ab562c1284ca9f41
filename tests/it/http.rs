//! The REST door: rules for every operation, its limits, and the server below it.
#![cfg(test)]

mod bodies;
mod conventions;
pub(crate) mod coverage;
mod deprecation;
mod discovery;
mod edges;
mod examples;
mod idempotency;
mod inherited_listener;
mod limits;
mod links;
mod preconditions;
mod problems;
mod server;
