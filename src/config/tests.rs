//! What is refused, with the exact messages.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::crypto::master::MasterKey;

mod auth;
mod env_files;
mod home;
mod numbers;

fn loaded(variables: &[(&str, &str)]) -> Loaded {
    Loaded::of(None, Environment::of(variables).variables())
}

fn load(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    said(loaded(variables).config())
}

/// The warnings, whether or not there are errors.
fn notes(variables: &[(&str, &str)]) -> Vec<String> {
    loaded(variables).notes().to_vec()
}

fn said<T>(result: Result<T, Vec<SettingError>>) -> Result<T, Vec<String>> {
    result.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// A file in the system's temporary directory, deleted when dropped.
struct TempFile(PathBuf);

impl TempFile {
    fn with(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ecg-config-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        said(Loaded::of(Some(&self.0), Environment::of(variables).variables()).config())
    }

    /// The error messages without the name of the file.
    fn refusals(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let place = self.0.display().to_string();
        self.load(variables).unwrap_err().iter().map(|text| text.replace(&place, "FILE")).collect()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// Something derived from a key that can be compared.
fn seed(key: Option<Arc<MasterKey>>) -> [u8; 32] {
    *key.unwrap().token_seed().expose_secret()
}

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

const COMPLETE: [(&str, &str); 8] = [
    ("ECG_DATABASE_URL", "postgres://eci_runtime:hush-db@db/eci"),
    ("ECG_CLOUD_ACCESS_KEY_ID", "LTAI"),
    ("ECG_CLOUD_ACCESS_KEY_SECRET", "hush-cloud"),
    ("ECG_AUTH_ISSUER", "https://id.example.com"),
    ("ECG_AUTH_AUDIENCE", "eci-cache-gateway"),
    ("ECG_AUTH_HS256_SECRET", "hush-auth-hush-auth-hush-auth-hush"),
    ("ECG_KEYS_MASTER", KEY),
    ("ECG_KEYS_AUDIT", KEY),
];

#[test]
fn wrong_values_are_named_with_what_is_allowed() {
    let url = "an address such as postgres://user:password@host/database";
    let cidr = "an address, or a network such as 10.0.0.0/8 without bits set behind its prefix";
    let endpoint = "an http or https address without a path; {region} may stand for the region";
    let master = "32 random bytes in base64 or as 64 hexadecimal digits (openssl rand -base64 32)";
    let origin = "1 to 255 characters without spaces and +, such as gateway.example.com/audit";
    let jwks = "an https address (http only on loopback, and to hosts in auth.jwks_http_hosts)";
    let proxy = "the http address of a proxy, such as http://user:password@proxy.example.com:3128";
    let host = "a host name such as svc.cluster.local, without a port or *";
    let public = "an http or https address such as https://gateway.example.com/eci, without user, query or fragment";
    let table: [(&str, &str, String); 32] = [
        ("ECG_DATABASE_URL", "mysql://u:hush@h/d", format!("must be {url}")),
        ("ECG_MIGRATE_DATABASE_URL", "hush", format!("must be {url}")),
        ("ECG_LISTEN", "8080", "must be an address and a port such as 127.0.0.1:8080, not \"8080\"".into()),
        ("ECG_METRICS_LISTEN", "x", "must be an address and a port such as 127.0.0.1:8080, not \"x\"".into()),
        ("ECG_CLOUD_PROXY", "https://u:hush@proxy", format!("must be {proxy}")),
        ("ECG_AUTH_JWKS_PROXY", "proxy:3128", format!("must be {proxy}")),
        ("ECG_WEBHOOK_PROXY", "socks5://proxy:1080", format!("must be {proxy}")),
        (
            "ECG_AUTH_JWKS_HTTP_HOSTS",
            "idp:8080",
            "each must be a host name or address such as idp.svc.cluster.local, without a port or *, not \"idp:8080\""
                .into(),
        ),
        ("ECG_PUBLIC_URL", "gateway.example.com", format!("must be {public}, not \"gateway.example.com\"")),
        ("ECG_PUBLIC_URL", "https://u:hush@h/a", format!("must be {public}")),
        ("ECG_TRUSTED_PROXIES", "10.0.0.1/8", format!("each must be {cidr}, not \"10.0.0.1/8\"")),
        (
            "ECG_LOG",
            "info,x=shout",
            "must be a filter such as info or info,eci_cache_gateway=debug, not \"info,x=shout\"".into(),
        ),
        ("ECG_LOG_FORMAT", "xml", "must be json or text, not \"xml\"".into()),
        ("ECG_CLOUD_ENDPOINT", "eci.aliyuncs.com", format!("must be {endpoint}, not \"eci.aliyuncs.com\"")),
        ("ECG_CLOUD_ENDPOINT", "https://h/{region}", format!("must be {endpoint}, not \"https://h/{{region}}\"")),
        ("ECG_CLOUD_REGIONS", "cn-hangzhou, X", "each must be a region id such as cn-hangzhou, not \"X\"".into()),
        ("ECG_CLOUD_TIMEOUT_SECONDS", "0", "must be a whole number from 1 to 60, not \"0\"".into()),
        (
            "ECG_AUTH_ISSUER",
            " me ",
            format!(
                "{} spaces or quotes, not \" me \"; it begins or ends with a space or a line break",
                "must be a string without surrounding"
            ),
        ),
        ("ECG_AUTH_JWKS_URL", "http://id.example.com", format!("must be {jwks}, not \"http://id.example.com\"")),
        ("ECG_AUTH_HS256_SECRET", "hush", "must be at least 32 bytes long".into()),
        ("ECG_KEYS_MASTER", "hush", format!("must be {master}")),
        ("ECG_KEYS_MASTER_ID", "a b", "must be 1 to 32 letters, digits, - and _, not \"a b\"".into()),
        ("ECG_KEYS_AUDIT_PREVIOUS", "hush", format!("must be {master}")),
        ("ECG_AUDIT_ORIGIN", "a+b", format!("must be {origin}, not \"a+b\"")),
        (
            "ECG_DATABASE_RUNTIME_ROLE",
            "a;b",
            "must be a role of the database: 1 to 63 of a-z, 0-9 and _, not \"a;b\"".into(),
        ),
        ("ECG_WEBHOOK_ALLOW_HTTP", "yes", "must be true or false, not \"yes\"".into()),
        ("ECG_WEBHOOK_ALLOW_CIDRS", "10.0.0.0/8,10.1.0.0/8", format!("each must be {cidr}, not \"10.1.0.0/8\"")),
        ("ECG_WEBHOOK_ALLOW_CIDRS", "fd00::/129", format!("each must be {cidr}, not \"fd00::/129\"")),
        ("ECG_WEBHOOK_ALLOW_HOST_SUFFIXES", "*.x", format!("each must be {host}, not \"*.x\"")),
        ("ECG_WEBHOOK_ALLOW_PORTS", "443,0", "each must be a port from 1 to 65535, not \"0\"".into()),
        ("ECG_WEBHOOK_TIMEOUT_SECONDS", "31", "must be a whole number from 5 to 30, not \"31\"".into()),
        ("ECG_LIMITS_CONNECTIONS", "many", "must be a whole number from 1 to 65536, not \"many\"".into()),
    ];
    for (name, value, message) in table {
        assert_eq!(load(&[(name, value)]).unwrap_err(), [format!("{name}: {message}")]);
    }
}

#[test]
fn all_are_reported_at_once() {
    let told = load(&[("ECG_LISTEN", "x"), ("ECG_LOG_FORMAT", "y"), ("ECG_LIMITS_CONNECTIONS", "z")]).unwrap_err();
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn defaults_are_as_documented() {
    let config = load(&[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.cloud.endpoint, "https://eci.{region}.aliyuncs.com");
    assert_eq!((config.log.filter.as_str(), config.log.format), ("info,sqlx=warn", None));
    assert_eq!(config.keys.master_id, "k1");
    assert_eq!(config.webhook.timeout, Duration::from_secs(15));
    assert!(!config.webhook.allow_public && !config.webhook.allow_loopback && config.webhook.allow_ports.is_none());
    let limits = config.limits;
    assert_eq!((limits.connections, limits.body_bytes, limits.request.as_secs()), (8192, 1_048_576, 65));
    assert_eq!((limits.header.as_secs(), limits.body.as_secs(), limits.write.as_secs()), (8, 8, 8));
}

#[test]
fn serve_names_everything_that_is_missing() {
    let told = said(loaded(&[]).for_serve()).unwrap_err();
    let expected = [
        "ECG_DATABASE_URL: must be set: the database as the runtime role (database_url in the file)",
        "ECG_CLOUD_ACCESS_KEY_ID: must be set: the cloud's access key (cloud.access_key_id in the file)",
        "ECG_CLOUD_ACCESS_KEY_SECRET: must be set: the access key's secret (cloud.access_key_secret in the file)",
        "ECG_AUTH_ISSUER: must be set: the iss of the tokens to accept (auth.issuer in the file)",
        "ECG_AUTH_AUDIENCE: must be set: the aud of the tokens to accept (auth.audience in the file)",
        "ECG_AUTH_JWKS_URL: or ECG_AUTH_DISCOVERY, ECG_AUTH_JWKS_FILE or ECG_AUTH_HS256_SECRET must be set: \
         they provide the keys that verify tokens (auth.jwks_url in the file)",
        "ECG_KEYS_MASTER: must be set: 32 bytes (openssl rand -base64 32) (keys.master in the file)",
        "ECG_KEYS_AUDIT: must be set: 32 bytes that sign the audit (openssl rand -base64 32) (keys.audit in the file)",
    ];
    assert_eq!(told, expected);
    for absent in 0..COMPLETE.len() {
        let rest: Vec<_> = COMPLETE.iter().copied().enumerate().filter(|(i, _)| *i != absent).map(|(_, v)| v).collect();
        assert_eq!(said(loaded(&rest).for_serve()).unwrap_err().len(), 1);
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}{:?}", loaded(&COMPLETE), load(&COMPLETE).unwrap());
    let serve = loaded(&COMPLETE).for_serve().unwrap();
    let shown = format!("{shown}{serve:?}{:?}", Environment::of(&COMPLETE));
    assert!(!shown.contains("hush") && !shown.contains(KEY), "{shown}");
    assert_eq!(serve.cloud.access_key_secret.expose_secret(), "hush-cloud");
}

#[test]
fn only_one_kind_of_token_key() {
    let secret = ("ECG_AUTH_HS256_SECRET", "0123456789abcdef0123456789abcdef");
    let told = load(&[("ECG_AUTH_JWKS_FILE", "/k"), secret]).unwrap_err();
    assert_eq!(told, ["ECG_AUTH_JWKS_FILE: ECG_AUTH_HS256_SECRET is set too: set exactly one of them"]);
    assert!(load(&[("ECG_AUTH_JWKS_URL", "http://127.0.0.1:9/jwks")]).is_ok());
}

#[test]
fn secrets_come_from_files() {
    let file = TempFile::with(&format!("{KEY}\n"));
    let path = file.0.display().to_string();
    let config = load(&[("ECG_KEYS_MASTER_FILE", &path)]).unwrap();
    assert_eq!(seed(config.keys.master), seed(load(&[("ECG_KEYS_MASTER", KEY)]).unwrap().keys.master));
    let told = load(&[("ECG_KEYS_MASTER_FILE", &path), ("ECG_KEYS_MASTER", KEY)]).unwrap_err();
    assert_eq!(told, ["ECG_KEYS_MASTER: ECG_KEYS_MASTER_FILE is set too: set one of the two"]);
    let told = load(&[("ECG_KEYS_MASTER_FILE", "/nowhere/key")]).unwrap_err();
    let message = "the file /nowhere/key cannot be read: No such file or directory (os error 2)";
    assert_eq!(told, [format!("ECG_KEYS_MASTER_FILE: {message}")]);
}

#[test]
fn the_environment_wins_over_the_file() {
    let file =
        TempFile::with("listen = '0.0.0.0:1'\n[cloud]\nregions = ['cn-beijing']\n[webhook]\nallow_ports = [443, 8443]");
    let config = file.load(&[("ECG_LISTEN", "0.0.0.0:2"), ("ECG_CLOUD_REGIONS", "")]).unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.cloud.regions[0].as_str(), "cn-beijing");
    assert_eq!(config.webhook.allow_ports, Some(vec![443, 8443]));
}

#[test]
fn wrong_files_are_explained() {
    let file = TempFile::with("listne = 'x'\n[cloud]\nacess_key_id = 'a'\ntimeout_seconds = 99\n[log]\nx = 1\n");
    let told = [
        "cloud.acess_key_id in FILE: is not a setting; the closest is cloud.access_key_id",
        "listne in FILE: is not a setting; the closest is listen",
        "log in FILE: must be a string, a number, true or false, or an array of strings or numbers",
        "cloud.timeout_seconds in FILE: must be a whole number from 1 to 60, not \"99\"",
    ];
    assert_eq!(file.refusals(&[]), told);
    let broken = TempFile::with("listen = '0.0.0.0:1'\n[keys]\nmaster = 'hush\n");
    let told = broken.refusals(&[]);
    assert!(told[0].starts_with("FILE, line 3: is not valid TOML: ") && !told[0].contains("hush"), "{told:?}");
    let told = said(Loaded::of(Some(Path::new("/nowhere/f")), []).config()).unwrap_err();
    assert_eq!(told, ["/nowhere/f: cannot be read: No such file or directory (os error 2)"]);
}

#[test]
fn proxies_of_the_environment_are_noted_with_what_to_set() {
    let noted = |variables: &[(&str, &str)]| notes(variables);
    let https = ("HTTPS_PROXY", "http://me:hush@proxy:3128");
    let told = "is not followed; what sets a proxy is ECG_CLOUD_PROXY, ECG_AUTH_JWKS_PROXY, ECG_WEBHOOK_PROXY";
    assert_eq!(noted(&[https, ("NO_PROXY", "x")]), [format!("of the environment HTTPS_PROXY {told}")]);
    assert_eq!(
        noted(&[("https_proxy", "x"), ("ALL_PROXY", "y"), ("HTTP_PROXY", "")]),
        [format!("of the environment ALL_PROXY, https_proxy {told}")]
    );
    let set = ("ECG_CLOUD_PROXY", "http://me:hush@proxy:3128");
    let told =
        "of the environment HTTPS_PROXY is not followed; what sets a proxy is ECG_AUTH_JWKS_PROXY, ECG_WEBHOOK_PROXY";
    assert_eq!(noted(&[https, set]), [told]);
    let proxy = |name| (name, "http://proxy:3128");
    assert!(noted(&[https, set, proxy("ECG_AUTH_JWKS_PROXY"), proxy("ECG_WEBHOOK_PROXY")]).is_empty());
}

#[test]
fn plain_http_to_an_issuer_needs_its_host_named() {
    let url = ("ECG_AUTH_JWKS_URL", "http://idp.svc.cluster.local:8080/keys");
    assert!(load(&[url]).is_err());
    let config = load(&[url, ("ECG_AUTH_JWKS_HTTP_HOSTS", "IDP.svc.cluster.local")]).unwrap();
    assert_eq!(config.auth.reach.http_hosts, ["idp.svc.cluster.local"]);
    assert!(load(&[url, ("ECG_AUTH_JWKS_HTTP_HOSTS", "svc.cluster.local")]).is_err());
}

#[test]
fn dev_has_its_own_variables() {
    let dev = Environment::of(&[("ECG_PG_INSTALL", "never"), ("HOME", "/home/me"), ("ECG_PG_BIN", "")]).for_dev();
    assert!(!dev.pg_install && dev.pg_bin.is_none());
    assert_eq!(dev.home, Some(PathBuf::from("/home/me")));
}

#[test]
fn the_deployment_files_name_real_settings() {
    let files = [include_str!("../../docker-compose.yml"), include_str!("../../Dockerfile")];
    let words = files.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let mut found = 0;
    for name in words.filter(|word| word.starts_with("ECG_")) {
        let known =
            super::names::meaning_of_variable(table(), name).is_some() || super::names::OTHER_VARIABLES.contains(&name);
        assert!(known, "{name} is not a setting");
        found += 1;
    }
    assert!(found > 15, "{found}");
}

#[test]
fn a_role_and_its_session_have_their_form() {
    let config = load(&[("ECG_CLOUD_ROLE_ARN", "acs:ram::1:role/caches"), ("ECG_CLOUD_ACCOUNT", "prod-1")]).unwrap();
    let cloud = &config.cloud;
    assert_eq!((cloud.role_session.as_str(), cloud.role_lasts), ("eci-cache-gateway", Duration::from_hours(1)));
    assert_eq!(
        (config.cloud.account.as_str(), config.cloud.sts_endpoint.as_str()),
        ("prod-1", "https://sts.aliyuncs.com")
    );
    let wrong = [
        ("ECG_CLOUD_ROLE_ARN", "caches"),
        ("ECG_CLOUD_ROLE_SESSION", "a"),
        ("ECG_CLOUD_ROLE_SECONDS", "899"),
        ("ECG_CLOUD_ACCOUNT", "Prod"),
        ("ECG_CLOUD_STS_ENDPOINT", "sts.aliyuncs.com"),
    ];
    let said = load(&wrong).unwrap_err();
    for (name, _) in wrong {
        assert_eq!(said.iter().filter(|text| text.starts_with(name)).count(), 1, "{name}: {said:?}");
    }
}

#[test]
fn the_key_before_has_an_id_of_its_own() {
    let both = [("ECG_KEYS_MASTER_PREVIOUS", KEY), ("ECG_KEYS_MASTER_PREVIOUS_ID", "k0")];
    let whole: Vec<_> = COMPLETE.iter().chain(&both).copied().collect();
    let (id, previous) = loaded(&whole).for_serve().unwrap().keys.previous.unwrap();
    assert_eq!((id.as_str(), seed(Some(previous))), ("k0", seed(load(&COMPLETE).unwrap().keys.master)));
    let same = load(&[both[0], ("ECG_KEYS_MASTER_PREVIOUS_ID", "k1")]).unwrap_err();
    assert_eq!(same, ["ECG_KEYS_MASTER_PREVIOUS_ID: must be different from keys.master_id: each key has its own id"]);
    assert!(
        load(&both[..1]).unwrap_err()[0]
            .ends_with("must be set together with keys.master_previous: the id of that key")
    );
    assert!(load(&both[1..]).unwrap_err()[0].ends_with("must be set only with keys.master_previous"));
}
