//! Events, page by page and as streams.

pub(super) mod feed;
pub(super) mod streams;
