//! ACR Enterprise registries, as callers see them; made from the table of their members
//! ([`crate::domain::image_cache::spec::fields::objects`]).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::image_cache::spec::AcrRegistry;
use crate::domain::image_cache::spec::fields::objects::acr_registry_members;

macro_rules! view {
    ( {} { $( $must:tt )* } { $( $may:tt )* } ) => { view! { $( $must )* $( $may )* } };
    ( $( $member:ident: $type:ty as $json:ty, $wire:literal, $schema:tt, $in_update:tt,
        $purpose:literal $( like $example:literal )?,
        { $( if_set $if_set:literal )? $( if_any $if_any:literal )? $( always $always:literal )? }; )* ) => {
        /// An ACR Enterprise registry of an image cache.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[schema(as = AcrRegistry)]
        pub struct AcrRegistryView { $(
            $( #[doc = $if_set] #[serde(skip_serializing_if = "Option::is_none")] #[schema(nullable = false)]
                pub $member: Option<$json>, )?
            $( #[doc = $if_any] #[serde(default, skip_serializing_if = "Vec::is_empty")] pub $member: $json, )?
            $( #[doc = $always] pub $member: $json, )?
        )* }

        impl From<AcrRegistry> for AcrRegistryView {
            fn from(registry: AcrRegistry) -> Self {
                Self { $( $member: registry.$member ),* }
            }
        }
    };
}
acr_registry_members!(view! {});
