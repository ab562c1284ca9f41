//! Lists, each a type of its own: generics would stand inline in the document and break generators. A resource with a
//! file of its own has its list there, by [`list!`](list).

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::input::FeedPage;
use crate::app::view::{
    AccessKeyView, ApiKeyView, AttemptView, AuditEntryView, CheckpointView, CloudAccountView, DeliveryView,
    EndpointView, EventView, FoundCacheView, ImageCacheView, IssuerView, RegionProfileView, RevocationView, TeamView,
    TransitionView,
};

/// Events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventList {
    /// The items of this page, in the order of the list.
    items: Vec<EventView>,
    /// Whether more events are available now.
    has_more: bool,
    /// The `cursor` with which to continue, immediately or, at the end of the feed, later. Always present.
    pub(super) next_cursor: String,
}

impl From<FeedPage> for EventList {
    fn from(page: FeedPage) -> Self {
        Self { items: page.items, has_more: page.has_more, next_cursor: page.next_cursor }
    }
}

/// A page of items: what `answer::listed` writes.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident of $item:ty) => {
        $(#[$doc])*
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        pub(in crate::http::rest) struct $name {
            /// The items of this page, in the order of the list.
            items: Vec<$item>,
            /// Whether there are more items after this page.
            has_more: bool,
            /// The `cursor` of the next page. Absent on the last page.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            next_cursor: Option<String>,
        }

        impl From<crate::domain::filter::Slice<$item>> for $name {
            fn from(slice: crate::domain::filter::Slice<$item>) -> Self {
                Self { items: slice.items, has_more: slice.next_cursor.is_some(), next_cursor: slice.next_cursor }
            }
        }
    };
}

pub(super) use list;

list!(
    /// Image caches, newest first.
    ImageCacheList of ImageCacheView
);
list!(
    /// Image caches of the cloud that belong to no team, most recently found first.
    FoundImageCacheList of FoundCacheView
);
list!(
    /// The transitions of one image cache, oldest first.
    TransitionList of TransitionView
);
list!(
    /// Webhook endpoints.
    WebhookEndpointList of EndpointView
);
list!(
    /// Deliveries, newest first.
    DeliveryList of DeliveryView
);
list!(
    /// The attempts of one delivery, oldest first.
    DeliveryAttemptList of AttemptView
);
list!(
    /// Audit entries, newest first.
    AuditEntryList of AuditEntryView
);
list!(
    /// Checkpoints of the audit, newest first.
    AuditCheckpointList of CheckpointView
);
list!(
    /// Teams, sorted by id.
    TeamList of TeamView
);
list!(
    /// Region profiles, sorted by cloud account and region.
    RegionProfileList of RegionProfileView
);
list!(
    /// Cloud accounts, sorted by name.
    CloudAccountList of CloudAccountView
);
list!(
    /// Issuers, sorted by name.
    IssuerList of IssuerView
);
list!(
    /// Access keys, newest first.
    AccessKeyList of AccessKeyView
);
list!(
    /// API keys, newest first.
    ApiKeyList of ApiKeyView
);
list!(
    /// Revocations in force, newest first.
    RevocationList of RevocationView
);
