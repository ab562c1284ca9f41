//! The table itself: one row for each field, with all that is known of it. `docs/recipes.md` says how to add one.

/// Hands the rows to the macro `$made`, behind what else it is to have: those that a create cannot do without, those
/// that it may leave out, and the logins, which no spec holds.
///
/// A row is: the field, its type, its type in a REST body; its parameter in the cloud's API, with `N` for a place in a
/// list; what the OpenAPI document says of its values beside the type; \[how it is checked, what an audit entry shows
/// of it, whether it is part of the [content](crate::domain::image_cache::content)\]; what it is for (the text of the
/// OpenAPI document); {the same of an update; empty: an update does not take it}; {the same where an image cache is
/// shown, `if_set`, `if_any` or `always`}. `AcrRegistryJson` and `LoginJson` are each door's own.
macro_rules! spec_fields {
    ($made:ident! { $( $more:tt )* }) => { $made! { { $( $more )* }
{
    name: String as String, "ImageCacheName", (min_length = 1, max_length = 128),
        [ValueForm::Text, AuditForm::Plain, content: false],
        "The name of the image cache (`ImageCacheName`): 1 to 128 characters." like "web-2026-07",
        { "The new name." }, {};

    region: Region as String, "RegionId", (), [ValueForm::Region, AuditForm::Plain, content: false],
        "The region (`RegionId`). It cannot be changed later." like "cn-hangzhou", {}, {};

    images: Vec<String> as Vec<String>, "Image.N", (min_items = 1, max_items = 20),
        [ValueForm::Images, AuditForm::Plain, content: true],
        "The images in the image cache (`Image.N`): 1 to 20 references.", { "The new images, which replace all current ones." }, {};
}
{
    vswitch_ids: Vec<String> as Vec<String>, "VSwitchId", (max_items = 10),
        [ValueForm::Ids { of: "vSwitches" }, AuditForm::Plain, content: false],
        "The vSwitches, from which the cloud chooses one (`VSwitchId`): up to 10.",
        { "The new vSwitches, which replace all current ones." },
        { if_any "The vSwitches, from which the cloud chose one (`VSwitchId`)." };

    security_group_id: Option<String> as String, "SecurityGroupId", (),
        [ValueForm::Id, AuditForm::Plain, content: false],
        "The security group (`SecurityGroupId`).",
        { "The new security group." }, { if_set "The security group (`SecurityGroupId`)." };

    eip_instance_id: Option<String> as String, "EipInstanceId", (), [ValueForm::Id, AuditForm::Plain, content: false],
        "The EIP for pulls over the public network (`EipInstanceId`).",
        { "The new EIP." }, { if_set "The EIP for public pulls (`EipInstanceId`)." };

    size_gib: Option<i32> as i32, "ImageCacheSize", (minimum = 20, maximum = 32768),
        [ValueForm::Number { unit: " (GiB)", usual: Some(20) }, AuditForm::Plain, content: true],
        "The size in GiB (`ImageCacheSize`), 20 to 32768. The cloud's default is 20.",
        { "The new size in GiB." },
        { if_set "The size in GiB (`ImageCacheSize`), if one was requested. The cloud's default is 20." };

    retention_days: Option<i32> as i32, "RetentionDays", (minimum = 1, maximum = 65536),
        [ValueForm::Number { unit: " (days)", usual: None }, AuditForm::Plain, content: false],
        "The number of days until the image cache expires (`RetentionDays`), 1 to 65536. If it is left out, the image cache never expires.",
        { "The new retention in days." }, { if_set "The number of days until the image cache expires (`RetentionDays`). Absent if it never expires." };

    flash: Option<bool> as bool, "Flash", (), [ValueForm::Flag, AuditForm::Plain, content: true],
        "Whether this is a Flash cache (`Flash`), which is usable sooner.",
        { "Whether the image cache is a Flash cache." }, { if_set "Whether this is a Flash cache (`Flash`)." };

    reuse_layers: Option<bool> as bool, "AutoMatchImageCache", (), [ValueForm::Flag, AuditForm::Plain, content: false],
        "Whether the build reuses layers of existing caches (`AutoMatchImageCache`).",
        { "Whether the build reuses layers of existing caches." },
        { if_set "Whether the build reuses layers of existing caches (`AutoMatchImageCache`)." };

    tags: BTreeMap<String, String> as BTreeMap<String, String>, "Tag.N", (),
        [ValueForm::Tags { most: 20 }, AuditForm::Hashed, content: false],
        "Tags (`Tag.N`): up to 20.", { "The new tags, which replace all current ones." }, { always "The tags of the team (`Tag.N`)." };

    zone_id: Option<String> as String, "ZoneId", (), [ValueForm::Id, AuditForm::Plain, content: false],
        "The zone (`ZoneId`). If it is left out, the cloud chooses one.",
        {}, { if_set "The zone (`ZoneId`), if one was requested." };

    resource_group_id: Option<String> as String, "ResourceGroupId", (),
        [ValueForm::Id, AuditForm::Plain, content: false],
        "The resource group (`ResourceGroupId`).",
        { "The new resource group." }, { if_set "The resource group (`ResourceGroupId`)." };

    acr_registries: Vec<AcrRegistry> as Vec<AcrRegistryJson>, "AcrRegistryInfo.N", (max_items = 20),
        [ValueForm::Objects { of: "registries" }, AuditForm::Hashed, content: false],
        "The ACR Enterprise registries that are read without a login (`AcrRegistryInfo.N`): up to 20.",
        { "The new ACR Enterprise registries, which replace all current ones. Their roles cannot be changed." },
        { if_any "ACR Enterprise registries (`AcrRegistryInfo.N`)." };

    plain_http_registries: Vec<String> as Vec<String>, "PlainHttpRegistry", (max_items = 20),
        [ValueForm::Hosts { of: "registries" }, AuditForm::Hashed, content: false],
        "The registries (host, or host:port) that are read over plain HTTP (`PlainHttpRegistry`).",
        {}, { if_any "The registries that are read over plain HTTP (`PlainHttpRegistry`)." };

    insecure_registries: Vec<String> as Vec<String>, "InsecureRegistry", (max_items = 20),
        [ValueForm::Hosts { of: "registries" }, AuditForm::Hashed, content: false],
        "The registries (host, or host:port) whose certificates are not verified (`InsecureRegistry`).",
        {}, { if_any "The registries whose certificates are not verified (`InsecureRegistry`)." };

    comment: Option<String> as String, "Annotations", (max_length = 1024),
        [ValueForm::Text, AuditForm::Hashed, content: false],
        "A comment (`Annotations`): at most 1024 characters.", {}, { if_set "A comment (`Annotations`)." };

    os_type: Option<OsType> as String, "OsType", (), [ValueForm::Word, AuditForm::Plain, content: true],
        "The operating system of the instances (`OsType`): `linux` or `windows`. Defaults to `linux`.",
        {}, { if_set "The operating system of the instances (`OsType`): `linux` or `windows`, if one was requested." };

    standard_copy_count: Option<i32> as i32, "StandardCopyCount", (minimum = 1, maximum = 100),
        [ValueForm::Number { unit: "", usual: Some(1) }, AuditForm::Plain, content: true],
        "The number of regular snapshots (`StandardCopyCount`), 1 to 100: about one per 1,000 instances that are created at once.",
        { "The new number of regular snapshots." },
        { if_set "The number of regular snapshots (`StandardCopyCount`), if one was requested." };

    flash_copy_count: Option<i32> as i32, "FlashCopyCount", (minimum = 1, maximum = 100),
        [ValueForm::Number { unit: "", usual: Some(1) }, AuditForm::Plain, content: true],
        "The number of temporary local snapshots (`FlashCopyCount`), 1 to 100: about one per 1,000 instances that are created at once.",
        { "The new number of local snapshots." },
        { if_set "The number of temporary local snapshots (`FlashCopyCount`), if one was requested." };

    elimination_strategy: Option<EliminationStrategy> as String, "EliminationStrategy", (),
        [ValueForm::Word, AuditForm::Plain, content: false],
        "What happens at the quota (`EliminationStrategy`): `keep`, the default, or `lru`: the least recently used \
         goes first.",
        { "The new strategy for when the quota is reached." },
        { if_set "What happens when the quota is reached (`EliminationStrategy`): `keep` or `lru`, if one was requested." };
}
{
    registry_credentials: Vec<RegistryCredential> as Vec<LoginJson>, "ImageRegistryCredential.N", (max_items = 20),
        [ValueForm::Objects { of: "logins" }, AuditForm::Secret, content: false],
        "The logins to the registries (`ImageRegistryCredential.N`). They are used for this build and not kept.",
        { "The logins to registries for the new build." }, {};
}
    } };
}

pub(crate) use spec_fields;
