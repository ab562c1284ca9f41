//! One image cache: what was asked for, made from the table of the fields
//! ([`crate::domain::image_cache::spec::fields`]), between what became of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AcrRegistryView, DriftView, FailureView, StatusView};
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::fields::table::spec_fields;
use crate::domain::image_cache::spec::values::Word;
use crate::domain::image_cache::spec::{AcrRegistry, SIZE_GIB};

/// The name that the table has for it.
type AcrRegistryJson = AcrRegistryView;

macro_rules! view {
    (
        { { $( $before:tt )* } { $( $behind:tt )* } }
        $must:tt
        { $( $field:ident: $type:ty as $json:ty, $wire:literal, $schema:tt, $rules:tt, $purpose:literal, $update:tt,
            { $( if_set $if_set:literal )? $( if_any $if_any:literal )? $( always $always:literal )? }; )* }
        $logins:tt
    ) => {
        /// An image cache.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[schema(as = ImageCache)]
        pub struct ImageCacheView {
            $( $before )*
            $(
                $( #[doc = $if_set] #[serde(skip_serializing_if = "Option::is_none")] #[schema(nullable = false)]
                    pub $field: Option<$json>, )?
                $( #[doc = $if_any] #[serde(default, skip_serializing_if = "Vec::is_empty")] pub $field: $json, )?
                $( #[doc = $always] pub $field: $json, )?
            )*
            $( $behind )*
        }

        impl From<ImageCache> for ImageCacheView {
            fn from(cache: ImageCache) -> Self {
                let spec = cache.spec;
                let size_gib = spec.size_gib.unwrap_or(*SIZE_GIB.start());
                Self {
                    id: cache.id.to_string(),
                    team: cache.team.into(),
                    name: spec.name,
                    cloud_account: cache.account,
                    region: spec.region.into(),
                    images: spec.images,
                    status: cache.status.into(),
                    provider_status: cache.provider_status,
                    progress_percent: cache.progress_percent,
                    generation: cache.generation,
                    version: cache.version,
                    operation_id: cache.operation.to_string(),
                    eci_cache_id: cache.eci_cache_id,
                    container_group_id: cache.container_group_id,
                    snapshot_id: cache.snapshot_id,
                    flash_snapshot_id: cache.flash_snapshot_id,
                    $( $field: spec.$field.shown(), )*
                    last_matched_at: cache.last_matched_at,
                    failure: cache.failure.map(|failure| FailureView::explained(failure, Some(size_gib))),
                    created_at: cache.created_at,
                    updated_at: cache.updated_at,
                    ready_at: cache.ready_at,
                    expires_at: cache.expires_at,
                    drift: cache.reconciled.drift.into_iter().map(Into::into).collect(),
                    dropped_at: cache.reconciled.gone_at,
                }
            }
        }
    };
}
spec_fields!(view! {
    {
        /// The id of the image cache, `ic_…`.
        pub id: String,
        /// The team that owns the image cache.
        pub team: String,
        /// The name of the image cache (the cloud's `ImageCacheName`).
        pub name: String,
        /// The cloud account that contains the image cache.
        // Answers that were kept for idempotency keys before there were several do not have it.
        #[serde(default)]
        #[schema(required = true)]
        pub cloud_account: String,
        /// The region (`RegionId`).
        pub region: String,
        /// The images in the image cache (`Image.N`).
        pub images: Vec<String>,
        /// The status of the image cache.
        pub status: StatusView,
        /// The cloud's own name for the status, once it has reported one.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub provider_status: Option<String>,
        /// The progress of the build in percent. A Flash cache is `ready` before this reaches 100.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub progress_percent: Option<i32>,
        /// The number of the build: 1 for the create, incremented by each update.
        pub generation: i32,
        /// The version, which is incremented by each change; the number in the `ETag`.
        pub version: i64,
        /// The most recent operation on the image cache.
        pub operation_id: String,
        /// The cloud's id of the image cache (`ImageCacheId`, `imc-…`), which a pod pins.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub eci_cache_id: Option<String>,
        /// The container group that builds the image cache (`ContainerGroupId`).
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub container_group_id: Option<String>,
        /// The id of the standard snapshot (`SnapshotId`).
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub snapshot_id: Option<String>,
        /// The id of the local snapshot of a Flash cache (`FlashSnapshotId`), while it exists.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub flash_snapshot_id: Option<String>,
    }
    {
        /// When an instance last used the image cache (`LastMatchedTime`).
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub last_matched_at: Option<DateTime<Utc>>,
        /// Why the image cache failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub failure: Option<FailureView>,
        /// When the image cache was requested.
        pub created_at: DateTime<Utc>,
        /// When the resource was last changed.
        pub updated_at: DateTime<Utc>,
        /// When the current build became usable.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub ready_at: Option<DateTime<Utc>>,
        /// When the cloud will delete the image cache. Absent if it never expires.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub expires_at: Option<DateTime<Utc>>,
        /// What was changed outside the gateway, by field. Absent while the image cache is as requested.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub drift: Vec<DriftView>,
        /// When the gateway found that the cloud no longer keeps this failed image cache.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub dropped_at: Option<DateTime<Utc>>,
    }
});

/// From a value to what is shown of it.
trait IntoView<T> {
    fn shown(self) -> T;
}

/// It is shown as it is.
impl<T> IntoView<T> for T {
    fn shown(self) -> T {
        self
    }
}

impl<W: Word> IntoView<Option<String>> for Option<W> {
    fn shown(self) -> Option<String> {
        self.map(|word| word.as_str().to_owned())
    }
}

impl IntoView<Vec<AcrRegistryView>> for Vec<AcrRegistry> {
    fn shown(self) -> Vec<AcrRegistryView> {
        self.into_iter().map(Into::into).collect()
    }
}
