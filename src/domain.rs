//! Floor 0: what the gateway knows about image caches, without any I/O.
//!
//! Everything that *decides* lives here as a pure function of `(state, input, now)`, so that a test or a
//! simulation can run it a million times with a clock and ids of its own choosing. Nothing here waits,
//! reads a socket, a file, the environment or the system clock (the one exception is
//! [`clock::SystemClock`], which is handed in from the top floor).
//!
//! Who calls it: every other floor. What it does not do: rendering (doors do), storing (`store` does).

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
#[cfg(test)]
pub(crate) mod property;
pub mod reconcile;
pub mod region;
pub mod transition;
pub mod webhooks;
