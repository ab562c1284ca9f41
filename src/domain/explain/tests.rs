//! Each cause, tested with the words that it really comes with.

use super::Cause::{
    AccountDisabled, BadRequest, Certificate, CloudBusy, GatewayKey, ImageNotFound, ImageTooLarge, Network, NoStock,
    NotEnabled, NotThere, Permission, Platform, Quota, RegistryBusy, RegistryLogin, SubnetFull, TokenReused, Unclear,
    Withdrawn, WrongState, ZoneMismatch,
};
use super::*;

#[test]
fn refusals_are_known_by_their_codes() {
    for (code, cause) in [
        ("QuotaExceeded.ImageCache", Quota),
        ("InvalidVSwitchId.IpNotEnough", SubnetFull),
        ("EipAddressPoolIpNotEnough", SubnetFull),
        ("OperationDenied.VswZoneMisMatch", ZoneMismatch),
        ("OperationDenied.SecurityGroupMisMatch", ZoneMismatch),
        ("OperationDenied.NoStock", NoStock),
        ("Zone.NotOnSale", NoStock),
        ("Account.Arrearage", AccountDisabled),
        ("Forbidden.UserBussinessStatus", AccountDisabled),
        ("Forbidden.AccessKeyDisabled", GatewayKey),
        ("InvalidAccessKeyId.NotFound", GatewayKey),
        ("InvalidAccessKeyId.Inactive", GatewayKey),
        ("InvalidAccessKeySecret", GatewayKey),
        ("SignatureDoesNotMatch", GatewayKey),
        ("IncompleteSignature", GatewayKey),
        ("InvalidSecurityToken.Expired", GatewayKey),
        ("Forbidden.RAM", Permission),
        ("NoPermission", Permission),
        ("CreateServiceLinkedRole.Denied", Permission),
        ("InvalidUser.PassRoleForbidden", Permission),
        ("Forbidden.Unauthorized", Permission),
        ("ServiceNotEnabled", NotEnabled),
        ("ImageCacheNotSupport", NotEnabled),
        ("ImageCache.IncorrectStatus", WrongState),
        ("IdempotentParameterMismatch", TokenReused),
        ("InvalidParameter.NotFound", NotThere),
        ("MissingImageCacheName", BadRequest),
        ("InvalidParameter", BadRequest),
        ("withdrawn", Withdrawn),
        ("SomethingNew", Unclear),
    ] {
        assert_eq!(explain(code, "", None).cause, cause, "{code}");
    }
}

#[test]
fn builds_are_known_by_their_messages() {
    for (message, cause) in [
        ("failed to resolve reference \"a:1\": manifest unknown: manifest unknown", ImageNotFound),
        ("rpc error: code = NotFound desc = docker.io/library/a:1: not found", ImageNotFound),
        (
            "pull access denied, repository does not exist or may require authorization: server message: unauthorized",
            RegistryLogin,
        ),
        ("authorization failed: no basic auth credentials", RegistryLogin),
        ("write /var/lib/containerd: no space left on device", ImageTooLarge),
        ("dial tcp 1.2.3.4:443: i/o timeout", Network),
        ("lookup registry.example on 100.100.2.136:53: no such host", Network),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", Certificate),
        ("toomanyrequests: You have reached your pull rate limit", RegistryBusy),
        ("no match for platform in manifest: not found", Platform),
        ("Create ECI failed because the specified instance is out of stock.", NoStock),
        ("ECI service is under heavy load, please wait and try again later", CloudBusy),
        ("", Unclear),
    ] {
        assert_eq!(explain("Failed", message, Some(20)).cause, cause, "{message}");
    }
}

#[test]
fn a_full_cache_names_the_size_that_would_do() {
    let hint = |message, size| explain("Failed", message, Some(size)).hint.into_owned();
    let full = "no space left on device";
    assert_eq!(hint("disk full: the images require at least 57.3 GiB", 20), "create it again with size_gib 58 or more");
    assert_eq!(hint("disk full: needs 40GB", 20), "create it again with size_gib 40 or more");
    assert!(hint(full, 20).ends_with("try 40"), "{}", hint(full, 20));
    assert!(hint(full, 20_000).ends_with("try 32768"));
    assert!(hint(full, 32_768).contains("several image caches"));
    // Useless sizes are not repeated: less than the cache has, another unit, a number that is too large.
    for message in ["disk full: needs 4 GiB", "disk full: needs 400 MiB", "disk full: needs 99999999999 GiB"] {
        assert!(hint(message, 20).ends_with("try 40"), "{message}");
    }
}

#[test]
fn every_cause_has_a_word_of_its_own_and_only_what_may_pass_is_retryable() {
    let all = [
        ImageNotFound,
        RegistryLogin,
        ImageTooLarge,
        Platform,
        Network,
        Certificate,
        RegistryBusy,
        Quota,
        SubnetFull,
        ZoneMismatch,
        NoStock,
        AccountDisabled,
        GatewayKey,
        Permission,
        NotEnabled,
        WrongState,
        TokenReused,
        NotThere,
        BadRequest,
        CloudBusy,
        Withdrawn,
        Unclear,
    ];
    let words: std::collections::HashSet<_> = all.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(words.len(), all.len());
    let retryable: Vec<_> = all.into_iter().filter(|cause| table::entry(*cause).retryable).collect();
    assert_eq!(retryable, [Network, RegistryBusy, Quota, SubnetFull, NoStock, WrongState, CloudBusy, Withdrawn]);
}
