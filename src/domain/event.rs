//! What happened, for consumers: the types of our events and the key that keeps each from happening twice.

use super::ids::CacheId;
use super::image_cache::ImageCache;
use super::image_cache::status::Status;

/// The type of an event. On the wire these are open strings: consumers must ignore those they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// The cloud has accepted the create.
    Created,
    /// Usable: the first build is done.
    Ready,
    /// The create was refused or the first build failed.
    Failed,
    /// The cloud has accepted an update.
    Updating,
    /// Usable again: the new build is done.
    Updated,
    /// The build of an update failed. (A refused update changes nothing, so it is no event.)
    UpdateFailed,
    /// Removed at our request.
    Deleted,
    /// Vanished after its retention ended.
    Expired,
    /// Dropped by the cloud to make room at the quota.
    Evicted,
    /// Vanished without our doing.
    Lost,
    /// A failed one that the cloud no longer keeps.
    Dropped,
    /// It had ended here, and the cloud shows it.
    Revived,
    /// Changed past the gateway.
    Drifted,
    /// As it was asked for again.
    DriftResolved,
    /// Its retention ends soon.
    Expiring,
    /// What a create that had ended left behind in the cloud was removed.
    OrphanRemoved,
    /// Made without the gateway, and taken over into a team.
    Adopted,
    /// A webhook endpoint has failed for a day.
    EndpointFailing,
    /// A webhook endpoint was switched off.
    EndpointDisabled,
    /// A cloud account was written or removed.
    CloudAccountChanged,
    /// The default policy was written.
    DefaultPolicyChanged,
    /// An issuer was written or removed.
    IssuerChanged,
    /// Too many image caches are missing at the cloud at once.
    MassVanishing,
}

/// What the types begin with that are the platform's, and nobody else's to see.
pub const PLATFORM: &str = "platform.";

impl EventType {
    /// Every type.
    pub const ALL: [Self; 23] = [
        Self::Created,
        Self::Ready,
        Self::Failed,
        Self::Updating,
        Self::Updated,
        Self::UpdateFailed,
        Self::Deleted,
        Self::Expired,
        Self::Evicted,
        Self::Lost,
        Self::Dropped,
        Self::Revived,
        Self::Drifted,
        Self::DriftResolved,
        Self::Expiring,
        Self::OrphanRemoved,
        Self::Adopted,
        Self::EndpointFailing,
        Self::EndpointDisabled,
        Self::CloudAccountChanged,
        Self::DefaultPolicyChanged,
        Self::IssuerChanged,
        Self::MassVanishing,
    ];

    /// The dotted name that stands in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "image_cache.created",
            Self::Ready => "image_cache.ready",
            Self::Failed => "image_cache.failed",
            Self::Updating => "image_cache.updating",
            Self::Updated => "image_cache.updated",
            Self::UpdateFailed => "image_cache.update_failed",
            Self::Deleted => "image_cache.deleted",
            Self::Expired => "image_cache.expired",
            Self::Evicted => "image_cache.evicted",
            Self::Lost => "image_cache.lost",
            Self::Dropped => "image_cache.dropped",
            Self::Revived => "image_cache.revived",
            Self::Drifted => "image_cache.drifted",
            Self::DriftResolved => "image_cache.drift_resolved",
            Self::Expiring => "image_cache.expiring",
            Self::OrphanRemoved => "image_cache.orphan_removed",
            Self::Adopted => "image_cache.adopted",
            Self::EndpointFailing => "webhook_endpoint.failing",
            Self::EndpointDisabled => "webhook_endpoint.disabled",
            Self::CloudAccountChanged => "platform.cloud_account_changed",
            Self::DefaultPolicyChanged => "platform.default_policy_changed",
            Self::IssuerChanged => "platform.issuer_changed",
            Self::MassVanishing => "platform.mass_vanishing",
        }
    }

    /// What it means, in a sentence for the documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Created => "The cloud accepted the create, and the build begins.",
            Self::Ready => "The image cache is usable for the first time.",
            Self::Failed => "The create was refused, or the build failed; `failure` says why.",
            Self::Updating => "The cloud accepted an update, and a new build begins.",
            Self::Updated => "The new build of the image cache is usable.",
            Self::UpdateFailed => {
                "The build of an update failed; `failure` says why. A refused update changes nothing and produces no event."
            }
            Self::Deleted => "The image cache was deleted at a caller's request.",
            Self::Expired => "The image cache disappeared from the cloud after its retention ended.",
            Self::Evicted => {
                "The cloud deleted the image cache, as the least recently used one, to make room at the quota."
            }
            Self::Lost => "The image cache disappeared from the cloud, and the gateway did not delete it.",
            Self::Dropped => {
                "The cloud no longer keeps a failed image cache. It deletes all of them after a day. \
                 The status stays `failed`."
            }
            Self::Revived => {
                "The cloud shows an image cache that was considered gone. It continues under its id; \
                 one that was deleted is deleted again."
            }
            Self::Drifted => "The image cache was changed outside the gateway; `drift` says what changed.",
            Self::DriftResolved => "The image cache is as requested again.",
            Self::Expiring => "The retention of the image cache ends soon, at `expires_at`.",
            Self::OrphanRemoved => {
                "A cache that the create of this image cache had left behind in the cloud, under another id, was deleted."
            }
            Self::Adopted => "An image cache that was created outside the gateway now belongs to the team.",
            Self::EndpointFailing => {
                "A webhook endpoint has received nothing for a day. It is disabled after five days."
            }
            Self::EndpointDisabled => {
                "A webhook endpoint was disabled: its receiver answered 410, or every delivery failed for five days."
            }
            Self::CloudAccountChanged => {
                "A cloud account was created, changed or deleted. Sent to teams with `platform:security`."
            }
            Self::DefaultPolicyChanged => "The default policy was changed. Sent to teams with `platform:security`.",
            Self::IssuerChanged => {
                "An issuer of tokens was created, changed or deleted. Sent to teams with `platform:security`."
            }
            Self::MassVanishing => {
                "Too many image caches are missing from the cloud at the same time; none of them is \
                 declared gone. Sent to teams with `platform:security`."
            }
        }
    }

    /// Whether it is about a webhook endpoint, and not about an image cache.
    pub fn is_of_endpoint(self) -> bool {
        matches!(self, Self::EndpointFailing | Self::EndpointDisabled)
    }

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

    /// The key that makes it happen once, whoever observes it how often: per cache and generation; an end of retention
    /// is told of once, and what may come and go (an end, too) once for each change of the row.
    pub fn dedupe_key_of(self, cache: &ImageCache) -> String {
        match self {
            Self::Drifted
            | Self::DriftResolved
            | Self::Revived
            | Self::Deleted
            | Self::Expired
            | Self::Evicted
            | Self::Lost
            | Self::Dropped => {
                format!("{}:v{}:{}", cache.id, cache.version + 1, self.as_str())
            }
            Self::Expiring => {
                let end = cache.expires_at.map_or(0, |end| end.timestamp());
                format!("{}:{end}:{}", cache.id, self.as_str())
            }
            _ => self.dedupe_key(cache.id, cache.generation),
        }
    }

    /// The key that makes it happen once per cache and generation.
    pub fn dedupe_key(self, cache: CacheId, generation: i32) -> String {
        format!("{cache}:{generation}:{}", self.as_str())
    }
}
