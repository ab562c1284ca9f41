//! The outcome of a delivery attempt.

/// The code for a name that resolves to a network in which it was not verified; nothing was sent.
pub const NOT_VERIFIED: &str = "not_verified";

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Answered with 2xx.
    Delivered,
    /// Anything else; may be retried.
    Failed,
    /// Answered with 410: the receiver wants no further messages.
    Gone,
    /// The guard refused the address; nothing was sent.
    Refused,
}
