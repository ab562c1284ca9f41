//! Decodes the API's flat parameters into our types: the reverse of [`super`].
//!
//! Checked here: the structure (a number is one, a list is numbered), and that required parameters are there. Limits
//! belong to `domain::spec`; [`ParameterError::of_field`] translates its errors into the names used on the wire. Rules:
//! an empty value counts as absent, except that an empty `EliminationStrategy` means "keep" and a tag's value may be
//! empty; lists are numbered from 1, and gaps are closed without changing the order; booleans are case-insensitive;
//! parameters that an action does not take (such as hidden parameters of SDKs) are ignored.
//!
//! Pure; accepts any input. Of duplicate keys the first counts (`incoming` refuses them).
//!
//! Called by the stand-in and the RPC front with the parameters of an `Incoming`.

use secrecy::SecretString;

use crate::domain::field::FieldError;
use crate::domain::filter::DescribeFilter;
use crate::domain::image_cache::spec::fields::FIELDS;
use crate::domain::image_cache::spec::fields::objects::LOGIN;
use crate::domain::image_cache::spec::values::Texts as _;
use crate::domain::image_cache::spec::{
    AcrRegistry, ImageCacheChanges, ImageCacheSpec, MAX_TAGS, NewImageCache, RegistryCredential,
};
use crate::domain::region::Region;
use fields::Object;
use flat::ObjectFields;

mod fields;
mod flat;
mod names;

pub(in crate::eci) use flat::Flat;
pub use names::parameter;

/// The maximum number of images in `MatchImage.N`.
pub const MAX_MATCH_IMAGES: usize = 100;
/// The largest page; a larger `Limit` is reduced to it.
pub const MAX_LIMIT: u32 = 20;

pub(in crate::eci) type RequestPairs = [(String, String)];
type MaybeClientToken = Option<String>;

/// An invalid or missing parameter; HTTP 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ParameterError {
    /// Its name on the wire, such as `Image.3`.
    pub parameter: String,
    /// `MissingParameter` or `InvalidParameter`.
    pub code: &'static str,
    /// `Message`: names the parameter and what is allowed.
    pub message: String,
}

impl ParameterError {
    /// A required parameter that is missing.
    pub fn missing(parameter: impl Into<String>) -> Self {
        let parameter = parameter.into();
        let message = format!(
            "The input parameter \"{parameter}\" that is mandatory for processing this request is not supplied."
        );
        Self { parameter, code: "MissingParameter", message }
    }

    /// A parameter with an invalid value.
    pub fn invalid(parameter: impl Into<String>, allowed: &str) -> Self {
        let parameter: String = parameter.into().chars().take(100).collect();
        let message = format!("The specified parameter {parameter} is not valid: {allowed}.");
        Self { parameter, code: "InvalidParameter", message }
    }

    /// An error of the domain with the name used on the wire: `/images/2` is `Image.3`.
    pub fn of_field(error: &FieldError) -> Self {
        Self::invalid(names::parameter(&error.field), error.detail.trim_end_matches('.'))
    }
}

/// `CreateImageCache`: the requested image cache and the `ClientToken`. Limits are not checked yet.
pub fn read_create(params: &RequestPairs) -> Result<(NewImageCache, MaybeClientToken), ParameterError> {
    let flat = Flat::new(params);
    // If there are several errors, the one about the region is reported first.
    region(&flat)?;
    let spec = ImageCacheSpec::read(&flat)?;
    if spec.images.is_empty() {
        return Err(ParameterError::missing("Image.1"));
    }
    let new = NewImageCache { cloud_account: None, spec, registry_credentials: logins(&flat)? };
    Ok((new, client_token(&flat)?))
}

/// `UpdateImageCache`: the cloud's id, the region, the changes and the `ClientToken`.
pub fn read_update(
    params: &RequestPairs,
) -> Result<(String, Region, ImageCacheChanges, MaybeClientToken), ParameterError> {
    let flat = Flat::new(params);
    let (id, region) = target(&flat)?;
    let mut changes = ImageCacheChanges::read(&flat)?;
    // An update takes no roles.
    changes.acr_registries = changes.acr_registries.map(|all| all.into_iter().map(without_roles).collect());
    changes.registry_credentials = logins(&flat)?;
    Ok((id, region, changes, client_token(&flat)?))
}

/// `DeleteImageCache`: the cloud's id, the region, and the `ClientToken`.
pub fn read_delete(params: &RequestPairs) -> Result<(String, Region, MaybeClientToken), ParameterError> {
    let flat = Flat::new(params);
    let (id, region) = target(&flat)?;
    Ok((id, region, client_token(&flat)?))
}

/// `DescribeImageCaches`.
pub fn read_describe(params: &RequestPairs) -> Result<DescribeFilter, ParameterError> {
    let flat = Flat::new(params);
    let positive = |name: &str| match flat.number::<u32>(name)? {
        Some(0) => Err(ParameterError::invalid(name, "it must be at least 1")),
        number => Ok(number),
    };
    let tags =
        flat.tags(MAX_TAGS)?.into_iter().map(|(key, value)| (key, Some(value).filter(|value| !value.is_empty())));
    Ok(DescribeFilter {
        region: region(&flat)?,
        eci_cache_id: flat.owned("ImageCacheId"),
        name: flat.owned(FIELDS.name.wire),
        snapshot_id: flat.owned("SnapshotId"),
        image: flat.owned(FIELDS.images.parameter()),
        resource_group_id: flat.owned(FIELDS.resource_group_id.wire),
        tags: tags.collect(),
        match_images: flat.list("MatchImage", MAX_MATCH_IMAGES)?,
        image_full_match: flat.flag("ImageFullMatch")?.unwrap_or(false),
        image_match_count: positive("ImageMatchCountRequest")?,
        limit: positive("Limit")?.unwrap_or(MAX_LIMIT).min(MAX_LIMIT),
        next_token: flat.owned("NextToken"),
    })
}

fn target(flat: &Flat<'_>) -> Result<(String, Region), ParameterError> {
    let region = region(flat)?;
    Ok((flat.required("ImageCacheId")?.to_owned(), region))
}

/// `RegionId`, which every action requires.
pub(in crate::eci) fn region(flat: &Flat<'_>) -> Result<Region, ParameterError> {
    let form = "it must be a region id such as cn-hangzhou";
    flat.required("RegionId")?.parse().map_err(|_| ParameterError::invalid("RegionId", form))
}

fn client_token(flat: &Flat<'_>) -> Result<MaybeClientToken, ParameterError> {
    let token = flat.owned("ClientToken");
    if token.as_ref().is_some_and(|token| token.len() > 64 || !token.is_ascii()) {
        return Err(ParameterError::invalid("ClientToken", "it must be at most 64 ASCII characters"));
    }
    Ok(token)
}

fn logins(flat: &Flat<'_>) -> Result<Vec<RegistryCredential>, ParameterError> {
    let list = &FIELDS.registry_credentials;
    let read = |(place, fields): (usize, ObjectFields<'_>)| {
        let object = Object { list: list.parameter(), place, fields };
        let password = SecretString::from(object.required(&LOGIN.password)?);
        let (server, user_name) = (object.required(&LOGIN.server)?, object.required(&LOGIN.user_name)?);
        Ok(RegistryCredential { server, user_name, password })
    };
    flat.objects(list.parameter(), list.most())?.into_iter().map(read).collect()
}

fn without_roles(registry: AcrRegistry) -> AcrRegistry {
    AcrRegistry { arn_service: None, arn_user: None, ..registry }
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
