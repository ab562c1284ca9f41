//! What must be set of a gateway, and whom the stand-in knows: the same on every testbed.
//!
//! Who uses it: `tests/it` and every benchmark, of a gateway in their own process and of one that runs by itself.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The id of the stand-in's first key.
pub(crate) const KEY: &str = "stand-in-key";
pub(crate) const KEY_SECRET: &str = "stand-in-secret";
/// What tokens are signed with.
pub(crate) const TOKEN_SECRET: &str = "a secret for the tokens of tests, 32 bytes or more";
/// Who issues them.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// For whom they are.
pub(crate) const AUDIENCE: &str = "eci-cache-gateway";
/// What encrypts at rest.
const MASTER_KEY: [u8; 32] = *b"what encrypts at rest in a test!";
/// What the audit's keys are made from.
pub(crate) const AUDIT_KEY: [u8; 32] = *b"what seals the audit of a test !";
/// Which log the audit is.
const ORIGIN: &str = "example.com/audit";

/// The settings without which no gateway starts, by their variables; all else is as usual.
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
