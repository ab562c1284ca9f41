//! What an attempt to deliver comes to.

/// The word for a name that leads to another network than those in which it was verified: nothing was sent.
pub const NOT_VERIFIED: &str = "not_verified";

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Answered with 2xx.
    Delivered,
    /// Anything else; worth another attempt.
    Failed,
    /// Answered with 410: the receiver wants nothing more.
    Gone,
    /// The guard closed the way; nothing was sent.
    Refused,
}
