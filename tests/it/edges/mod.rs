//! Where the gateway meets what stands before it: proxies that name clients, framing of requests, who is named in the
//! audit although refused, and what answers must not leave behind.
#![cfg(test)]

mod answers;
mod cursors;
mod forwarded;
mod framing;
mod recognized;
