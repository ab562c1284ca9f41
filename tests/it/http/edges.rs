//! The boundary to proxies and clients: the client's address, framing of requests, who is named in the audit despite a
//! refusal, and what responses must not leave behind.
#![cfg(test)]

mod answers;
mod client_address;
mod cursors;
mod framing;
mod recognized_callers;
