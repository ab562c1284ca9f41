//! Events as they are read: page by page, as a stream, and the look at the database that all who wait share.

pub(super) mod event_hub;
pub(super) mod feed;
pub(super) mod stream;
