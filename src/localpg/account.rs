//! The account that runs PostgreSQL: our own or, because PostgreSQL refuses uid 0, another one if we are root.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use super::error::{Context, StartError};

/// The accounts that root switches to, in this order (`_postgres` is macOS's name).
const FALLBACKS: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// The account that PostgreSQL's programs run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SystemAccount {
    /// Its name, for messages.
    pub(super) name: String,
    /// Its uid and gid if we have to switch to it; `None` if it is our own.
    pub(super) switch: Option<(u32, u32)>,
}

impl SystemAccount {
    /// Our own account; for root, the first of [`FALLBACKS`] that exists.
    pub(super) fn choose() -> Result<Self, StartError> {
        let uid = current_uid().context(|| "reading our user id".to_owned())?;
        if uid != 0 {
            return own(uid);
        }
        let passwd = fs::read_to_string("/etc/passwd").context(|| "reading /etc/passwd".to_owned())?;
        FALLBACKS.iter().find_map(|name| entry(&passwd, name)).ok_or_else(|| {
            let names = FALLBACKS.join(", ");
            StartError::Refused(format!(
                "PostgreSQL refuses to run as root, and none of the accounts {names} exists: run as another user"
            ))
        })
    }

    /// A command that runs as this account with a clean environment: `PGPORT`, `PGDATA` and the like in the user's
    /// shell refer to another server.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").stdin(Stdio::null());
        // The account may have no access to the current directory.
        command.current_dir("/");
        if let Some((uid, gid)) = self.switch {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes this account the owner of `path`.
    pub(super) fn own(&self, path: &Path) -> Result<(), StartError> {
        let Some((uid, gid)) = self.switch else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .context(|| format!("giving {} to the account {}", path.display(), self.name))
    }

    /// Whether this account may search the directory `path` (or execute the program `path`).
    pub(super) fn may_enter(&self, path: &Path) -> bool {
        let mut test = self.command("/bin/sh");
        test.args(["-c", "test -x \"$1\"", "sh"]).arg(path).stdout(Stdio::null()).stderr(Stdio::null());
        test.status().is_ok_and(|status| status.success())
    }
}

/// The uid of this process.
pub fn current_uid() -> io::Result<u32> {
    if let Ok(process) = fs::metadata("/proc/self") {
        return Ok(process.uid());
    }
    let output = Command::new("id").arg("-u").output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(io::Error::other)
}

/// `id -un` rather than /etc/passwd, which is incomplete with directory services and on macOS.
fn own(uid: u32) -> Result<SystemAccount, StartError> {
    let output = Command::new("id").arg("-un").output().context(|| "running id -un".to_owned())?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !name.is_empty() {
        return Ok(SystemAccount { name, switch: None });
    }
    Err(StartError::Refused(format!(
        "the user id {uid} has no entry in /etc/passwd, and PostgreSQL refuses to run without one: \
         add one, or run as another user"
    )))
}

fn entry(passwd: &str, name: &str) -> Option<SystemAccount> {
    let mut fields =
        passwd.lines().map(|line| line.split(':')).find_map(|mut f| (f.next() == Some(name)).then_some(f))?;
    let uid = number(fields.nth(1)?)?;
    let gid = number(fields.next()?)?;
    (uid != 0).then(|| SystemAccount { name: name.to_owned(), switch: Some((uid, gid)) })
}

/// macOS writes the uid of `nobody` as -2.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n\
        broken\n\
        postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn entries_are_read() {
        let postgres = SystemAccount { name: "postgres".to_owned(), switch: Some((101, 104)) };
        assert_eq!(entry(PASSWD, "postgres"), Some(postgres));
        assert_eq!(entry(PASSWD, "nobody").and_then(|a| a.switch), Some((u32::MAX - 1, u32::MAX - 1)));
        assert_eq!(entry(PASSWD, "root"), None);
        assert_eq!(entry(PASSWD, "broken"), None);
        assert_eq!(entry(PASSWD, "postg"), None);
    }
}
