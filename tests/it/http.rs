//! The REST door: what every operation keeps to, its limits, and the server beneath it.
#![cfg(test)]

mod bodies;
mod conventions;
pub(crate) mod coverage;
mod edges;
mod inherited_listener;
mod limits;
mod links;
mod preconditions;
mod server;
