//! An update: what is absent stays as it is. UpdateImageCache takes fewer parameters than CreateImageCache;
//! what it does not take is no field here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fields::table::spec_fields;
use super::fields::{FIELDS, Field};
use super::limits::{note_credentials, note_spec};
use super::values::{FieldValue, SpecValue, ValueSource};
use super::{AcrRegistry, EliminationStrategy, ImageCacheSpec, RegistryCredential};
use crate::domain::field::{FieldCode, FieldError, Findings};

macro_rules! changes {
    ( {} { $( $must:tt )* } { $( $may:tt )* } $logins:tt ) => { changes! { $( $must )* $( $may )* } };
    ( taken $( $field:ident: $type:ty, $in_update:literal; )* ) => {
        /// What shall be different. Holds no secret but the logins, which are not serialized. Its fields are those of
        /// the table ([`super::fields`]) that an update takes.
        #[derive(Debug, Clone, Default, Serialize, Deserialize)]
        pub struct ImageCacheChanges {
            $( #[doc = $in_update] pub $field: <$type as SpecValue>::Change, )*
            /// The logins to registries for the new build.
            #[serde(skip)]
            pub registry_credentials: Vec<RegistryCredential>,
        }

        impl ImageCacheChanges {
            /// Every field with what is said of it, without the logins, in the order of the table.
            pub fn given(&self) -> [(&'static Field, FieldValue<'_>); [$( stringify!($field) ),*].len()] {
                [$( (&FIELDS.$field, self.$field.given()) ),*]
            }

            /// Reads every field but the logins, in the order of the table.
            pub fn read<S: ValueSource>(source: &S) -> Result<Self, S::Error> {
                Ok(Self { $( $field: SpecValue::read(source, &FIELDS.$field)?, )* registry_credentials: Vec::new() })
            }

            /// The spec with these changes, unchecked.
            pub fn onto(&self, to: &ImageCacheSpec) -> ImageCacheSpec {
                let mut spec = to.clone();
                $( spec.$field.change(&self.$field); )*
                spec
            }
        }
    };
    ( $( $field:ident: $type:ty as $json:ty, $wire:literal, $schema:tt, $rules:tt,
        $purpose:literal $( like $example:literal )?, { $( $in_update:literal )? }, $shown:tt; )* ) => {
        changes! { taken $( $( $field: $type, $in_update; )? )* }
    };
}
spec_fields!(changes! {});

impl ImageCacheChanges {
    /// The spec with these changes, checked like a new one. An update that changes nothing is refused.
    pub fn apply(&self, to: &ImageCacheSpec) -> Result<ImageCacheSpec, Vec<FieldError>> {
        let mut findings = Findings::default();
        findings.require(!self.is_empty(), "", FieldCode::Required, "give at least one field to change");
        for (place, registry) in self.acr_registries.iter().flatten().enumerate() {
            let fixed = registry.arn_service.is_none() && registry.arn_user.is_none();
            let field = FIELDS.acr_registries.at(place);
            findings.require(
                fixed,
                field,
                FieldCode::NotAllowed,
                "arn_service and arn_user cannot be changed by an update",
            );
        }
        let spec = self.onto(to);
        // Images that are there already are not judged again: they may be older than the rules.
        note_spec(&spec, self.images.is_some(), &mut findings);
        note_credentials(&self.registry_credentials, &mut findings);
        findings.into_result().map(|()| spec)
    }

    /// Whether nothing is given at all.
    pub fn is_empty(&self) -> bool {
        self.registry_credentials.is_empty() && self.given().iter().all(|(_, given)| given.is_unset())
    }
}
