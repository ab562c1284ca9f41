//! Why a private server could not be started, as messages for the user.

use std::io;
use std::path::PathBuf;

/// Why a private server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no usable PostgreSQL: what was searched, and what to do. `dev` exits with code 2.
    #[error("{0}")]
    NotFound(String),
    /// Another process holds the lock of the state directory.
    #[error("another eci-cache-gateway already uses {}: stop it, or choose another folder", .0.display())]
    Held(PathBuf),
    /// It cannot work here, and why.
    #[error("{0}")]
    Refused(String),
    /// An operation of the operating system failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A program of PostgreSQL or npm failed.
    #[error("{program} failed:\n{output}")]
    Failed {
        /// The name of the program.
        program: String,
        /// The end of its output.
        output: String,
    },
}

/// Adds what was being done to errors of the operating system.
pub(super) trait Context<T> {
    /// Adds `doing` ("opening /x") to the error.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, StartError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, StartError> {
        self.map_err(|source| StartError::Io { doing: doing(), source })
    }
}
