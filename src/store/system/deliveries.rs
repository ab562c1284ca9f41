//! The delivery queue: claimed in batches and fairly, finished in batches, never held across a call.
//!
//! [`claims`] takes rows into a worker's hands, [`results`] records how attempts ended, [`workers`] says who is
//! alive and takes from the dead what they held. What must stay true: a row in hand names its worker, and everything
//! about it is written only if it still does, and if it is the same attempt.

mod claims;
mod results;
mod workers;

use chrono::{DateTime, Utc};
pub use claims::Bounds;
pub use results::{FailingEndpoint, Finished};

/// An instant of the database.
type DatabaseTime = DateTime<Utc>;
