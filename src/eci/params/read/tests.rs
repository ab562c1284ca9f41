//! What SDKs actually send, and which of it is refused.

use secrecy::ExposeSecret as _;

use super::*;
use crate::domain::field::FieldCode;
use crate::domain::image_cache::spec::{EliminationStrategy, OsType};
use crate::eci::usage;

fn own(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const LEAST: [(&str, &str); 3] = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "nginx")];

fn create(extra: &[(&str, &str)]) -> Result<NewImageCache, ParameterError> {
    read_create(&own(&[&LEAST[..], extra].concat())).map(|(new, _)| new)
}

#[test]
fn the_quirks_of_sdks_are_understood() {
    let new = create(&[
        ("Flash", "True"),
        ("AutoMatchImageCache", "FALSE"),
        ("VSwitchId", "vsw-a,vsw-b"),
        ("PlainHttpRegistry", "\"harbor.pre.com,192.168.0.1:5000\""),
        ("InsecureRegistry", "\"a\", \"b\""),
        ("AcrRegistryInfo.1Domain.1", "d1"),
        ("AcrRegistryInfo.1Domain.2", "d2,d3"),
        ("AcrRegistryInfo.1.InstanceId", "cri-1"),
        ("Tag.1.Key", "imc"),
        ("Tag.1.Value", ""),
        ("ImageRegistryCredential.1.Server", "h"),
        ("ImageRegistryCredential.1.UserName", "u"),
        ("ImageRegistryCredential.1.Password", "p&ss"),
        ("Image.10", "third"),
        ("Image.3", "second"),
        ("OwnerId", "1"),
        ("VkClientVersion", "x"),
        ("Annotations", ""),
        ("EliminationStrategy", ""),
        ("OsType", "linux"),
        ("Unheard.Of", "x"),
    ])
    .unwrap();
    assert_eq!((new.spec.flash, new.spec.reuse_layers), (Some(true), Some(false)));
    assert_eq!(new.spec.images, ["nginx", "second", "third"]);
    assert_eq!(new.spec.vswitch_ids, ["vsw-a", "vsw-b"]);
    assert_eq!(new.spec.plain_http_registries, ["harbor.pre.com", "192.168.0.1:5000"]);
    assert_eq!(new.spec.insecure_registries, ["a", "b"]);
    assert_eq!(new.spec.acr_registries[0].domains, ["d1", "d2", "d3"]);
    assert_eq!(new.spec.tags.get("imc").map(String::as_str), Some(""));
    assert_eq!((new.spec.comment, new.spec.os_type), (None, Some(OsType::Linux)));
    assert_eq!(new.spec.elimination_strategy, Some(EliminationStrategy::Keep));
    assert_eq!(new.registry_credentials[0].password.expose_secret(), "p&ss");
}

#[test]
fn what_cannot_be_read_names_its_parameter() {
    for (extra, code, parameter) in [
        (("Image.0", "x"), "InvalidParameter", "Image"),
        (("Image.01", "x"), "InvalidParameter", "Image"),
        (("Image.+1", "x"), "InvalidParameter", "Image"),
        (("Image.21", "x"), "InvalidParameter", "Image"),
        (("Image.1.2", "x"), "InvalidParameter", "Image"),
        (("ImageCacheSize", "20.5"), "InvalidParameter", "ImageCacheSize"),
        (("RetentionDays", "99999999999999999999"), "InvalidParameter", "RetentionDays"),
        (("Flash", "yes"), "InvalidParameter", "Flash"),
        (("Tag.1.Value", "x"), "MissingParameter", "Tag.1.Key"),
        (("AcrRegistryInfo.2.Domain.1", "x"), "MissingParameter", "AcrRegistryInfo.2.InstanceId"),
        (("AcrRegistryInfo.Domain.1", "x"), "InvalidParameter", "AcrRegistryInfo"),
        (("ImageRegistryCredential.1.Server", "x"), "MissingParameter", "ImageRegistryCredential.1.Password"),
        (("EliminationStrategy", "FIFO"), "InvalidParameter", "EliminationStrategy"),
        (("OsType", "Plan9"), "InvalidParameter", "OsType"),
        (("ClientToken", "é"), "InvalidParameter", "ClientToken"),
    ] {
        let refused = create(&[extra]).unwrap_err();
        assert_eq!((refused.code, refused.parameter.as_str()), (code, parameter), "{extra:?}");
        assert!(refused.message.contains(parameter), "{refused}");
    }
    for (missing, (name, _)) in LEAST.iter().enumerate() {
        let mut params = own(&LEAST);
        params.remove(missing);
        let refused = read_create(&params).unwrap_err();
        assert_eq!((refused.code, refused.parameter.as_str()), ("MissingParameter", *name));
    }
}

#[test]
fn updates_deletes_looks_and_usage_are_read() {
    let params =
        own(&[("RegionId", "cn-beijing"), ("ImageCacheId", "imc-1"), ("ClientToken", "t"), ("RetentionDays", "3")]);
    let (id, region, changes, token) = read_update(&params).unwrap();
    assert_eq!((id.as_str(), region.as_str(), token.as_deref()), ("imc-1", "cn-beijing", Some("t")));
    assert_eq!((changes.retention_days, changes.images, changes.tags), (Some(3), None, None));
    assert_eq!(read_delete(&params).unwrap(), ("imc-1".into(), region, Some("t".into())));
    let look = own(&[
        ("RegionId", "cn-beijing"),
        ("MatchImage.1", "nginx:1"),
        ("ImageFullMatch", "True"),
        ("ImageMatchCountRequest", "3"),
        ("Limit", "500"),
        ("Tag.1.Key", "a"),
        ("Image", "nginx"),
        ("NextToken", "AAAA"),
    ]);
    let filter = read_describe(&look).unwrap();
    assert_eq!(
        (filter.match_images, filter.image_full_match, filter.image_match_count),
        (vec!["nginx:1".into()], true, Some(3))
    );
    assert_eq!((filter.limit, filter.tags, filter.image.as_deref()), (20, vec![("a".into(), None)], Some("nginx")));
    for (key, value) in [("Limit", "0"), ("Limit", "-1"), ("ImageMatchCountRequest", "0"), ("MatchImage.101", "x")] {
        let params = own(&[("RegionId", "cn-beijing"), (key, value)]);
        assert_eq!(read_describe(&params).unwrap_err().code, "InvalidParameter", "{key}");
    }
    assert_eq!(usage::read(&[]), Ok(None));
    assert!(usage::read(&own(&[("RegionId", "nowhere")])).is_err());
}

#[test]
fn fields_have_their_names_on_the_wire() {
    for (field, parameter) in [
        ("/size_gib", "ImageCacheSize"),
        ("/images/2", "Image.3"),
        ("/vswitch_ids/1", "VSwitchId"),
        ("/acr_registries/0/domains/1", "AcrRegistryInfo.1.Domain.2"),
        ("/registry_credentials/0/user_name", "ImageRegistryCredential.1.UserName"),
        ("/tags/acs:1", "Tag.acs:1"),
        ("/elsewhere", "/elsewhere"),
        ("", ""),
    ] {
        let refused = ParameterError::of_field(&FieldError::new(field, FieldCode::Invalid, "must be so"));
        assert_eq!((refused.parameter.as_str(), refused.code), (parameter, "InvalidParameter"));
    }
}
