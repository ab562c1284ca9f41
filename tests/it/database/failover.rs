//! A database that restarts, fails over or becomes read-only: promises are kept, and no old connection is used.
#![cfg(test)]

mod commits;
mod sessions;
mod standby;
