//! The RPC front as SDKs use it: over real sockets, with keys that the gateway issued.
#![cfg(test)]

pub(crate) mod client;
mod coverage;
mod creates;
mod deadlines;
mod golden_requests;
mod life;
mod parameters;
mod policy;
mod refusals;
mod sizes;
mod terraform;
mod unanswered_creates;
