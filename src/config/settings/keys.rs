//! The keys for encryption at rest and for sealing the audit.

use std::sync::Arc;

use crate::config::kinds::{checked_text, key};
use crate::config::section::section;
use crate::crypto::master::MasterKey;
use crate::crypto::seal::{IDS, is_id};
use crate::domain::audit::checkpoint::is_origin;

section! {
    /// The keys for encryption at rest.
    KeysConfig, "Encryption at rest";

    /// The master key (`openssl rand -base64 32`).
    master: Option<Arc<MasterKey>> = key("keys.master").required("32 bytes (openssl rand -base64 32)");

    /// The id of the master key, which is stored with everything that it encrypted.
    master_id: String = checked_text("keys.master_id", IDS, is_id).or("k1");

    /// A second master key, which only decrypts, for a rotation (docs/compose.md#keys).
    master_previous: Option<Arc<MasterKey>> = key("keys.master_previous");

    /// The id of the second master key, which must differ from that of the first.
    master_previous_id: Option<String> = checked_text("keys.master_previous_id", IDS, is_id);
}

section! {
    /// The keys that seal the audit. They are the same for all gateways of a database.
    AuditConfig, "Audit";

    /// The seed of the key that signs the audit (`openssl rand -base64 32`).
    key: Option<Arc<MasterKey>> =
        key("keys.audit").required("32 bytes that sign the audit (openssl rand -base64 32)");

    /// The previous audit key, after a change. Its stamps and checkpoints are still accepted.
    previous_key: Option<Arc<MasterKey>> = key("keys.audit_previous");

    /// The name of the log, which is the first line of every checkpoint and the name of the key.
    origin: String = checked_text("audit.origin", ORIGINS, is_origin).or("eci-cache-gateway");
}

const ORIGINS: &str = "1 to 255 characters without spaces and +, such as gateway.example.com/audit";
