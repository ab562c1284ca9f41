//! What is asked for of an image cache: its create and its update, made from the table of the fields
//! ([`crate::domain::image_cache::spec::fields`]).

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::given;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::image_cache::spec::fields::objects::acr_registry_members;
use crate::domain::image_cache::spec::fields::table::spec_fields;
use crate::domain::image_cache::spec::fields::{FIELDS, Field};
use crate::domain::image_cache::spec::values::Word;
use crate::domain::image_cache::spec::{
    AcrRegistry, ImageCacheChanges, ImageCacheSpec, NewImageCache, RegistryCredential,
};
use crate::domain::region::Region;
use crate::http::extract::JsonBody;

macro_rules! create {
    (
        { $( $more:tt )* }
        { $( $must:ident: $must_type:ty as $must_json:ty, $must_wire:literal, $must_schema:tt, $must_rules:tt,
            $must_purpose:literal $( like $must_example:literal )?, $must_update:tt, $must_shown:tt; )* }
        { $( $may:ident: $may_type:ty as $may_json:ty, $may_wire:literal, $may_schema:tt, $may_rules:tt,
            $may_purpose:literal, $may_update:tt, $may_shown:tt; )* }
        { $( $login:ident: $login_type:ty as $login_json:ty, $login_wire:literal, $login_schema:tt, $login_rules:tt,
            $login_purpose:literal, $login_update:tt, $login_shown:tt; )* }
    ) => {
        /// An image cache to create.
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = ImageCacheCreate)]
        pub(in crate::http::rest) struct NewImageCacheBody {
            $( #[doc = $must_purpose] #[schema $must_schema] $( #[schema(example = $must_example)] )?
                $must: $must_json, )*
            $( $more )*
            $( #[doc = $may_purpose] #[serde(default, deserialize_with = "given")] #[schema(nullable = false)]
                #[schema $may_schema] $may: Option<$may_json>, )*
            $( #[doc = $login_purpose] #[serde(default, deserialize_with = "given")] #[schema(nullable = false)]
                #[schema $login_schema] $login: Option<$login_json>, )*
        }

        impl TryFrom<NewImageCacheBody> for NewImageCache {
            type Error = Vec<FieldError>;

            fn try_from(body: NewImageCacheBody) -> Result<Self, Vec<FieldError>> {
                let mut errors = Vec::new();
                let spec = ImageCacheSpec {
                    $( $must: body.$must.meant(&FIELDS.$must, &mut errors), )*
                    $( $may: body.$may.meant(&FIELDS.$may, &mut errors), )*
                };
                let cloud_account = body.cloud_account;
                let new = Self { cloud_account, spec, $( $login: body.$login.meant(&FIELDS.$login, &mut errors), )* };
                if errors.is_empty() {
                    return Ok(new);
                }
                errors.extend(new.check().err().into_iter().flatten());
                Err(errors)
            }
        }
    };
}
impl JsonBody for NewImageCacheBody {
    fn value_errors(self) -> Vec<FieldError> {
        NewImageCache::try_from(self).and_then(|new| new.check()).err().unwrap_or_default()
    }
}

impl JsonBody for ImageCacheChangesBody {
    fn value_errors(self) -> Vec<FieldError> {
        ImageCacheChanges::try_from(self).err().unwrap_or_default()
    }
}

spec_fields!(create! {
    /// The cloud account. Defaults to the only one that the team's policy allows, or else to the operator's own. It
    /// cannot be changed later.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    cloud_account: Option<String>,
});

macro_rules! update {
    ( {} { $( $must:tt )* } { $( $may:tt )* } { $( $login:tt )* } ) => {
        update! { $( $must )* $( $may )* $( $login )* }
    };
    ( taken $( $field:ident: $json:ty, $schema:tt, $in_update:literal; )* ) => {
        /// Changes to an image cache. Fields that are left out are not changed.
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = ImageCacheUpdate)]
        pub(in crate::http::rest) struct ImageCacheChangesBody {
            $( #[doc = $in_update] #[serde(default, deserialize_with = "given")] #[schema(nullable = false)]
                #[schema $schema] $field: Option<$json>, )*
        }

        impl TryFrom<ImageCacheChangesBody> for ImageCacheChanges {
            type Error = Vec<FieldError>;

            fn try_from(body: ImageCacheChangesBody) -> Result<Self, Vec<FieldError>> {
                let mut errors = Vec::new();
                let changes = Self { $( $field: body.$field.meant(&FIELDS.$field, &mut errors), )* };
                if errors.is_empty() { Ok(changes) } else { Err(errors) }
            }
        }
    };
    ( $( $field:ident: $type:ty as $json:ty, $wire:literal, $schema:tt, $rules:tt,
        $purpose:literal $( like $example:literal )?, { $( $in_update:literal )? }, $shown:tt; )* ) => {
        update! { taken $( $( $field: $json, $schema, $in_update; )? )* }
    };
}
spec_fields!(update! {});

/// A login to a registry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegistryCredential)]
struct LoginJson {
    /// The registry's host, without `https://`.
    #[schema(example = "registry.example.com")]
    server: String,
    /// The user name.
    user_name: String,
    /// The password. It is never shown or logged, and it is not kept longer than is needed to start the build.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

macro_rules! acr_registry {
    (
        {}
        { $( $must:ident: $must_type:ty as $must_json:ty, $must_wire:literal, $must_schema:tt, $must_in_update:tt,
            $must_purpose:literal $( like $must_example:literal )?, $must_shown:tt; )* }
        { $( $may:ident: $may_type:ty as $may_json:ty, $may_wire:literal, $may_schema:tt, $may_in_update:tt,
            $may_purpose:literal, $may_shown:tt; )* }
    ) => {
        /// An ACR Enterprise registry.
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = AcrRegistryInput)]
        struct AcrRegistryJson {
            $( #[doc = $must_purpose] #[schema $must_schema] $( #[schema(example = $must_example)] )?
                $must: $must_json, )*
            $( #[doc = $may_purpose] #[serde(default, deserialize_with = "given")] #[schema(nullable = false)]
                #[schema $may_schema] $may: Option<$may_json>, )*
        }

        impl From<AcrRegistryJson> for AcrRegistry {
            fn from(body: AcrRegistryJson) -> Self {
                // None of them can be wrong.
                let (list, errors) = (&FIELDS.acr_registries, &mut Vec::new());
                Self { $( $must: body.$must, )* $( $may: body.$may.meant(list, errors), )* }
            }
        }
    };
}
acr_registry_members!(acr_registry! {});

/// From what a body says of a field to what is meant. What cannot be meant is noted, and something stands in for it, so
/// that the caller hears of everything at once.
trait IntoSpecValue<T> {
    fn meant(self, field: &'static Field, errors: &mut Vec<FieldError>) -> T;
}

/// What is said is meant.
impl<T> IntoSpecValue<T> for T {
    fn meant(self, _: &'static Field, _: &mut Vec<FieldError>) -> T {
        self
    }
}

impl IntoSpecValue<Region> for String {
    fn meant(self, field: &'static Field, errors: &mut Vec<FieldError>) -> Region {
        self.parse().unwrap_or_else(|error: crate::domain::region::RegionError| {
            errors.push(FieldError::new(field.pointer(), FieldCode::Invalid, error.to_string()));
            "cn-hangzhou".parse().expect("the form is right")
        })
    }
}

/// What is left out is empty.
impl IntoSpecValue<Vec<String>> for Option<Vec<String>> {
    fn meant(self, _: &'static Field, _: &mut Vec<FieldError>) -> Vec<String> {
        self.unwrap_or_default()
    }
}

/// What is left out is empty.
impl IntoSpecValue<BTreeMap<String, String>> for Option<BTreeMap<String, String>> {
    fn meant(self, _: &'static Field, _: &mut Vec<FieldError>) -> BTreeMap<String, String> {
        self.unwrap_or_default()
    }
}

impl IntoSpecValue<Vec<AcrRegistry>> for Option<Vec<AcrRegistryJson>> {
    fn meant(self, field: &'static Field, errors: &mut Vec<FieldError>) -> Vec<AcrRegistry> {
        IntoSpecValue::<Option<Vec<AcrRegistry>>>::meant(self, field, errors).unwrap_or_default()
    }
}

impl IntoSpecValue<Option<Vec<AcrRegistry>>> for Option<Vec<AcrRegistryJson>> {
    fn meant(self, _: &'static Field, _: &mut Vec<FieldError>) -> Option<Vec<AcrRegistry>> {
        self.map(|all| all.into_iter().map(Into::into).collect())
    }
}

impl IntoSpecValue<Vec<RegistryCredential>> for Option<Vec<LoginJson>> {
    fn meant(self, _: &'static Field, _: &mut Vec<FieldError>) -> Vec<RegistryCredential> {
        let login = |LoginJson { server, user_name, password }| RegistryCredential { server, user_name, password };
        self.into_iter().flatten().map(login).collect()
    }
}

impl<W: Word> IntoSpecValue<Option<W>> for Option<String> {
    fn meant(self, field: &'static Field, errors: &mut Vec<FieldError>) -> Option<W> {
        let word = self?;
        let known = W::from_word(&word);
        if known.is_none() {
            let words: Vec<&str> = W::ALL.iter().map(|word| word.as_str()).collect();
            errors.push(FieldError::new(
                field.pointer(),
                FieldCode::Invalid,
                format!("must be {}", words.join(" or ")),
            ));
        }
        known
    }
}
