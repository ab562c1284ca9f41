//! A program under test: started, killed, frozen, and ended together with this program.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// The gateway's binary.
const BINARY: &str = env!("CARGO_BIN_EXE_eci-cache-gateway");

/// How to start a program.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The arguments after the binary.
    pub(crate) arguments: Vec<String>,
    /// Its whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The file for its output; all starts append to it.
    pub(crate) log: PathBuf,
}

impl Program {
    pub(crate) fn start(&self) -> RunningProgram {
        let log = || OpenOptions::new().create(true).append(true).open(&self.log).expect("the log can be opened");
        let mut command = Command::new(BINARY);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command.stdout(log()).stderr(log()).kill_on_drop(true);
        RunningProgram(command.spawn().expect("the binary can be started"))
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let status = self.start().0.wait().await?;
        anyhow::ensure!(status.success(), "{:?}: {status}; see {}", self.arguments, self.log.display());
        Ok(())
    }
}

/// A running program.
#[derive(Debug)]
pub(crate) struct RunningProgram(Child);

impl RunningProgram {
    /// Kills it without warning.
    pub(crate) async fn kill(mut self) {
        self.0.kill().await.expect("our own child can be killed");
    }

    /// Sends a signal (`STOP`, `CONT`, `TERM`).
    pub(crate) async fn signal(&self, name: &str) {
        if let Some(pid) = self.0.id() {
            let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().await;
            assert!(sent.is_ok_and(|status| status.success()), "{name} can be sent to {pid}");
        }
    }

    /// Waits for its end, successful or not.
    pub(crate) async fn ended(&mut self) -> std::process::ExitStatus {
        self.0.wait().await.expect("our own child can be waited for")
    }
}

/// The library of libfaketime on Debian; `None` if it is not installed.
pub(crate) fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let library = |folder: PathBuf| folder.join("faketime/libfaketime.so.1");
    folders.map(library).find(|path: &PathBuf| Path::is_file(path))
}
