//! When to look at the cloud again, and in which way: everything that the tracker decides, as pure functions.
//!
//! * [`rhythm`]: looks happen on a grid of absolute time, each group with a phase of its own. Whether a build is
//!   due follows from when its group was looked at last; no build has a schedule of its own to be stored.
//! * [`hazard`]: how long builds of a kind took tells how long the next look may wait.
//! * [`round`]: what of a group is followed, and what of that is due.
//! * [`planner`]: the least of single gets, bucket lists and the full list.
//! * [`bucket`]: which builds are tagged alike, so that one page shows builds that are due together.
//! * [`budget`]: how many calls the cloud bears, and for whom.
//! * [`worth`]: what is worth a write.
//!
//! What must stay true: a list is no proof of absence. Pages shift while caches come and go, so what a list did
//! not show is asked for by id before anything is concluded.
//!
//! Who calls it: `app` (the tracker, and the intents that tag a create). What it does not do: any call or write.

pub mod bucket;
pub mod budget;
pub mod hazard;
pub mod planner;
pub mod rhythm;
pub mod round;
pub mod write_threshold;

/// How many caches one page of DescribeImageCaches shows: the only page size that was ever documented.
pub const PAGE: usize = 20;
