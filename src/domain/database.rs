//! Databases: their addresses as operators write them, the privileges that the gateway needs, and what can go wrong.
//!
//! Pure: [`address`] parses an address, [`fault`] says why a database cannot be used and what to do about it, `grants`
//! lists privileges, `heartbeats` and `horizon` judge what was read. Called by `config`, which checks addresses, by
//! `store`, which connects, and by `app` and `cli`, which monitor and diagnose.

pub mod address;
pub mod fault;
pub mod grants;
pub mod heartbeats;
pub mod horizon;
