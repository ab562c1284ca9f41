//! What a field of ours is called on the wire.

/// The fields and their parameters; a list's place follows, counted from 1.
const NAMES: [(&str, &str); 22] = [
    ("name", "ImageCacheName"),
    ("region", "RegionId"),
    ("images", "Image"),
    ("vswitch_ids", "VSwitchId"),
    ("security_group_id", "SecurityGroupId"),
    ("eip_instance_id", "EipInstanceId"),
    ("size_gib", "ImageCacheSize"),
    ("retention_days", "RetentionDays"),
    ("flash", "Flash"),
    ("reuse_layers", "AutoMatchImageCache"),
    ("tags", "Tag"),
    ("zone_id", "ZoneId"),
    ("resource_group_id", "ResourceGroupId"),
    ("acr_registries", "AcrRegistryInfo"),
    ("registry_credentials", "ImageRegistryCredential"),
    ("plain_http_registries", "PlainHttpRegistry"),
    ("insecure_registries", "InsecureRegistry"),
    ("annotations", "Annotations"),
    ("os_type", "OsType"),
    ("standard_copy_count", "StandardCopyCount"),
    ("flash_copy_count", "FlashCopyCount"),
    ("elimination_strategy", "EliminationStrategy"),
];
/// The fields of objects.
const INNER: [(&str, &str); 9] = [
    ("server", "Server"),
    ("user_name", "UserName"),
    ("password", "Password"),
    ("instance_id", "InstanceId"),
    ("instance_name", "InstanceName"),
    ("region_id", "RegionId"),
    ("domains", "Domain"),
    ("arn_service", "ArnService"),
    ("arn_user", "ArnUser"),
];
/// What is one parameter however many values it has.
const JOINED: [&str; 3] = ["VSwitchId", "PlainHttpRegistry", "InsecureRegistry"];

/// The parameter of a JSON pointer: `/acr_registries/0/domains/1` is `AcrRegistryInfo.1.Domain.2`. A tag is
/// told by its key, as it has no place of its own; what has no name on the wire stays as it is.
pub fn parameter(field: &str) -> String {
    let mut parts = field.trim_start_matches('/').split('/');
    let first = parts.next().unwrap_or_default();
    let Some((_, outer)) = NAMES.iter().find(|(name, _)| *name == first) else { return field.to_owned() };
    if JOINED.contains(outer) {
        return (*outer).to_owned();
    }
    let wire = |part: &str| {
        let inner = INNER.iter().find(|(name, _)| *name == part).map(|(_, wire)| (*wire).to_owned());
        let place = || part.parse::<usize>().ok().map(|place| place.saturating_add(1).to_string());
        inner.or_else(|| place().filter(|_| *outer != "Tag")).unwrap_or_else(|| part.to_owned())
    };
    parts.fold((*outer).to_owned(), |name, part| format!("{name}.{}", wire(part)))
}
