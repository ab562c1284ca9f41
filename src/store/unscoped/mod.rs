//! The few statements that look across teams: what workers need, and nothing else. Every row they return
//! carries its team, and every write they make names it or holds a lease.

pub mod access_keys;
pub mod deliveries;
pub mod janitor;
pub mod operations;
pub mod tracker;
