//! The wire's flat parameters as our words: the reverse of [`super`].
//!
//! Structure is checked here (a number is one, a list is numbered), and what an action cannot do without;
//! limits are `domain::spec`'s, and [`Refused::of_field`] says what it finds in the wire's words. Rules:
//! an empty value counts as absent, except that an empty `EliminationStrategy` says "keep" and a tag's value
//! may be empty; lists are numbered from 1, a gap is closed and the order of the numbers holds; truth
//! is read in any case; what an action does not take (hidden parameters of SDKs among it) is ignored.
//!
//! Pure, and safe to be handed anything; where a key comes twice the first counts (`incoming` refuses it).
//!
//! Who calls it: the stand-in and the RPC front, with the parameters of an `Incoming`.

use secrecy::SecretString;

use crate::domain::field::FieldError;
use crate::domain::filter::DescribeFilter;
use crate::domain::image_cache::spec::{
    AcrRegistry, EliminationStrategy, ImageCacheChanges, ImageCacheSpec, MAX_ACR_DOMAINS, MAX_ACR_REGISTRIES,
    MAX_IMAGES, MAX_REGISTRY_CREDENTIALS, MAX_TAGS, NewImageCache, OsType, RegistryCredential,
};
use crate::domain::region::Region;
use flat::Flat;

mod flat;
mod names;

pub use names::parameter;

/// The most images of `MatchImage.N`.
pub const MAX_MATCH_IMAGES: usize = 100;
/// The largest page; a larger `Limit` is cut to it.
pub const MAX_LIMIT: u32 = 20;

type Pairs = [(String, String)];
type Token = Option<String>;

/// A parameter that cannot be taken; HTTP 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refused {
    /// Its name on the wire, such as `Image.3`.
    pub parameter: String,
    /// `MissingParameter` or `InvalidParameter`.
    pub code: &'static str,
    /// `Message`: names the parameter and what is allowed.
    pub message: String,
}

impl Refused {
    /// A parameter that the action cannot do without.
    pub fn missing(parameter: impl Into<String>) -> Self {
        let parameter = parameter.into();
        let message = format!(
            "The input parameter \"{parameter}\" that is mandatory for processing this request is not supplied."
        );
        Self { parameter, code: "MissingParameter", message }
    }

    /// A parameter that cannot be what it is.
    pub fn invalid(parameter: impl Into<String>, allowed: &str) -> Self {
        let parameter: String = parameter.into().chars().take(100).collect();
        let message = format!("The specified parameter {parameter} is not valid: {allowed}.");
        Self { parameter, code: "InvalidParameter", message }
    }

    /// What the domain found wrong, in the wire's words: `/images/2` is `Image.3`.
    pub fn of_field(error: &FieldError) -> Self {
        Self::invalid(names::parameter(&error.field), error.detail.trim_end_matches('.'))
    }
}

/// `CreateImageCache`: what is wanted, and the `ClientToken`. Limits are not checked yet.
pub fn read_create(params: &Pairs) -> Result<(NewImageCache, Token), Refused> {
    let flat = Flat::new(params);
    let spec = ImageCacheSpec {
        region: region(&flat)?,
        name: flat.required("ImageCacheName")?.to_owned(),
        images: flat.list("Image", MAX_IMAGES)?,
        vswitch_ids: flat.joined("VSwitchId"),
        security_group_id: flat.owned("SecurityGroupId"),
        eip_instance_id: flat.owned("EipInstanceId"),
        size_gib: flat.number("ImageCacheSize")?,
        retention_days: flat.number("RetentionDays")?,
        flash: flat.flag("Flash")?,
        reuse_layers: flat.flag("AutoMatchImageCache")?,
        tags: flat.tags(MAX_TAGS)?,
        zone_id: flat.owned("ZoneId"),
        resource_group_id: flat.owned("ResourceGroupId"),
        acr_registries: acr_registries(&flat)?,
        plain_http_registries: flat.joined("PlainHttpRegistry"),
        insecure_registries: flat.joined("InsecureRegistry"),
        annotations: flat.owned("Annotations"),
        os_type: os_type(&flat)?,
        standard_copy_count: flat.number("StandardCopyCount")?,
        flash_copy_count: flat.number("FlashCopyCount")?,
        elimination_strategy: elimination_strategy(&flat)?,
    };
    if spec.images.is_empty() {
        return Err(Refused::missing("Image.1"));
    }
    let new = NewImageCache { cloud_account: None, spec, registry_credentials: logins(&flat)? };
    Ok((new, client_token(&flat)?))
}

/// `UpdateImageCache`: the cloud's id, the region, what shall be different, and the `ClientToken`.
pub fn read_update(params: &Pairs) -> Result<(String, Region, ImageCacheChanges, Token), Refused> {
    let flat = Flat::new(params);
    let (id, region) = target(&flat)?;
    let changes = ImageCacheChanges {
        name: flat.owned("ImageCacheName"),
        images: given(flat.list("Image", MAX_IMAGES)?),
        vswitch_ids: given(flat.joined("VSwitchId")),
        security_group_id: flat.owned("SecurityGroupId"),
        eip_instance_id: flat.owned("EipInstanceId"),
        resource_group_id: flat.owned("ResourceGroupId"),
        size_gib: flat.number("ImageCacheSize")?,
        retention_days: flat.number("RetentionDays")?,
        flash: flat.flag("Flash")?,
        reuse_layers: flat.flag("AutoMatchImageCache")?,
        standard_copy_count: flat.number("StandardCopyCount")?,
        flash_copy_count: flat.number("FlashCopyCount")?,
        elimination_strategy: elimination_strategy(&flat)?,
        // An update takes no roles.
        acr_registries: given(acr_registries(&flat)?.into_iter().map(without_roles).collect()),
        tags: Some(flat.tags(MAX_TAGS)?).filter(|tags| !tags.is_empty()),
        registry_credentials: logins(&flat)?,
    };
    Ok((id, region, changes, client_token(&flat)?))
}

/// `DeleteImageCache`: the cloud's id, the region, and the `ClientToken`.
pub fn read_delete(params: &Pairs) -> Result<(String, Region, Token), Refused> {
    let flat = Flat::new(params);
    let (id, region) = target(&flat)?;
    Ok((id, region, client_token(&flat)?))
}

/// `DescribeImageCaches`.
pub fn read_describe(params: &Pairs) -> Result<DescribeFilter, Refused> {
    let flat = Flat::new(params);
    let positive = |name: &str| match flat.number::<u32>(name)? {
        Some(0) => Err(Refused::invalid(name, "it must be at least 1")),
        number => Ok(number),
    };
    let tags =
        flat.tags(MAX_TAGS)?.into_iter().map(|(key, value)| (key, Some(value).filter(|value| !value.is_empty())));
    Ok(DescribeFilter {
        region: region(&flat)?,
        eci_cache_id: flat.owned("ImageCacheId"),
        name: flat.owned("ImageCacheName"),
        snapshot_id: flat.owned("SnapshotId"),
        image: flat.owned("Image"),
        resource_group_id: flat.owned("ResourceGroupId"),
        tags: tags.collect(),
        match_images: flat.list("MatchImage", MAX_MATCH_IMAGES)?,
        image_full_match: flat.flag("ImageFullMatch")?.unwrap_or(false),
        image_match_count: positive("ImageMatchCountRequest")?,
        limit: positive("Limit")?.unwrap_or(MAX_LIMIT).min(MAX_LIMIT),
        next_token: flat.owned("NextToken"),
    })
}

/// `ListUsage`: the region, which sources disagree whether it must be given.
pub fn read_list_usage(params: &Pairs) -> Result<Option<Region>, Refused> {
    let flat = Flat::new(params);
    if flat.text("RegionId").is_some() { region(&flat).map(Some) } else { Ok(None) }
}

fn target(flat: &Flat<'_>) -> Result<(String, Region), Refused> {
    let region = region(flat)?;
    Ok((flat.required("ImageCacheId")?.to_owned(), region))
}

fn region(flat: &Flat<'_>) -> Result<Region, Refused> {
    let form = "it must be a region id such as cn-hangzhou";
    flat.required("RegionId")?.parse().map_err(|_| Refused::invalid("RegionId", form))
}

fn client_token(flat: &Flat<'_>) -> Result<Token, Refused> {
    let token = flat.owned("ClientToken");
    if token.as_ref().is_some_and(|token| token.len() > 64 || !token.is_ascii()) {
        return Err(Refused::invalid("ClientToken", "it must be at most 64 ASCII characters"));
    }
    Ok(token)
}

fn elimination_strategy(flat: &Flat<'_>) -> Result<Option<EliminationStrategy>, Refused> {
    let name = "EliminationStrategy";
    let known = |word| EliminationStrategy::from_wire(word).ok_or(Refused::invalid(name, "it must be empty or LRU"));
    flat.raw(name).map(known).transpose()
}

fn os_type(flat: &Flat<'_>) -> Result<Option<OsType>, Refused> {
    let known = |word| OsType::from_wire(word).ok_or(Refused::invalid("OsType", "it must be Linux or Windows"));
    flat.text("OsType").map(known).transpose()
}

fn logins(flat: &Flat<'_>) -> Result<Vec<RegistryCredential>, Refused> {
    let name = "ImageRegistryCredential";
    let read = |(place, fields): (usize, flat::Fields<'_>)| {
        let field = |field: &str| {
            fields.text(field).ok_or_else(|| Refused::missing(format!("{name}.{place}.{field}"))).map(str::to_owned)
        };
        let password = SecretString::from(field("Password")?);
        Ok(RegistryCredential { server: field("Server")?, user_name: field("UserName")?, password })
    };
    flat.objects(name, MAX_REGISTRY_CREDENTIALS)?.into_iter().map(read).collect()
}

fn acr_registries(flat: &Flat<'_>) -> Result<Vec<AcrRegistry>, Refused> {
    let name = "AcrRegistryInfo";
    let read = |(place, fields): (usize, flat::Fields<'_>)| {
        let owned = |field: &str| fields.text(field).map(str::to_owned);
        let instance_id = owned("InstanceId").ok_or_else(|| Refused::missing(format!("{name}.{place}.InstanceId")))?;
        Ok(AcrRegistry {
            instance_id,
            instance_name: owned("InstanceName"),
            region_id: owned("RegionId"),
            domains: fields.list(&format!("{name}.{place}.Domain"), "Domain", MAX_ACR_DOMAINS)?,
            arn_service: owned("ArnService"),
            arn_user: owned("ArnUser"),
        })
    };
    flat.objects(name, MAX_ACR_REGISTRIES)?.into_iter().map(read).collect()
}

fn without_roles(registry: AcrRegistry) -> AcrRegistry {
    AcrRegistry { arn_service: None, arn_user: None, ..registry }
}

fn given<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
