//! Why a private server could not be started, in words for the person at the terminal.

use std::io;
use std::path::PathBuf;

/// Why a private server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no usable PostgreSQL: what was searched, and the ways out. `dev` ends with exit code 2.
    #[error("{0}")]
    NotFound(String),
    /// Another process holds the state folder.
    #[error("another eci-cache-gateway already uses {}: stop it, or choose another folder", .0.display())]
    Held(PathBuf),
    /// It cannot work here, and why.
    #[error("{0}")]
    Refused(String),
    /// The operating system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        source: io::Error,
    },
    /// A program of PostgreSQL or npm failed.
    #[error("{program} failed:\n{output}")]
    Failed {
        /// Which one.
        program: String,
        /// The end of what it said.
        output: String,
    },
}

/// Says what was being done when the operating system refused.
pub(super) trait Context<T> {
    /// Adds `doing` ("opening /x") to the error.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, StartError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, StartError> {
        self.map_err(|source| StartError::Io { doing: doing(), source })
    }
}
