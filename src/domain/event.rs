//! What happened, for consumers: the types of our events and the key that keeps each from happening twice.
//!
//! What must stay true: each type stands once, in the table.

use super::ids::CacheId;
use super::image_cache::ImageCache;
use super::image_cache::status::Status;

/// What the types begin with that are the platform's, and nobody else's to see.
pub const PLATFORM: &str = "platform.";

/// How often an event about an image cache may happen, whoever observes it how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Once {
    /// Once per image cache and generation.
    Generation,
    /// Once per change of the row: what may come and go (an end, too).
    Change,
    /// Once per end of retention.
    End,
}

/// Makes the types of their table. In a row: what the type means, a text of the API's document, too; the dotted name
/// that stands in the body; and where that is not [`Once::Generation`], how often it may happen.
macro_rules! event_types {
    ($( $(#[doc = $meaning:literal])+ $kind:ident = $name:literal $(, per $once:ident)?; )+) => {
        /// The type of an event. On the wire these are open strings: consumers must ignore those they do not know.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType {
            $( $(#[doc = $meaning])+ $kind, )+
        }

        impl EventType {
            /// Every type, in the order of the table.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// The dotted name that stands in the body.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$kind => $name, )+ }
            }

            /// What it means, for the documentation.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$kind => concat!($($meaning),+).trim_ascii(), )+ }
            }

            const fn once(self) -> Once {
                match self {
                    $( $( Self::$kind => Once::$once, )? )+
                    _ => Once::Generation,
                }
            }
        }
    };
}

event_types! {
    /// The cloud accepted the create, and the build begins.
    Created = "image_cache.created";
    /// The image cache is usable for the first time.
    Ready = "image_cache.ready";
    /// The create was refused, or the build failed; `failure` says why.
    Failed = "image_cache.failed";
    /// The cloud accepted an update, and a new build begins.
    Updating = "image_cache.updating";
    /// The new build of the image cache is usable.
    Updated = "image_cache.updated";
    /// The build of an update failed; `failure` says why. A refused update changes nothing and produces no event.
    UpdateFailed = "image_cache.update_failed";
    /// The image cache was deleted at a caller's request.
    Deleted = "image_cache.deleted", per Change;
    /// The image cache disappeared from the cloud after its retention ended.
    Expired = "image_cache.expired", per Change;
    /// The cloud deleted the image cache, as the least recently used one, to make room at the quota.
    Evicted = "image_cache.evicted", per Change;
    /// The image cache disappeared from the cloud, and the gateway did not delete it.
    Lost = "image_cache.lost", per Change;
    /// The cloud no longer keeps a failed image cache. It deletes all of them after a day. The status stays `failed`.
    Dropped = "image_cache.dropped", per Change;
    /// The cloud shows an image cache that was considered gone. It continues under its id; one that was deleted is
    /// deleted again.
    Revived = "image_cache.revived", per Change;
    /// The image cache was changed outside the gateway; `drift` says what changed.
    Drifted = "image_cache.drifted", per Change;
    /// The image cache is as requested again.
    DriftResolved = "image_cache.drift_resolved", per Change;
    /// The retention of the image cache ends soon, at `expires_at`.
    Expiring = "image_cache.expiring", per End;
    /// A cache that the create of this image cache had left behind in the cloud, under another id, was deleted.
    OrphanRemoved = "image_cache.orphan_removed";
    /// An image cache that was created outside the gateway now belongs to the team.
    Adopted = "image_cache.adopted";
    /// A webhook endpoint has received nothing for a day. It is disabled after five days.
    EndpointFailing = "webhook_endpoint.failing";
    /// A webhook endpoint was disabled: its receiver answered 410, or every delivery failed for five days.
    EndpointDisabled = "webhook_endpoint.disabled";
    /// A cloud account was created, changed or deleted. Sent to teams with `platform:security`.
    CloudAccountChanged = "platform.cloud_account_changed";
    /// The default policy was changed. Sent to teams with `platform:security`.
    DefaultPolicyChanged = "platform.default_policy_changed";
    /// An issuer of tokens was created, changed or deleted. Sent to teams with `platform:security`.
    IssuerChanged = "platform.issuer_changed";
    /// Too many image caches are missing from the cloud at the same time; none of them is declared gone. Sent to teams
    /// with `platform:security`.
    MassVanishing = "platform.mass_vanishing";
}

impl EventType {
    /// Whether it is the platform's.
    pub fn is_platforms(self) -> bool {
        self.as_str().starts_with(PLATFORM)
    }

    /// The names of every type, as a refusal lists them.
    pub fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The event that tells of reaching `status` in `generation`; stages on the way tell nothing.
    pub fn of_arrival(status: Status, generation: i32) -> Option<Self> {
        match status {
            Status::Ready if generation > 1 => Some(Self::Updated),
            Status::Ready => Some(Self::Ready),
            Status::Failed => Some(Self::Failed),
            Status::UpdateFailed => Some(Self::UpdateFailed),
            Status::Deleted => Some(Self::Deleted),
            Status::Expired => Some(Self::Expired),
            Status::Evicted => Some(Self::Evicted),
            Status::Lost => Some(Self::Lost),
            _ => None,
        }
    }

    /// The key that makes it happen as often as its row says.
    pub fn dedupe_key_of(self, cache: &ImageCache) -> String {
        match self.once() {
            Once::Generation => self.dedupe_key(cache.id, cache.generation),
            Once::Change => format!("{}:v{}:{}", cache.id, cache.version + 1, self.as_str()),
            Once::End => {
                let end = cache.expires_at.map_or(0, |end| end.timestamp());
                format!("{}:{end}:{}", cache.id, self.as_str())
            }
        }
    }

    /// The key that makes it happen once per cache and generation.
    pub fn dedupe_key(self, cache: CacheId, generation: i32) -> String {
        format!("{cache}:{generation}:{}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_types_and_says_what_it_is_about() {
        for (place, kind) in EventType::ALL.into_iter().enumerate() {
            assert_eq!(EventType::from_name(kind.as_str()), Some(kind), "place {place}: the name is another's, too");
            let (about, happened) = kind.as_str().split_once('.').unwrap();
            assert!(["image_cache", "webhook_endpoint", "platform"].contains(&about), "{kind:?}");
            assert!(happened.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_'), "{kind:?}");
            assert!(kind.meaning().ends_with('.'), "{kind:?} is explained in whole sentences");
        }
    }
}
