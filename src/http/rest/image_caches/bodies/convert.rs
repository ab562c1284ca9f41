//! From bodies to the domain's words.

use chrono::SubsecRound as _;

use super::{AcrRegistryBody, ImageCacheChangesBody, NewAccessKeyBody, NewImageCacheBody, RegistryCredentialBody};
use crate::app::input::NewAccessKey;
use crate::domain::field::FieldError;
use crate::domain::identity::access_key::KEY_SCOPES;
use crate::domain::identity::caller::Scope;
use crate::domain::image_cache::spec::{
    AcrRegistry, EliminationStrategy, ImageCacheChanges, ImageCacheSpec, NewImageCache, OsType, RegistryCredential,
};
use crate::domain::region::Region;

fn logins(bodies: Option<Vec<RegistryCredentialBody>>) -> Vec<RegistryCredential> {
    let bodies = bodies.unwrap_or_default().into_iter();
    let login = |body: RegistryCredentialBody| RegistryCredential {
        server: body.server,
        user_name: body.user_name,
        password: body.password,
    };
    bodies.map(login).collect()
}

fn acr_registries(bodies: Option<Vec<AcrRegistryBody>>) -> Option<Vec<AcrRegistry>> {
    let registry = |body: AcrRegistryBody| AcrRegistry {
        instance_id: body.instance_id,
        instance_name: body.instance_name,
        region_id: body.region_id,
        domains: body.domains.unwrap_or_default(),
        arn_service: body.arn_service,
        arn_user: body.arn_user,
    };
    Some(bodies?.into_iter().map(registry).collect())
}

/// Our word is the cloud's in lower case.
fn os_type(word: Option<String>, errors: &mut Vec<FieldError>) -> Option<OsType> {
    let word = word?;
    let known = OsType::from_wire(&word).filter(|_| word.bytes().all(|letter| letter.is_ascii_lowercase()));
    if known.is_none() {
        errors.push(FieldError::new("/os_type", "invalid", "must be linux or windows"));
    }
    known
}

fn elimination_strategy(word: Option<String>, errors: &mut Vec<FieldError>) -> Option<EliminationStrategy> {
    match word?.as_str() {
        "keep" => Some(EliminationStrategy::Keep),
        "lru" => Some(EliminationStrategy::Lru),
        _ => {
            errors.push(FieldError::new("/elimination_strategy", "invalid", "must be keep or lru"));
            None
        }
    }
}

fn any_region() -> Region {
    "cn-hangzhou".parse().expect("the form is right")
}

impl TryFrom<NewImageCacheBody> for NewImageCache {
    type Error = Vec<FieldError>;

    fn try_from(body: NewImageCacheBody) -> Result<Self, Vec<FieldError>> {
        let (region, mut errors) = match body.region.parse::<Region>() {
            Ok(region) => (region, Vec::new()),
            // Any region does for checking the rest, so that the caller hears of everything at once.
            Err(error) => (any_region(), vec![FieldError::new("/region", "invalid", error.to_string())]),
        };
        let spec = ImageCacheSpec {
            name: body.name,
            region,
            images: body.images,
            vswitch_ids: body.vswitch_ids.unwrap_or_default(),
            security_group_id: body.security_group_id,
            eip_instance_id: body.eip_instance_id,
            size_gib: body.size_gib,
            retention_days: body.retention_days,
            flash: body.flash,
            reuse_layers: body.reuse_layers,
            tags: body.tags.unwrap_or_default(),
            zone_id: body.zone_id,
            resource_group_id: body.resource_group_id,
            acr_registries: acr_registries(body.acr_registries).unwrap_or_default(),
            plain_http_registries: body.plain_http_registries.unwrap_or_default(),
            insecure_registries: body.insecure_registries.unwrap_or_default(),
            annotations: body.annotations,
            os_type: os_type(body.os_type, &mut errors),
            standard_copy_count: body.standard_copy_count,
            flash_copy_count: body.flash_copy_count,
            elimination_strategy: elimination_strategy(body.elimination_strategy, &mut errors),
        };
        let cloud_account = body.cloud_account;
        let new = Self { cloud_account, spec, registry_credentials: logins(body.registry_credentials) };
        if errors.is_empty() {
            return Ok(new);
        }
        errors.extend(new.check().err().into_iter().flatten());
        Err(errors)
    }
}

impl TryFrom<ImageCacheChangesBody> for ImageCacheChanges {
    type Error = Vec<FieldError>;

    fn try_from(body: ImageCacheChangesBody) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let changes = Self {
            name: body.name,
            images: body.images,
            vswitch_ids: body.vswitch_ids,
            security_group_id: body.security_group_id,
            eip_instance_id: body.eip_instance_id,
            size_gib: body.size_gib,
            retention_days: body.retention_days,
            flash: body.flash,
            reuse_layers: body.reuse_layers,
            resource_group_id: body.resource_group_id,
            acr_registries: acr_registries(body.acr_registries),
            standard_copy_count: body.standard_copy_count,
            flash_copy_count: body.flash_copy_count,
            elimination_strategy: elimination_strategy(body.elimination_strategy, &mut errors),
            tags: body.tags,
            registry_credentials: logins(body.registry_credentials),
        };
        if errors.is_empty() { Ok(changes) } else { Err(errors) }
    }
}

impl TryFrom<NewAccessKeyBody> for NewAccessKey {
    type Error = Vec<FieldError>;

    fn try_from(body: NewAccessKeyBody) -> Result<Self, Vec<FieldError>> {
        let expires_at = body.expires_at.map(|end| end.trunc_subsecs(6));
        let Some(words) = body.scopes else {
            return Ok(Self { description: body.description, scopes: KEY_SCOPES.to_vec(), expires_at });
        };
        let (mut scopes, mut errors) = (Vec::new(), Vec::new());
        for (place, word) in words.iter().enumerate() {
            match Scope::from_word(word) {
                Some(scope) if scopes.contains(&scope) => {}
                Some(scope) => scopes.push(scope),
                None => {
                    let field = format!("/scopes/{place}");
                    errors.push(FieldError::new(field, "not_allowed", "must be read or write"));
                }
            }
        }
        let new = Self { description: body.description, scopes, expires_at };
        if errors.is_empty() { Ok(new) } else { Err(errors) }
    }
}
