//! Runs `postgres` so that it ends when this process ends, in whatever way.
//!
//! `postgres` is the child of a small shell whose standard input is a pipe from us. The pipe closes when we stop the
//! server, and also when we are killed; the shell then sends SIGINT (a fast shutdown). Without it, a `kill -9` would
//! leave a server running; PDEATHSIG would need `unsafe`, and exists only on Linux.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::account::SystemAccount;
use super::binaries::Binaries;
use super::error::{Context, StartError};
use super::folders::Folders;
use super::leftovers::signal_postmaster;
use super::{Durability, Options};

/// `read` waits for the end of the pipe (it is a builtin, so no further process is needed). If the server ends first,
/// the watcher ends too, so that it never signals a pid that was reused.
const SCRIPT: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -s INT "$server"; } & watcher=$!
wait "$server"; code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"#;

/// How long recovery after a kill may take.
const START: Duration = Duration::from_mins(2);
/// How long the processes of a killed server may take to notice that it is gone.
const LINGER: Duration = Duration::from_secs(15);
/// How long a fast shutdown may take before an immediate one follows.
const STOP: Duration = Duration::from_secs(20);
/// The polling interval.
const TICK: Duration = Duration::from_millis(5);

/// A running `postgres` and our end of the pipe.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
    folders: Folders,
}

/// Starts `postgres` and waits until it accepts connections.
pub(super) fn launch(
    folders: Folders,
    account: &SystemAccount,
    binaries: &Binaries,
    options: &Options,
) -> Result<Guard, StartError> {
    let deadline = Instant::now() + LINGER;
    let mut guard = spawn(folders, account, binaries, options)?;
    while !guard.wait_until_ready()? {
        let output = guard.folders.log_tail();
        // Children of a killed server hold its shared memory until they notice that it is gone.
        if !output.contains("still in use") || Instant::now() > deadline {
            return Err(StartError::Failed { program: "postgres".to_owned(), output });
        }
        thread::sleep(10 * TICK);
        guard = spawn(guard.folders.clone(), account, binaries, options)?;
    }
    Ok(guard)
}

fn spawn(
    folders: Folders,
    account: &SystemAccount,
    binaries: &Binaries,
    options: &Options,
) -> Result<Guard, StartError> {
    let doing = || "starting postgres".to_owned();
    folders.keep_log_of_before();
    let log = File::create(&folders.log).context(doing)?;
    let mut command = account.command("/bin/sh");
    command.args(["-c", SCRIPT, "sh"]).arg(binaries.program("postgres"));
    command.arg("-D").arg(&folders.data).arg("-k").arg(&folders.socket);
    for setting in settings(options) {
        command.args(["-c", &setting]);
    }
    command.stdin(Stdio::piped()).stdout(log.try_clone().context(doing)?).stderr(log);
    // A process group of its own: Ctrl-C on the terminal must reach us, not the database first.
    let mut child = command.process_group(0).spawn().context(doing)?;
    let pipe = child.stdin.take();
    Ok(Guard { child, pipe, folders })
}

/// The server's settings: only the socket; for tests, no durability.
fn settings(options: &Options) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=".to_owned(),
        "port=5432".to_owned(),
        "unix_socket_permissions=0700".to_owned(),
        format!("max_connections={}", options.max_connections),
    ];
    if options.durability == Durability::Throwaway {
        let fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"];
        let small = ["wal_level=minimal", "max_wal_senders=0", "shared_buffers=32MB"];
        settings.extend(fast.iter().chain(&small).map(|setting| (*setting).to_owned()));
    }
    settings
}

impl Guard {
    /// Waits until it is ready; false if it exited instead.
    fn wait_until_ready(&mut self) -> Result<bool, StartError> {
        let deadline = Instant::now() + START;
        while !self.is_ready() {
            if self.has_ended()? {
                return Ok(false);
            }
            if Instant::now() > deadline {
                let output = self.folders.log_tail();
                return Err(StartError::Failed { program: "postgres (not ready in time)".to_owned(), output });
            }
            thread::sleep(TICK);
        }
        Ok(true)
    }

    /// Line 8 of `postmaster.pid` is the server's own status (another word for a standby); the socket shows that it can
    /// be reached.
    fn is_ready(&self) -> bool {
        let state = fs::read_to_string(self.folders.pid_file()).unwrap_or_default();
        let ready = state.lines().nth(7).is_some_and(|line| ["ready", "standby"].contains(&line.trim()));
        ready && UnixStream::connect(self.folders.socket_file()).is_ok()
    }

    fn has_ended(&mut self) -> Result<bool, StartError> {
        Ok(self.child.try_wait().context(|| "waiting for postgres".to_owned())?.is_some())
    }

    fn ends_within(&mut self, limit: Duration) -> Result<bool, StartError> {
        let deadline = Instant::now() + limit;
        while !self.has_ended()? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            thread::sleep(TICK);
        }
        Ok(true)
    }

    /// Stops the server and waits until it has exited. A second call does nothing.
    pub(super) fn stop(&mut self) -> Result<(), StartError> {
        drop(self.pipe.take());
        if self.ends_within(STOP)? {
            return Ok(());
        }
        signal_postmaster(&self.folders, "QUIT");
        if self.ends_within(STOP)? { Ok(()) } else { Err(StartError::Refused("PostgreSQL does not stop".to_owned())) }
    }

    /// An immediate shutdown.
    pub(super) fn crash(&mut self) -> Result<(), StartError> {
        signal_postmaster(&self.folders, "QUIT");
        self.ends_within(STOP)?;
        self.stop()
    }

    /// The directory of the socket.
    pub(super) fn socket_dir(&self) -> &std::path::Path {
        &self.folders.socket
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A server that could not be stopped is left to the next start, which can report it.
        drop(self.stop());
    }
}
