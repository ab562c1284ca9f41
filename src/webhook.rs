//! Floor 1: sends one webhook message: signed, only to allowed addresses, and bounded in time and size.
//!
//! [`secret`] and [`ed25519`] create and parse an endpoint's signing keys, [`sign`] signs with them (Standard Webhooks
//! 1.0.0), [`url`] and [`address`] decide where a message may be sent, [`sender`] sends it once, over connections that
//! [`dial`] opens and [`pool`] keeps.
//!
//! What must stay true: an endpoint's URL comes from a caller, so it is untrusted: no request is sent to an address
//! that the operator has not allowed, however it is spelled; the clouds' metadata services ([`metadata`]) and the
//! gateway's own services ([`own_services`]) are never allowed; a verified name that later resolves elsewhere gets
//! nothing there ([`network`]). One attempt ends by its deadline whatever the receiver does, and reads at most 16 KiB
//! of its response, of which little is shown ([`excerpt`]).
//!
//! Called by `app` when an endpoint is saved and when a delivery is attempted; `receiver` verifies signatures with
//! [`sign`]. It does not queue, retry or store (`store`, `app` and `worker` do).

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
