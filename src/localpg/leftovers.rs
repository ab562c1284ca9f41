//! Cleans up after an earlier run, so that nothing it left behind prevents the next start.
//!
//! We hold the lock of the state directory, so a server that still runs there has no owner. A plain start would also be
//! prevented by a `postmaster.pid` that is empty or names a reused pid or a zombie, and by the socket's files:
//! PostgreSQL only checks whether that pid exists.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::error::{Context, StartError};
use super::folders::Folders;

/// How long a leftover server may take for its last writes before it is stopped immediately.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Stops a server that is still running, and removes the files of a dead one.
pub(super) fn clear(folders: &Folders, notify: impl Fn(&str)) -> Result<(), StartError> {
    if is_live(folders) {
        notify("stopping a PostgreSQL that an earlier run left behind");
        signal_postmaster(folders, "INT");
        if !wait_until_gone(folders) {
            signal_postmaster(folders, "QUIT");
            if !wait_until_gone(folders) {
                let socket = folders.socket_file();
                return Err(StartError::Refused(format!("a PostgreSQL at {} does not stop", socket.display())));
            }
        }
    }
    let socket = folders.socket_file();
    for file in [folders.pid_file(), socket.with_extension("5432.lock"), socket] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context(|| format!("removing {}", file.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Sends a signal to the server, if there is one.
pub(super) fn signal_postmaster(folders: &Folders, signal: &str) {
    if let Some(pid) = recorded_pid(folders).filter(|pid| is_postmaster(*pid, &folders.data)) {
        let mut kill = Command::new("/bin/sh");
        // It may exit by itself at this moment; the caller checks afterwards whether it has.
        drop(kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid.to_string()]).output());
    }
}

fn is_live(folders: &Folders) -> bool {
    UnixStream::connect(folders.socket_file()).is_ok()
        || recorded_pid(folders).is_some_and(|pid| is_postmaster(pid, &folders.data))
}

fn wait_until_gone(folders: &Folders) -> bool {
    let deadline = Instant::now() + MAX_WAIT;
    while is_live(folders) {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

fn recorded_pid(folders: &Folders) -> Option<u32> {
    fs::read_to_string(folders.pid_file()).ok()?.lines().next()?.trim().parse().ok()
}

/// Whether that process was started with `-D <data>`; the pid alone may have been reused.
fn is_postmaster(pid: u32, data: &Path) -> bool {
    if Path::new("/proc/self").exists() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return line.split(|byte| *byte == 0).any(|argument| argument == data.as_os_str().as_bytes());
    }
    let output = Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*data.to_string_lossy()))
}
