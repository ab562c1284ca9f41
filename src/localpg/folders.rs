//! The directories of the private server, and their permissions.
//!
//! ```text
//! <state folder>/lock                 held by the one process that uses it
//!               /data-<major>         PostgreSQL's data, one folder per major version
//!               /run                  the socket (a short folder under /tmp if this path is too long)
//!               /postgres.log         what the server said since its last start
//!               /postgres.log.before  what it said before that
//!               /elsewhere            says that the above is elsewhere: root may enter here, its server may not
//! ```

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::SystemAccount;
use super::binaries::Binaries;
use super::error::{Context, StartError};

/// Root's state directory: the server's account has no access to root's home.
const ROOTS: &str = "/var/lib/eci-cache-gateway";

/// A socket's path must fit into 104 bytes (macOS), and `.s.PGSQL.5432` is the longest name in the directory.
const LONGEST: usize = 88;

/// The directories and files of one server.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) home: PathBuf,
    pub(super) data: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) log: PathBuf,
}

/// The default state directory: `$XDG_STATE_HOME/eci-cache-gateway`; for root `/var/lib/eci-cache-gateway`; otherwise
/// `~/.local/state/eci-cache-gateway`. `None` without a home directory.
///
/// The values come from the environment through `config`; relative paths are ignored, as XDG requires.
pub fn default_state_folder(xdg_state_home: Option<&Path>, home: Option<&Path>, uid: u32) -> Option<PathBuf> {
    let absolute = |path: &&Path| path.is_absolute();
    match (xdg_state_home.filter(absolute), uid, home.filter(absolute)) {
        (Some(xdg), _, _) => Some(xdg.join("eci-cache-gateway")),
        (None, 0, _) => Some(PathBuf::from(ROOTS)),
        (None, _, home) => home.map(|home| home.join(".local/state/eci-cache-gateway")),
    }
}

/// Creates the state directory. If PostgreSQL runs as another account, that account only gets permission to search it.
pub(super) fn make_state_folder(folder: &Path, account: &SystemAccount) -> Result<(), StartError> {
    let doing = || format!("making the state folder {}", folder.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).context(doing)?;
    if account.switch.is_some() {
        let mode = fs::metadata(folder).context(doing)?.permissions().mode();
        fs::set_permissions(folder, Permissions::from_mode(mode | 0o011)).context(doing)?;
    }
    Ok(())
}

/// A directory for programs that the account runs: `folder`, or [`ROOTS`] if it has no access there.
pub(super) fn place_for(folder: &Path, account: &SystemAccount) -> Result<PathBuf, StartError> {
    make_state_folder(folder, account)?;
    if account.may_enter(folder) {
        return Ok(folder.to_owned());
    }
    make_state_folder(Path::new(ROOTS), account)?;
    Ok(PathBuf::from(ROOTS))
}

impl Folders {
    /// Chooses the directories and creates those of the socket and the log; `cluster` creates the data directory.
    pub(super) fn prepare(
        folder: &Path,
        account: &SystemAccount,
        binaries: &Binaries,
        notify: impl Fn(&str),
    ) -> Result<Self, StartError> {
        let folder = fs::canonicalize(folder).context(|| format!("resolving {}", folder.display()))?;
        let home = if account.may_enter(&folder) { folder } else { elsewhere(&folder, account, notify)? };
        let program = binaries.program("postgres");
        if !account.may_enter(&program) {
            let (name, program) = (&account.name, program.display());
            return Err(StartError::Refused(format!("the account {name} may not run {program}: set ECG_PG_BIN")));
        }
        let socket = socket_folder(&home);
        make_private(&socket, account)?;
        let data = home.join(format!("data-{}", binaries.major));
        Ok(Self { data, socket, log: home.join("postgres.log"), home })
    }

    /// PostgreSQL's lock and state file.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    /// The socket itself.
    pub(super) fn socket_file(&self) -> PathBuf {
        self.socket.join(".s.PGSQL.5432")
    }

    /// Keeps the log of the previous run, which tells why it ended.
    pub(super) fn keep_log_of_before(&self) {
        // There may be none.
        let _none = fs::rename(&self.log, self.log.with_extension("log.before"));
    }

    /// The end of the log, for an error message.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// Root's clone or data directory is often below a directory that only root may search (its home, a `mktemp -d`). The
/// data are then below [`ROOTS`], as long as the state directory contains the marker for it.
fn elsewhere(folder: &Path, account: &SystemAccount, notify: impl Fn(&str)) -> Result<PathBuf, StartError> {
    let home = Path::new(ROOTS).join(format!("for-{}", short_hash(folder)));
    let mark = folder.join("elsewhere");
    if !mark.exists() && home.exists() {
        // The state directory of that name was deleted and created again, so these data belong to nobody.
        fs::remove_dir_all(&home).context(|| format!("removing {}", home.display()))?;
    }
    make_state_folder(Path::new(ROOTS), account)?;
    make_state_folder(&home, account)?;
    fs::write(&mark, home.as_os_str().as_bytes()).context(|| format!("writing {}", mark.display()))?;
    if !account.may_enter(&home) {
        return Err(StartError::Refused(format!(
            "PostgreSQL refuses to run as root, and the account {} may enter neither {} nor {}: \
             choose another folder, or run as another user",
            account.name,
            folder.display(),
            home.display()
        )));
    }
    let (name, from, to) = (&account.name, folder.display(), home.display());
    notify(&format!("the account {name} may not enter {from}: PostgreSQL's data are in {to}"));
    Ok(home)
}

fn socket_folder(home: &Path) -> PathBuf {
    let inside = home.join("run");
    if inside.as_os_str().len() <= LONGEST { inside } else { PathBuf::from(format!("/tmp/ecg-{}", short_hash(home))) }
}

/// Mode 0700 and owned by the account: in /tmp anybody could have created a directory or link with that name.
fn make_private(folder: &Path, account: &SystemAccount) -> Result<(), StartError> {
    let doing = || format!("making the socket's folder {}", folder.display());
    if let Err(error) = DirBuilder::new().mode(0o700).create(folder)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(error).context(doing);
    }
    let found = fs::symlink_metadata(folder).context(doing)?;
    let us = super::current_uid().context(doing)?;
    let theirs = account.switch.map_or(us, |(uid, _)| uid);
    if !found.is_dir() || ![us, theirs].contains(&found.uid()) {
        return Err(StartError::Refused(format!("{} belongs to somebody else: remove it", folder.display())));
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700)).context(doing)?;
    account.own(folder)
}

fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    let start = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{start:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_follows_xdg() {
        let (xdg, home) = (Some(Path::new("/x/state")), Some(Path::new("/home/me")));
        let folder = |xdg, home, uid| default_state_folder(xdg, home, uid).map(|f| f.display().to_string());
        assert_eq!(folder(xdg, home, 1000).as_deref(), Some("/x/state/eci-cache-gateway"));
        assert_eq!(folder(None, home, 1000).as_deref(), Some("/home/me/.local/state/eci-cache-gateway"));
        assert_eq!(folder(Some(Path::new("state")), home, 0).as_deref(), Some("/var/lib/eci-cache-gateway"));
        assert_eq!(folder(None, None, 1000), None);
    }

    #[test]
    fn long_paths_get_a_short_socket() {
        assert_eq!(socket_folder(Path::new("/s")), Path::new("/s/run"));
        let long = format!("/{}", "x".repeat(100));
        let short = socket_folder(Path::new(&long));
        assert!(short.starts_with("/tmp") && short.as_os_str().len() < 30, "{short:?}");
    }
}
