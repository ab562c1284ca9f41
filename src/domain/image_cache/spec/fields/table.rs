//! The table itself: one row for each field, with all that is known of it. `docs/recipes.md` says how to add one.

/// Hands the rows to the macro `$made`, behind what else it is to have: those that a create cannot do without, those
/// that it may leave out, and the logins, which no spec holds.
///
/// A row is: the field, its type, its type in a REST body; its parameter in the cloud's API, with `N` for a place in a
/// list; what the OpenAPI document says of its values beside the type; \[how it is checked, what an audit entry shows
/// of it, whether it is part of the [content](crate::domain::image_cache::content)\]; what it is for (the text of the OpenAPI
/// document); {the same of an update; empty: an update does not take it}; {the same where an image cache is shown,
/// `if_set`, `if_any` or `always`}. `AcrRegistryJson` and `LoginJson` are each door's own.
macro_rules! spec_fields {
    ($made:ident! { $( $more:tt )* }) => { $made! { { $( $more )* }
{
    name: String as String, "ImageCacheName", (min_length = 1, max_length = 128),
        [Form::Text, Told::Shown, content: false],
        "Its name (`ImageCacheName`): 1 to 128 characters." like "web-2026-07",
        { "A new name." }, {};

    region: Region as String, "RegionId", (), [Form::Region, Told::Shown, content: false],
        "The region (`RegionId`). It cannot be changed later." like "cn-hangzhou", {}, {};

    images: Vec<String> as Vec<String>, "Image.N", (min_items = 1, max_items = 20),
        [Form::Images, Told::Shown, content: true],
        "The images in it (`Image.N`): 1 to 20 references.", { "New images, all of them." }, {};
}
{
    vswitch_ids: Vec<String> as Vec<String>, "VSwitchId", (max_items = 10),
        [Form::Ids { of: "vSwitches" }, Told::Shown, content: false],
        "The vSwitches, of which the cloud picks one (`VSwitchId`): up to 10.",
        { "Other vSwitches, all of them." },
        { if_any "The vSwitches, of which the cloud picked one (`VSwitchId`)." };

    security_group_id: Option<String> as String, "SecurityGroupId", (), [Form::Id, Told::Shown, content: false],
        "The security group (`SecurityGroupId`).",
        { "Another security group." }, { if_set "The security group (`SecurityGroupId`)." };

    eip_instance_id: Option<String> as String, "EipInstanceId", (), [Form::Id, Told::Shown, content: false],
        "The EIP for pulls over the public network (`EipInstanceId`).",
        { "Another EIP." }, { if_set "The EIP for public pulls (`EipInstanceId`)." };

    size_gib: Option<i32> as i32, "ImageCacheSize", (minimum = 20, maximum = 32768),
        [Form::Number { unit: " (GiB)", usual: Some(20) }, Told::Shown, content: true],
        "The size in GiB (`ImageCacheSize`), 20 to 32768; the cloud takes 20 where none is given.",
        { "Another size in GiB." },
        { if_set "The size in GiB (`ImageCacheSize`), where one was asked for; the cloud's default is 20." };

    retention_days: Option<i32> as i32, "RetentionDays", (minimum = 1, maximum = 65536),
        [Form::Number { unit: " (days)", usual: None }, Told::Shown, content: false],
        "Days until it expires (`RetentionDays`), 1 to 65536; left out means never.",
        { "Another retention in days." }, { if_set "Days until it expires (`RetentionDays`); absent means never." };

    flash: Option<bool> as bool, "Flash", (), [Form::Flag, Told::Shown, content: true],
        "Whether it is a Flash cache (`Flash`): usable sooner.",
        { "Flash on or off." }, { if_set "Whether it is a Flash cache (`Flash`)." };

    reuse_layers: Option<bool> as bool, "AutoMatchImageCache", (), [Form::Flag, Told::Shown, content: false],
        "Whether layers of existing caches are reused while building (`AutoMatchImageCache`).",
        { "Layer reuse on or off." },
        { if_set "Whether layers of existing caches are reused while building (`AutoMatchImageCache`)." };

    tags: BTreeMap<String, String> as BTreeMap<String, String>, "Tag.N", (),
        [Form::Tags { most: 20 }, Told::Hashed, content: false],
        "Tags (`Tag.N`): up to 20.", { "New tags, all of them." }, { always "The team's tags (`Tag.N`)." };

    zone_id: Option<String> as String, "ZoneId", (), [Form::Id, Told::Shown, content: false],
        "The zone (`ZoneId`); the cloud picks one where none is given.",
        {}, { if_set "The zone (`ZoneId`), where one was asked for." };

    resource_group_id: Option<String> as String, "ResourceGroupId", (), [Form::Id, Told::Shown, content: false],
        "The resource group (`ResourceGroupId`).",
        { "Another resource group." }, { if_set "The resource group (`ResourceGroupId`)." };

    acr_registries: Vec<AcrRegistry> as Vec<AcrRegistryJson>, "AcrRegistryInfo.N", (max_items = 20),
        [Form::Objects { of: "registries" }, Told::Hashed, content: false],
        "ACR Enterprise registries that are read without a login (`AcrRegistryInfo.N`): up to 20.",
        { "Other ACR Enterprise registries, all of them; their roles cannot be changed." },
        { if_any "ACR Enterprise registries (`AcrRegistryInfo.N`)." };

    plain_http_registries: Vec<String> as Vec<String>, "PlainHttpRegistry", (max_items = 20),
        [Form::Hosts { of: "registries" }, Told::Hashed, content: false],
        "Registries (host, or host:port) that are read over plain HTTP (`PlainHttpRegistry`).",
        {}, { if_any "Registries that are read over plain HTTP (`PlainHttpRegistry`)." };

    insecure_registries: Vec<String> as Vec<String>, "InsecureRegistry", (max_items = 20),
        [Form::Hosts { of: "registries" }, Told::Hashed, content: false],
        "Registries (host, or host:port) whose certificate is not checked (`InsecureRegistry`).",
        {}, { if_any "Registries whose certificate is not checked (`InsecureRegistry`)." };

    annotations: Option<String> as String, "Annotations", (max_length = 1024),
        [Form::Text, Told::Hashed, content: false],
        "A comment (`Annotations`): at most 1024 characters.", {}, { if_set "A comment (`Annotations`)." };

    os_type: Option<OsType> as String, "OsType", (), [Form::Word, Told::Shown, content: true],
        "For which instances (`OsType`): `linux`, the default, or `windows`.",
        {}, { if_set "For which instances (`OsType`): `linux` or `windows`, where one was asked for." };

    standard_copy_count: Option<i32> as i32, "StandardCopyCount", (minimum = 1, maximum = 100),
        [Form::Number { unit: "", usual: Some(1) }, Told::Shown, content: true],
        "How many regular snapshots (`StandardCopyCount`), 1 to 100: about one per 1,000 instances created at once.",
        { "Another count of regular snapshots." },
        { if_set "Regular snapshots (`StandardCopyCount`), where a count was asked for." };

    flash_copy_count: Option<i32> as i32, "FlashCopyCount", (minimum = 1, maximum = 100),
        [Form::Number { unit: "", usual: Some(1) }, Told::Shown, content: true],
        "How many temporary local snapshots (`FlashCopyCount`), 1 to 100; the same rule.",
        { "Another count of local snapshots." },
        { if_set "Temporary local snapshots (`FlashCopyCount`), where a count was asked for." };

    elimination_strategy: Option<EliminationStrategy> as String, "EliminationStrategy", (),
        [Form::Word, Told::Shown, content: false],
        "What happens at the quota (`EliminationStrategy`): `keep`, the default, or `lru`: the least recently used \
         goes first.",
        { "Another strategy at the quota." },
        { if_set "What happens at the quota (`EliminationStrategy`): `keep` or `lru`, where it was asked for." };
}
{
    registry_credentials: Vec<RegistryCredential> as Vec<LoginJson>, "ImageRegistryCredential.N", (max_items = 20),
        [Form::Objects { of: "logins" }, Told::Secret, content: false],
        "Logins to the registries (`ImageRegistryCredential.N`): used for this build, then forgotten.",
        { "Logins for the new build." }, {};
}
    } };
}

pub(crate) use spec_fields;
