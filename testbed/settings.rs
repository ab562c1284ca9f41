//! The required settings of a gateway, and the stand-in's key: the same on every testbed.
//!
//! Used by `tests/it` and every benchmark, for a gateway in their own process and for one in its own.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The id of the stand-in's first key.
pub(crate) const KEY: &str = "stand-in-key";
pub(crate) const KEY_SECRET: &str = "stand-in-secret";
/// The secret that signs tokens.
pub(crate) const TOKEN_SECRET: &str = "a secret for the tokens of tests, 32 bytes or more";
/// The issuer of the tokens.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// The audience of the tokens.
pub(crate) const AUDIENCE: &str = "eci-cache-gateway";
/// The key for encryption at rest.
const MASTER_KEY: [u8; 32] = *b"what encrypts at rest in a test!";
/// The seed of the audit's keys.
pub(crate) const AUDIT_KEY: [u8; 32] = *b"what seals the audit of a test !";
/// The name of the audit's log.
const ORIGIN: &str = "example.com/audit";

/// The required settings by their variables; all others have their defaults.
pub(crate) fn variables(database: &str, cloud: &str) -> [(&'static str, String); 11] {
    [
        ("ECG_DATABASE_URL", database.to_owned()),
        ("ECG_CLOUD_ENDPOINT", cloud.to_owned()),
        ("ECG_CLOUD_STS_ENDPOINT", cloud.to_owned()),
        ("ECG_CLOUD_ACCESS_KEY_ID", KEY.to_owned()),
        ("ECG_CLOUD_ACCESS_KEY_SECRET", KEY_SECRET.to_owned()),
        ("ECG_AUTH_ISSUER", ISSUER.to_owned()),
        ("ECG_AUTH_AUDIENCE", AUDIENCE.to_owned()),
        ("ECG_AUTH_HS256_SECRET", TOKEN_SECRET.to_owned()),
        ("ECG_KEYS_MASTER", BASE64_STANDARD.encode(MASTER_KEY)),
        ("ECG_KEYS_AUDIT", BASE64_STANDARD.encode(AUDIT_KEY)),
        ("ECG_AUDIT_ORIGIN", ORIGIN.to_owned()),
    ]
}
