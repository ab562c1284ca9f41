//! Floor 1: how one message leaves the house: signed, guarded, and bounded in time and size.
//!
//! [`secret`] and [`ed25519`] make and read an endpoint's signing keys, [`sign`] signs with it (Standard Webhooks
//! 1.0.0), [`url`] and [`address`] say where a message may go, [`sender`] takes it there, once, over connections that
//! [`dial`] opens and [`pool`] keeps.
//!
//! What must stay true: an endpoint's URL comes from a caller, so it is hostile: no request leaves for an address that
//! the operator has not opened, under whatever spelling; the clouds' metadata services ([`metadata`]) and the gateway's
//! own services ([`own_services`]) are never opened; a name that was verified and moves elsewhere gets nothing there
//! ([`network`]). One attempt ends by its deadline whatever the receiver does, and takes at most 16 KiB of its answer,
//! of which little is shown ([`excerpt`]).
//!
//! Who calls it: `app`, when an endpoint is saved and when a delivery is attempted. What it does not do: queueing,
//! retrying, remembering (`store`, `app` and `worker` do).

pub mod address;
pub mod cidr;
mod dial;
mod echo;
pub mod ed25519;
mod embedded;
pub mod error;
pub mod excerpt;
pub mod explain;
mod fault;
mod headers;
mod link;
pub mod lookup;
pub mod metadata;
pub mod network;
pub mod outcome;
pub mod own_services;
mod pool;
pub mod resolver;
pub mod retry_after;
pub mod secret;
pub mod sender;
pub mod sign;
mod tunnel;
pub mod url;
