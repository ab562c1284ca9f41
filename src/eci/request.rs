//! What a call consists of besides the image cache: the filter of a read, and the attempt of a write.
//!
//! Used by the client and by [`super::params`], which encodes it. It sends nothing.

use crate::domain::clock::Instant;
use crate::domain::ids::OperationId;

/// Which image caches to read; the default is all in the region.
#[derive(Debug, Clone, Default)]
pub struct DescribeQuery {
    /// Only the cache with this id.
    pub eci_cache_id: Option<String>,
    /// Only caches with this operation's tag.
    pub operation_tag: Option<OperationId>,
    /// Only caches with this bucket's tag.
    pub bucket: Option<String>,
    /// Only caches with this name.
    pub name: Option<String>,
    /// The `next_token` of the previous page.
    pub next_token: Option<String>,
}

/// One attempt of an operation: every attempt has the same token and its own timestamp.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The operation. Its id is sent as a tag, by which the image cache is found if the response is lost.
    pub operation: OperationId,
    /// `ClientToken`: at most 64 ASCII characters.
    pub client_token: String,
    /// The `Timestamp` that is signed. It comes from whoever recorded the attempt, so that a pause between recording
    /// and signing cannot keep the request acceptable for longer than was recorded.
    pub signed_at: Instant,
    /// The bucket that the cache is tagged with if the team's tags leave room for it.
    pub bucket: Option<String>,
    /// Our tags that name the owner; as many as fit are sent.
    pub marks: Vec<(String, String)>,
}
