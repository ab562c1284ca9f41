//! What a call is made of besides the image cache: what a look is for, and what makes an attempt.
//!
//! Who calls it: the client and [`super::params`], which turns it into parameters. What it does not do: travel.

use crate::domain::clock::Instant;
use crate::domain::ids::OperationId;

/// What to look for; the default is everything in the region.
#[derive(Debug, Clone, Default)]
pub struct DescribeQuery {
    /// Only the cache with this id.
    pub eci_cache_id: Option<String>,
    /// Only caches that carry this operation's tag.
    pub operation_tag: Option<OperationId>,
    /// Only caches that carry this bucket's tag.
    pub bucket: Option<String>,
    /// Only caches of this name.
    pub name: Option<String>,
    /// The page after the one that gave this token.
    pub next_token: Option<String>,
}

/// What makes one attempt of an operation: the same token in each, another time of signing.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The operation; its id becomes the tag by which a lost answer can be found.
    pub operation: OperationId,
    /// `ClientToken`: at most 64 ASCII characters.
    pub client_token: String,
    /// The `Timestamp` that is signed. Whoever recorded the attempt decides it, so that a pause between
    /// recording and signing cannot make the request acceptable for longer than was recorded.
    pub signed_at: Instant,
    /// The bucket whose tag the cache carries, where the team's tags leave room for it.
    pub bucket: Option<String>,
    /// Tags of ours that say whose it is, for as many as find room.
    pub marks: Vec<(String, String)>,
}
