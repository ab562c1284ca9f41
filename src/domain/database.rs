//! Databases as operators write them down, and what can be wrong with reaching one.
//!
//! Pure: [`address`] reads an address, [`fault`] says in a sentence why a database cannot be used and what to do about
//! it. Who calls it: `config`, which checks addresses, and `store`, which connects.

pub mod address;
pub mod fault;
pub mod grants;
pub mod heartbeats;
pub mod horizon;
