//! A database that restarts, fails over or only reads: what was promised stays, and nobody meets a connection from
//! before.
#![cfg(test)]

mod commits;
mod sessions;
mod standby;
