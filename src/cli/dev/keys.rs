//! The keys of a `dev` folder: created at the first start and reused afterwards. They protect only test data, but are
//! stored like real keys.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::domain::entropy::Entropy;

/// The id of the master key.
pub(super) const MASTER_ID: &str = "dev";

/// The keys of one folder.
pub(super) struct DevKeys {
    /// Signs tokens (HS256).
    pub(super) tokens: SecretString,
    /// Encrypts secrets at rest.
    pub(super) master: SecretString,
    /// Seals the audit.
    pub(super) audit: SecretString,
    /// The stand-in's access key.
    pub(super) stand_in_id: String,
    /// The secret of that key.
    pub(super) stand_in_secret: SecretString,
    /// The team's access key for the RPC front.
    pub(super) rpc_id: String,
    /// The secret of that key.
    pub(super) rpc_secret: SecretString,
}

/// The keys as they are stored.
#[derive(Serialize, Deserialize)]
struct KeysFile {
    tokens: String,
    master: String,
    /// Absent in folders created before it was needed.
    #[serde(default)]
    audit: String,
    stand_in_id: String,
    stand_in_secret: String,
    rpc_id: String,
    rpc_secret: String,
}

impl DevKeys {
    /// The keys in the folder; creates them if there are none.
    pub(super) fn of(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("keys.json");
        let mut file: KeysFile = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| {
                format!("{} cannot be read; remove its folder to start from scratch", path.display())
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(&path)?,
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        if file.audit.is_empty() {
            file.audit = BASE64_STANDARD.encode(Entropy::from_os().bytes::<32>());
            write_private(&path, &serde_json::to_string_pretty(&file)?)?;
        }
        Ok(file.into())
    }
}

fn make(path: &Path) -> anyhow::Result<KeysFile> {
    let entropy = Entropy::from_os();
    let word = || BASE64_URL_SAFE_NO_PAD.encode(entropy.bytes::<24>());
    let file = KeysFile {
        tokens: BASE64_URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()),
        master: BASE64_STANDARD.encode(entropy.bytes::<32>()),
        audit: BASE64_STANDARD.encode(entropy.bytes::<32>()),
        stand_in_id: "LTAIstandin".into(),
        stand_in_secret: word(),
        rpc_id: "LTAIdevteam".into(),
        rpc_secret: word(),
    };
    write_private(path, &serde_json::to_string_pretty(&file)?)?;
    Ok(file)
}

/// Atomically writes a file that only this user can read.
pub(super) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

impl From<KeysFile> for DevKeys {
    fn from(file: KeysFile) -> Self {
        Self {
            tokens: file.tokens.into(),
            master: file.master.into(),
            audit: file.audit.into(),
            stand_in_id: file.stand_in_id,
            stand_in_secret: file.stand_in_secret.into(),
            rpc_id: file.rpc_id,
            rpc_secret: file.rpc_secret.into(),
        }
    }
}

impl DevKeys {
    /// The variables for the env file.
    pub(super) fn exports(&self) -> [(&'static str, String); 10] {
        [
            ("ECG_AUTH_HS256_SECRET", self.tokens.expose_secret().to_owned()),
            ("ECG_KEYS_MASTER", self.master.expose_secret().to_owned()),
            ("ECG_KEYS_MASTER_ID", MASTER_ID.to_owned()),
            ("ECG_CLOUD_ACCESS_KEY_ID", self.stand_in_id.clone()),
            ("ECG_CLOUD_ACCESS_KEY_SECRET", self.stand_in_secret.expose_secret().to_owned()),
            ("ECG_KEYS_AUDIT", self.audit.expose_secret().to_owned()),
            ("ECG_ACCESS_KEY_ID", self.rpc_id.clone()),
            ("ECG_ACCESS_KEY_SECRET", self.rpc_secret.expose_secret().to_owned()),
            ("ECG_STANDIN_ACCESS_KEY_ID", self.stand_in_id.clone()),
            ("ECG_STANDIN_ACCESS_KEY_SECRET", self.stand_in_secret.expose_secret().to_owned()),
        ]
    }
}
