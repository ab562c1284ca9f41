//! What `app` hands in to be written, whole.

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
