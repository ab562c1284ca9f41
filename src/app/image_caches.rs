//! Image caches as their callers know them: made, changed, removed, waited for, read, found in the cloud and taken over.
//!
//! What is decided is `domain`'s; what has been recorded is carried out by [`operations`](super::operations).

pub(super) mod adoption;
pub(super) mod changes;
pub(super) mod description;
pub(super) mod dry_run;
pub(super) mod ensure;
pub(super) mod gate;
pub(super) mod history;
pub(super) mod matches;
pub(super) mod renderer;
pub(super) mod wait;
pub(super) mod withdrawal;
