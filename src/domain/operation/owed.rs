//! The answer that is owed to a caller who creates an image cache through the cloud's own API. That API cannot say
//! "later", so a caller who got no answer assumes that nothing was done, and without a `ClientToken` can never learn
//! otherwise.
//!
//! What must stay true: nobody who received the ids loses the cache without asking for it. An answer is sent only after
//! [`Owed::Sending`] is durable, so [`Owed::Unsent`] means that certainly nobody received the ids. Only such a create
//! is given up, and only as long as nobody else relies on the cache (joining or changing it ends what is owed).
//!
//! If a gateway stops between recording [`Owed::Sending`] and clearing it, nobody can know whether its caller got the
//! answer: the cache stays, and so does that record. While the gateway runs it does know, however late: an answer that
//! could not be written gives the create up.
//!
//! Called by `app`, and by the simulation.

/// What is owed to the caller of a create. None if nothing is owed: the caller got the ids, can ask again with its key,
/// the cloud refused, or somebody else relies on the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owed {
    /// The ids, which certainly were not sent.
    Unsent,
    /// The ids, which may have been sent.
    Sending,
}

impl Owed {
    /// Both, in the order in which they follow each other.
    pub const ALL: [Self; 2] = [Self::Unsent, Self::Sending];

    /// The word for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsent => "unsent",
            Self::Sending => "sending",
        }
    }

    /// What is owed once the cloud has created the cache. `waits`: the caller is still connected to the process that
    /// records this, and is answered next. `keyed`: a repeated request with the same key gets the ids.
    pub fn after_success(waits: bool, keyed: bool) -> Option<Self> {
        match (keyed, waits) {
            (true, _) => None,
            (false, true) => Some(Self::Sending),
            (false, false) => Some(Self::Unsent),
        }
    }

    /// Whether the create is given up if it is still owed when no answer can be in flight any more.
    pub fn is_given_up(self) -> bool {
        self == Self::Unsent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_was_not_told_is_given_up() {
        assert!(Owed::Unsent.is_given_up() && !Owed::Sending.is_given_up());
        assert_eq!(Owed::after_success(true, false), Some(Owed::Sending));
        assert_eq!(Owed::after_success(false, false), Some(Owed::Unsent));
        assert_eq!([true, false].map(|waits| Owed::after_success(waits, true)), [None, None]);
    }
}
