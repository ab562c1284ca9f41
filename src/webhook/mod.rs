//! Floor 1: how one message leaves the house: signed, guarded, and bounded in time and size.
//!
//! [`secret`] and [`ed25519`] make and read an endpoint's signing keys, [`sign`] signs with it (Standard Webhooks 1.0.0),
//! [`url`] and [`address`] say where a message may go, [`sender`] takes it there, once, over connections that [`dial`]
//! opens and [`pool`] keeps.
//!
//! What must stay true: an endpoint's URL comes from a caller, so it is hostile: no request leaves for an address that
//! the operator has not opened, under whatever spelling, and the instance metadata services are never opened. One
//! attempt ends by its deadline whatever the receiver does, and takes at most 16 KiB of its answer.
//!
//! Who calls it: `app`, when an endpoint is saved and when a delivery is attempted. What it does not do: queueing,
//! retrying, remembering (`store`, `app` and `worker` do).

pub mod address;
pub mod cidr;
mod dial;
mod echo;
pub mod ed25519;
pub mod explain;
mod fault;
mod link;
mod pool;
pub mod resolver;
pub mod retry_after;
pub mod secret;
pub mod sender;
pub mod sign;
mod tunnel;
pub mod url;
