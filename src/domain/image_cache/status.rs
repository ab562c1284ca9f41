//! The status machine of one image cache.
//!
//! The cloud knows Preparing, Creating, Ready, Failed, Updating and UpdateFailed. The gateway adds states for the time
//! before the cloud has answered (`pending`), after removal was requested (`deleting`), and after the cloud stopped
//! listing the cache (`deleted`, `expired`, `evicted`, `lost`). A status of the cloud that we do not know becomes
//! `unknown`: visible, and still tracked.

use std::fmt;

/// The status of an image cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Requested; the cloud has not confirmed it yet.
    Pending,
    /// The cloud is preparing the build.
    Preparing,
    /// The cloud is pulling images and taking the snapshot.
    Creating,
    /// Usable.
    Ready,
    /// Will never be usable; the cloud drops it after a day, we keep the record.
    Failed,
    /// A new build is running; whether the old one is usable meanwhile is undocumented.
    Updating,
    /// The last update failed; another update may be tried.
    UpdateFailed,
    /// We asked the cloud to remove it.
    Deleting,
    /// Removed at our request.
    Deleted,
    /// Vanished from the cloud after its retention ended.
    Expired,
    /// Dropped by the cloud to make room at the quota.
    Evicted,
    /// Vanished from the cloud although nobody asked the gateway to remove it.
    Lost,
    /// The cloud reports a status that we do not know.
    Unknown,
}

/// A word that is no status of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be one of pending, preparing, creating, ready, failed, updating, update_failed, deleting, deleted, expired, evicted, lost, unknown"
)]
pub struct StatusError;

impl Status {
    /// Every status, in the order of a cache's life.
    pub const ALL: [Self; 13] = [
        Self::Pending,
        Self::Preparing,
        Self::Creating,
        Self::Ready,
        Self::Failed,
        Self::Updating,
        Self::UpdateFailed,
        Self::Deleting,
        Self::Deleted,
        Self::Expired,
        Self::Evicted,
        Self::Lost,
        Self::Unknown,
    ];

    /// The lower-case word for it in REST, events and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Preparing => "preparing",
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Updating => "updating",
            Self::UpdateFailed => "update_failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// Parses the cloud's own word.
    pub fn from_provider(word: &str) -> Self {
        match word {
            "Preparing" => Self::Preparing,
            "Creating" => Self::Creating,
            "Ready" => Self::Ready,
            "Failed" => Self::Failed,
            "Updating" => Self::Updating,
            "UpdateFailed" => Self::UpdateFailed,
            _ => Self::Unknown,
        }
    }

    /// Nothing more is expected: the cache counts as gone, and nothing tracks it. The only way out is that the cloud
    /// lists it again (`domain::reconcile`), never a step along the graph.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Deleted | Self::Expired | Self::Evicted | Self::Lost)
    }

    /// It ended without a request of ours.
    pub fn has_vanished(self) -> bool {
        self.is_final() && self != Self::Deleted
    }

    /// The cloud is working on it, so the tracker looks again soon.
    pub fn is_in_motion(self) -> bool {
        matches!(self, Self::Preparing | Self::Creating | Self::Updating | Self::Deleting | Self::Unknown)
    }

    /// Built, or never will be: nothing changes at the cloud until somebody asks for it.
    pub fn is_at_rest(self) -> bool {
        matches!(self, Self::Ready | Self::Failed | Self::UpdateFailed)
    }

    /// The cloud has it, and its removal has not been requested.
    pub fn is_shown(self) -> bool {
        self != Self::Deleting && (self.is_in_motion() || self.is_at_rest())
    }

    /// It counts against its team's quota: requested, and neither failed nor being removed.
    pub fn is_counted(self) -> bool {
        self == Self::Pending || (self.is_shown() && self != Self::Failed)
    }

    /// Usable, or will be unless something goes wrong.
    pub fn is_promising(self) -> bool {
        matches!(self, Self::Pending | Self::Preparing | Self::Creating | Self::Updating | Self::Ready)
    }

    /// A wait for `ready` can end: it is usable, or will not be without another request.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Ready | Self::Failed | Self::UpdateFailed | Self::Deleting) || self.is_final()
    }

    /// Whether reporting one at rest as `shown` is so unlikely that a second lookup must confirm it: what is ready is
    /// built, and what has failed never will be.
    pub fn is_unlikely(self, shown: Self) -> bool {
        use Status::{Creating, Failed, Preparing, Ready, UpdateFailed, Updating};
        match self {
            Ready => matches!(shown, Preparing | Creating | Failed | UpdateFailed),
            Failed => matches!(shown, Preparing | Creating | Ready | Updating | UpdateFailed),
            _ => false,
        }
    }

    /// Whether the graph has an edge from `self` to `to`.
    ///
    /// Observations miss what happened between two lookups, so any later stage of the same build is allowed; going back
    /// is not, and a final status has no way out but [`Self::may_come_back_as`].
    pub fn may_become(self, to: Self) -> bool {
        use Status::{
            Creating, Deleted, Deleting, Evicted, Expired, Failed, Lost, Pending, Preparing, Ready, Unknown,
            UpdateFailed, Updating,
        };
        if self == to {
            return false;
        }
        let vanished = matches!(to, Deleted | Expired | Evicted | Lost);
        match self {
            Pending => !matches!(to, Updating | UpdateFailed | Expired | Evicted),
            Preparing => vanished || matches!(to, Creating | Ready | Failed | Deleting | Unknown),
            Creating => vanished || matches!(to, Ready | Failed | Deleting | Unknown),
            Ready => vanished || matches!(to, Updating | Deleting | Unknown),
            // Ready: a copy of the update's request arrived late, and its build was done before the next lookup.
            UpdateFailed => vanished || matches!(to, Ready | Updating | Deleting | Unknown),
            Updating => vanished || matches!(to, Ready | UpdateFailed | Failed | Deleting | Unknown),
            Failed => matches!(to, Deleting | Deleted | Expired | Lost),
            Deleting => matches!(to, Deleted),
            Unknown => to != Pending,
            Deleted | Expired | Evicted | Lost => false,
        }
    }

    /// Whether a cache that has ended, or failed, may become active again as `to`, because the cloud lists it again:
    /// with the status that the cloud reports, except that a deleted one still has to be removed.
    pub fn may_come_back_as(self, to: Self) -> bool {
        match self {
            Self::Deleted => to == Self::Deleting,
            Self::Failed => self.is_unlikely(to),
            Self::Expired | Self::Evicted | Self::Lost => !to.is_final() && to != Self::Pending,
            _ => false,
        }
    }
}

impl std::str::FromStr for Status {
    type Err = StatusError;

    fn from_str(word: &str) -> Result<Self, StatusError> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or(StatusError)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("Ready".parse::<Status>(), Err(StatusError));
    }

    #[test]
    fn final_means_final_and_nothing_returns_to_pending() {
        for from in Status::ALL {
            assert!(!from.may_become(from));
            assert!(!from.may_become(Status::Pending), "{from}");
            assert!(!(from.is_final() && Status::ALL.iter().any(|to| from.may_become(*to))), "{from}");
        }
    }

    #[test]
    fn one_that_failed_goes_on_only_as_what_the_cloud_shows_of_the_living() {
        let on = Status::ALL.into_iter().filter(|to| Status::Failed.may_come_back_as(*to));
        let expected = [Status::Preparing, Status::Creating, Status::Ready, Status::Updating, Status::UpdateFailed];
        assert_eq!(on.collect::<Vec<_>>(), expected);
        assert!(Status::Ready.is_unlikely(Status::Failed) && !Status::Ready.is_unlikely(Status::Updating));
    }

    #[test]
    fn a_word_of_tomorrow_is_unknown_and_still_followed() {
        assert_eq!(Status::from_provider("Warming"), Status::Unknown);
        assert!(Status::Unknown.is_in_motion());
        assert!(Status::Unknown.may_become(Status::Ready));
    }
}
