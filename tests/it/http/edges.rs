//! Where the gateway meets what stands before it: proxies that name clients, framing of requests, who is named in the
//! audit although refused, and what answers must not leave behind.
#![cfg(test)]

mod answers;
mod client_address;
mod cursors;
mod framing;
mod recognized_callers;
