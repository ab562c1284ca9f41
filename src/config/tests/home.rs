//! Each setting is defined once: all errors are reported together, values are validated once, and the other modules'
//! defaults come from the table.

use std::collections::BTreeSet;

use super::super::setting::all;
use super::*;
use crate::{app, http};

/// The errors for `serve` with these settings in addition to a complete set.
fn wrong(variables: &[(&str, &str)]) -> Vec<String> {
    let others = COMPLETE.iter().copied().filter(|(name, _)| !variables.iter().any(|(set, _)| set == name));
    let set: Vec<_> = others.chain(variables.iter().copied()).collect();
    said(loaded(&set).for_serve()).unwrap_err()
}

fn names(told: &[String]) -> Vec<&str> {
    told.iter().filter_map(|text| text.split(':').next()).collect()
}

#[test]
fn whatever_is_wrong_or_missing_is_told_at_once_and_by_its_name() {
    let zero = "A".repeat(43);
    let told = wrong(&[
        ("ECG_KEYS_MASTER", &zero),
        ("ECG_AUTH_HS256_SECRET", ""),
        ("ECG_AUTH_JWKS_URL", "https://u:hush@id.example.com/keys"),
        ("ECG_LISTEN", "x"),
        ("ECG_CLOUD_CA_FILE", "/nowhere/ca.pem"),
        ("ECG_CLOUD_ACCESS_KEY_ID", ""),
    ]);
    let mut found = names(&told);
    found.sort_unstable();
    let all = ["ECG_AUTH_JWKS_URL", "ECG_CLOUD_ACCESS_KEY_ID", "ECG_CLOUD_CA_FILE", "ECG_KEYS_MASTER", "ECG_LISTEN"];
    assert_eq!(found, all, "{told:?}");
    assert!(!told.concat().contains("hush") && !told.concat().contains(&zero), "{told:?}");
}

#[test]
fn a_key_that_nobody_filled_in_is_named() {
    let told = wrong(&[("ECG_KEYS_MASTER", &"0".repeat(64))]);
    let allowed = "32 random bytes in base64 or as 64 hexadecimal digits (openssl rand -base64 32)";
    assert_eq!(told, [format!("ECG_KEYS_MASTER: must be {allowed}")]);
    assert_eq!(names(&wrong(&[("ECG_KEYS_AUDIT", &"A".repeat(43))])), ["ECG_KEYS_AUDIT"]);
}

#[test]
fn a_url_safe_key_is_the_same_key() {
    let bytes = "_".repeat(42);
    let (url, standard) = (format!("{bytes}8"), format!("{}8=", "/".repeat(42)));
    let of = |text: &str| seed(load(&[("ECG_KEYS_MASTER", text)]).unwrap().keys.master);
    assert!(load(&[("ECG_KEYS_MASTER", &url)]).is_err(), "32 equal bytes");
    let (url, standard) = (url.replacen('_', "A", 1), standard.replacen('/', "A", 1));
    assert_eq!(of(&url), of(&standard));
}

#[test]
fn nobody_is_refused_without_a_word() {
    let empty = TempFile::with("\n");
    let path = empty.0.display().to_string();
    let told = wrong(&[("ECG_KEYS_MASTER", ""), ("ECG_KEYS_MASTER_FILE", &path)]);
    assert_eq!(names(&told), ["ECG_KEYS_MASTER"], "an empty file counts as absent");
    let told = wrong(&[("ECG_AUTH_HS256_SECRET", ""), ("ECG_AUTH_DISCOVERY", "false")]);
    assert_eq!(names(&told), ["ECG_AUTH_JWKS_URL"]);
    assert_eq!(names(&wrong(&[("ECG_AUTH_HS256_SECRET", "short")])), ["ECG_AUTH_HS256_SECRET"]);
    // What may be in an unreadable file is not reported as missing.
    let broken = Loaded::of(Some(Path::new("/nowhere/settings.toml")), []);
    assert_eq!(names(&said(broken.for_serve()).unwrap_err()), ["/nowhere/settings.toml"]);
}

#[test]
fn what_a_setting_names_is_read_and_judged_with_the_others() {
    let (bundle, keys) = (TempFile::with("no certificate"), TempFile::with("{\"keys\": 1}"));
    let [bundle, keys] = [&bundle, &keys].map(|file| file.0.display().to_string());
    let told = wrong(&[
        ("ECG_CLOUD_CA_FILE", &bundle),
        ("ECG_WEBHOOK_EXTRA_CA_FILE", "/nowhere"),
        ("ECG_AUTH_HS256_SECRET", ""),
        ("ECG_AUTH_JWKS_FILE", &keys),
        ("ECG_METRICS_LISTEN", "127.0.0.1:8080"),
    ]);
    let mut found = names(&told);
    found.sort_unstable();
    let all = ["ECG_AUTH_JWKS_FILE", "ECG_CLOUD_CA_FILE", "ECG_METRICS_LISTEN", "ECG_WEBHOOK_EXTRA_CA_FILE"];
    assert_eq!(found, all, "{told:?}");
    assert!(told.iter().any(|text| text.ends_with("holds no certificate in PEM form")), "{told:?}");
    let discovery = [("ECG_AUTH_HS256_SECRET", ""), ("ECG_AUTH_DISCOVERY", "true")];
    let issuer = [discovery[0], discovery[1], ("ECG_AUTH_ISSUER", "http://id.example.com")];
    assert_eq!(names(&wrong(&issuer)), ["ECG_AUTH_ISSUER"]);
    let hosts = [issuer[0], issuer[1], issuer[2], ("ECG_AUTH_JWKS_HTTP_HOSTS", "id.example.com")];
    assert!(load(&hosts).is_ok());
}

#[test]
fn the_table_names_each_setting_once_and_says_what_it_is_for() {
    let mut keys = BTreeSet::new();
    for setting in all(table()) {
        assert!(keys.insert(setting.key), "{} stands twice", setting.key);
        assert!(setting.purpose.len() > 10 && setting.purpose.ends_with('.'), "{}: {}", setting.key, setting.purpose);
        assert!(!setting.allowed.is_empty(), "{}", setting.key);
        let shown = setting.default.is_none() || !setting.secret;
        assert!(shown, "{}: a secret has no default", setting.key);
    }
    assert!(keys.len() > 100, "{}", keys.len());
}

#[test]
fn every_default_can_be_written() {
    for setting in all(table()) {
        if let Some(value) = setting.default.as_deref() {
            let read = load(&[(&setting.variable(), value)]);
            assert!(read.is_ok(), "{}: {:?}", setting.key, read.err());
        }
    }
}

#[test]
fn the_floors_above_have_the_defaults_of_the_table() {
    let (limits, door, server) =
        (LimitsConfig::default(), http::HttpSettings::default(), http::server::ConnectionLimits::default());
    assert_eq!((door.max_body_bytes, door.max_url_bytes), (1 << 20, limits.url_bytes));
    assert_eq!((door.request_deadline, door.body_deadline), (limits.request, limits.body));
    assert_eq!((server.connections, server.keep_idle), (limits.connections, limits.keep_idle));
    let config = loaded(&COMPLETE).for_serve().unwrap();
    let (set, usual) = (app::GatewaySettings::from(&config), app::GatewaySettings::default());
    // Both come from the table, so they must be equal.
    assert_eq!(format!("{set:?}"), format!("{usual:?}"));
}
