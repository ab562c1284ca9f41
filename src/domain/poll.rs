//! When to read the cloud again, and how: everything that the tracker decides, as pure functions.
//!
//! * [`rhythm`]: lookups happen on a grid of absolute time, and each group has its own phase. Whether a build is due
//!   follows from when its group was last read; no build has a stored schedule of its own.
//! * [`hazard`]: how long builds of a class took determines how long the next lookup may wait.
//! * [`round`]: which caches of a group are tracked, and which of them are due.
//! * [`planner`]: the cheapest mix of single gets, bucket lists and the full list.
//! * [`bucket`]: which builds share a tag, so that one page returns builds that are due together.
//! * [`budget`]: how many calls the cloud accepts, and for what.
//! * [`write_threshold`]: which observations are worth a write.
//!
//! What must stay true: a list is no proof of absence. Pages shift while caches come and go, so a cache that is missing
//! from a list is looked up by id before anything is concluded.
//!
//! Called by `app` (the tracker, and the operations that tag a create). It makes no calls and writes nothing.

pub mod bucket;
pub mod budget;
pub mod hazard;
pub mod planner;
pub mod rhythm;
pub mod round;
pub mod write_threshold;

/// How many caches one page of DescribeImageCaches holds: the only page size that was ever documented.
pub const PAGE: usize = 20;
