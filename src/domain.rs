//! Floor 0: what the gateway knows about image caches, without any I/O.
//!
//! Everything that *decides* lives here as a pure function of `(state, input, now)`, so that a test or a
//! simulation can run it a million times with a clock and ids of its own choosing. Nothing here waits,
//! reads a socket, a file, the environment or the system clock (the one exception is
//! [`clock::SystemClock`], which is handed in from the top floor).
//!
//! Who calls it: every other floor. What it does not do: rendering (doors do), storing (`store` does).

pub mod access_key;
pub mod account_id;
pub mod adoption;
pub mod api_key;
pub mod audit;
pub mod caller;
pub mod change;
pub mod checkpoint;
pub mod clock;
pub mod cloud_account;
pub mod cloud_endpoint;
pub mod content;
pub mod database;
pub mod delivery_scheduler;
pub mod difference;
pub mod dry_run;
pub mod endpoint;
pub mod entropy;
pub mod event;
pub mod explain;
pub mod failure;
pub mod field;
pub mod filter;
pub mod forwarded;
pub mod gate;
pub mod health;
pub mod horizon;
pub mod ids;
pub mod image_cache;
pub mod image_ref;
pub mod issuer;
pub mod key_life;
pub mod limits;
pub mod matching;
pub mod observation;
pub mod operation;
pub mod policy;
pub mod poll;
pub mod quiet;
pub mod reconcile;
pub mod region;
pub mod retry;
pub mod revocation;
pub mod spec;
pub mod status;
pub mod team;
pub mod token_exchange;
pub mod webhook;
