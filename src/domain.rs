//! Floor 0: what the gateway knows about image caches, without any I/O.
//!
//! Everything that *decides* is here, as a pure function of `(state, input, now)`, so that a test or a simulation can
//! run it a million times with its own clock and ids. Nothing here waits, or reads a socket, a file or the environment.
//! The only code that asks the operating system is that of [`clock::SystemClock`] and `Uptime` (the time) and `Entropy`
//! (a random seed), which the higher floors pass in.
//!
//! Called by every other floor. It does no rendering (the interfaces do) and no storing (`store` does).

pub mod audit;
pub mod clock;
pub mod cloud_account;
pub mod database;
pub mod entropy;
pub mod event;
pub mod explain;
pub mod failure;
pub mod field;
pub mod filter;
pub mod forwarded;
pub mod gate;
pub mod idempotency;
pub mod identity;
pub mod ids;
pub mod image_cache;
pub mod image_ref;
pub mod limits;
pub mod log_limit;
pub mod matching;
pub mod operation;
pub mod policy;
pub mod poll;
pub mod problem;
#[cfg(test)]
pub(crate) mod property;
pub mod reconcile;
pub mod region;
pub mod transition;
pub mod webhooks;
