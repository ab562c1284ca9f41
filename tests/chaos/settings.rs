//! The settings and keys of the gateways of a run.
//!
//! Timings are shorter than in production, so that minutes are enough: a call to the cloud takes at most 3 s, the cloud
//! is assumed to remember a `ClientToken` for 20 s, a request counts as lost after 45 s (nothing here delays one for
//! more than 20 s), and builds take two seconds. Leases are as in production.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use eci_cache_gateway::auth::mint::{MintedClaims, mint};
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::identity::caller::Scope;
use secrecy::{ExposeSecret as _, SecretString};

/// The stand-in's access key.
pub(crate) const ACCESS_KEY: &str = "LTAIchaos";
pub(crate) const ACCESS_SECRET: &str = "chaos-secret";

const ISSUER: &str = "chaos";
const AUDIENCE: &str = "eci-cache-gateway";
const TOKENS: &str = "a secret for the tokens of chaos, 32 bytes or more";
/// 32 bytes in base64.
const MASTER: &str = "Y2hhb3MgY2hhb3MgY2hhb3MgY2hhb3MgY2hhb3MgISE=";

/// The environment of a gateway.
pub(crate) fn gateway(listen: SocketAddr, database: SocketAddr, cloud: SocketAddr) -> Vec<(String, String)> {
    let database = format!("postgres://eci_runtime@{database}/postgres?sslmode=disable");
    let all = [
        ("ECG_DATABASE_URL", database),
        ("ECG_LISTEN", listen.to_string()),
        ("ECG_LOG", "info,sqlx=warn".to_owned()),
        ("ECG_LOG_FORMAT", "text".to_owned()),
        ("ECG_CLOUD_ENDPOINT", format!("http://{cloud}")),
        ("ECG_CLOUD_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("ECG_CLOUD_ACCESS_KEY_SECRET", ACCESS_SECRET.to_owned()),
        ("ECG_CLOUD_TIMEOUT_SECONDS", "3".to_owned()),
        ("ECG_CLOUD_TOKEN_WINDOW_SECONDS", "20".to_owned()),
        ("ECG_CLOUD_ACCEPTANCE_SECONDS", "45".to_owned()),
        ("ECG_CLOUD_LIST_LAG_SECONDS", "2".to_owned()),
        ("ECG_CLOUD_ABSENCE_SECONDS", "6".to_owned()),
        ("ECG_RECONCILE_EVERY_SECONDS", "60".to_owned()),
        ("ECG_AUTH_ISSUER", ISSUER.to_owned()),
        ("ECG_AUTH_AUDIENCE", AUDIENCE.to_owned()),
        ("ECG_AUTH_HS256_SECRET", TOKENS.to_owned()),
        ("ECG_KEYS_MASTER", MASTER.to_owned()),
        ("ECG_KEYS_AUDIT", MASTER.to_owned()),
        ("ECG_WEBHOOK_ALLOW_LOOPBACK", "true".to_owned()),
        ("ECG_WEBHOOK_ALLOW_SKIP_CHALLENGE", "true".to_owned()),
        ("ECG_WEBHOOK_ALLOW_HTTP", "true".to_owned()),
        ("ECG_WEBHOOK_TIMEOUT_SECONDS", "5".to_owned()),
        ("ECG_LIMITS_ANSWER_SECONDS", "15".to_owned()),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The environment of `audit`, which uses no proxy.
pub(crate) fn audit(database_url: &str) -> Vec<(String, String)> {
    let all = [("ECG_DATABASE_URL", database_url), ("ECG_KEYS_AUDIT", MASTER)];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Lets a file control the wall clock, but not the monotonic clock.
pub(crate) fn faked_clock(library: &Path, file: &Path) -> Vec<(String, String)> {
    let all = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        // Times of files are not changed.
        ("NO_FAKE_STAT", "1".to_owned()),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Sets how many seconds the clock that `file` controls differs from the machine's.
pub(crate) fn set_clock(file: &Path, seconds: i64) -> anyhow::Result<()> {
    // Renamed, because a partly written number would be another time.
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, format!("{seconds:+}"))?;
    Ok(std::fs::rename(&fresh, file)?)
}

/// A token of a team, valid for an hour.
pub(crate) fn token(team: &str) -> anyhow::Result<String> {
    let claims = MintedClaims {
        subject: "chaos".into(),
        teams: vec![team.parse()?],
        // Without platform:security: the receiver's checks are about image caches, not about the platform's events.
        scopes: Scope::ALL.into_iter().filter(|scope| *scope != Scope::PlatformSecurity).collect(),
        lifetime: chrono::Duration::hours(1),
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
    };
    let token = mint(&SecretString::from(TOKENS), &claims, SystemClock.now(), "chaos")?;
    Ok(token.expose_secret().to_owned())
}

/// A client that keeps no connections, so that every request is subject to the current faults.
pub(crate) fn http() -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    Ok(builder.timeout(Duration::from_secs(15)).build()?)
}
