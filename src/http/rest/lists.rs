//! Lists, each a type of its own: generics would stand inline in the document and break generators.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::input::FeedPage;
use crate::app::view::{
    AccessKeyView, ApiKeyView, AttemptView, AuditEntryView, CheckpointView, CloudAccountView, DeliveryView,
    EndpointView, EventView, FoundCacheView, ImageCacheView, IssuerView, OperationView, RegionProfileView,
    RevocationView, TeamCostView, TeamView, TransitionView,
};
use crate::domain::filter::Slice;

/// Events, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventList {
    /// The items, in the list's order.
    items: Vec<EventView>,
    /// Whether there are more already.
    has_more: bool,
    /// What `cursor` continues it: at once, or at the end later. Always given.
    pub(super) next_cursor: String,
}

impl From<FeedPage> for EventList {
    fn from(page: FeedPage) -> Self {
        Self { items: page.items, has_more: page.has_more, next_cursor: page.next_cursor }
    }
}

macro_rules! list {
    ($(#[$doc:meta])* $name:ident of $item:ty) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, ToSchema)]
        pub(super) struct $name {
            /// The items, in the list's order.
            items: Vec<$item>,
            /// Whether there are more.
            has_more: bool,
            /// What `cursor` continues it; absent at the end.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            next_cursor: Option<String>,
        }

        impl From<Slice<$item>> for $name {
            fn from(slice: Slice<$item>) -> Self {
                Self { items: slice.items, has_more: slice.next_cursor.is_some(), next_cursor: slice.next_cursor }
            }
        }
    };
}

list!(
    /// Image caches, the newest first.
    ImageCacheList of ImageCacheView
);
list!(
    /// Image caches of the cloud that no team has, the newest finding first.
    FoundImageCacheList of FoundCacheView
);
list!(
    /// The transitions of one image cache, the first first.
    TransitionList of TransitionView
);
list!(
    /// Webhook endpoints.
    WebhookEndpointList of EndpointView
);
list!(
    /// Deliveries, the newest first.
    DeliveryList of DeliveryView
);
list!(
    /// The attempts at one delivery, the first first.
    DeliveryAttemptList of AttemptView
);
list!(
    /// Audit entries, the newest first.
    AuditEntryList of AuditEntryView
);
list!(
    /// Checkpoints of the audit, the newest first.
    AuditCheckpointList of CheckpointView
);
list!(
    /// Teams, by id.
    TeamList of TeamView
);
list!(
    /// Region profiles, by cloud account and region.
    RegionProfileList of RegionProfileView
);
list!(
    /// Cloud accounts, by name.
    CloudAccountList of CloudAccountView
);
list!(
    /// Issuers, by name.
    IssuerList of IssuerView
);
list!(
    /// Access keys, the newest first.
    AccessKeyList of AccessKeyView
);
list!(
    /// API keys, the newest first.
    ApiKeyList of ApiKeyView
);
list!(
    /// Operations that have not ended, those first that were asked for first.
    OperationList of OperationView
);
list!(
    /// What each team costs, by its id.
    TeamCostList of TeamCostView
);
list!(
    /// Revocations in force, the newest first.
    RevocationList of RevocationView
);
