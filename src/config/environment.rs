//! The only place that reads the process's environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

#[cfg(feature = "dev")]
mod dev;

#[cfg(feature = "dev")]
pub use dev::DevEnvironment;

/// The environment when the process started, and the name under which the program was started.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    #[cfg(feature = "dev")]
    program: PathBuf,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            #[cfg(feature = "dev")]
            program: std::env::args_os().next().map(PathBuf::from).unwrap_or_default(),
        }
    }

    /// An environment for tests.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        Self {
            variables,
            #[cfg(feature = "dev")]
            program: PathBuf::from("eci-cache-gateway"),
        }
    }

    /// The same with values that need not be UTF-8.
    #[cfg(test)]
    pub(crate) fn of_bytes(variables: &[(&str, &[u8])]) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let of = |(name, value): &(&str, &[u8])| (OsString::from(*name), std::ffi::OsStr::from_bytes(value).to_owned());
        Self { variables: variables.iter().map(of).collect(), ..Self::of(&[]) }
    }

    /// The variables for [`Loaded::of`](super::Loaded::of). Invalid UTF-8 is replaced by U+FFFD, and is then refused as
    /// a setting.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        self.variables.iter().map(move |(name, value)| (text(name), text(value)))
    }

    /// `ECG_CONFIG`: the file with settings.
    pub fn config_file(&self) -> Option<PathBuf> {
        self.path("ECG_CONFIG")
    }

    fn get(&self, name: &str) -> Option<&OsString> {
        self.variables.get(&OsString::from(name)).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
