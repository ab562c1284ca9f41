//! The delivery queue: claimed in batches and fairly, finished in batches, never locked during a call.
//!
//! [`claims`] claims rows for a worker, [`results`] records how attempts ended, [`workers`] knows who is alive and
//! takes back what dead workers held. What must stay true: a claimed row names its worker, and everything about it is
//! written only if it still does, and if it is the same attempt.

mod claims;
mod results;
mod workers;

use chrono::{DateTime, Utc};
pub use claims::Bounds;
pub use results::{FailingEndpoint, Finished};

/// A time as the database returns it.
type DatabaseTime = DateTime<Utc>;
