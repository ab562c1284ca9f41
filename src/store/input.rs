//! The whole values that `app` passes in to be written.

mod events;
mod idempotency;
mod operations;
mod owed;
mod settlement;

pub use events::NewEvent;
pub(super) use events::{About, NOBODYS};
pub use idempotency::NewKey;
pub use operations::{NewCreate, NewOperation};
pub use owed::{OwedAnswer, Waiter};
pub use settlement::{CacheWrite, Settlement};
