//! Creates the data directory, once per major version.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::process::{self, Stdio};

use super::account::SystemAccount;
use super::binaries::Binaries;
use super::error::{Context, StartError};
use super::folders::Folders;

/// Runs `initdb` unless there is a data directory already.
///
/// It runs in a temporary directory, which is renamed at the end, so that an interrupted run never looks complete.
pub(super) fn ensure(
    folders: &Folders,
    account: &SystemAccount,
    binaries: &Binaries,
    notify: impl Fn(&str),
) -> Result<(), StartError> {
    if folders.data.join("PG_VERSION").is_file() {
        return Ok(());
    }
    sweep(folders, notify);
    let fresh = folders.home.join(format!("data.new-{}", process::id()));
    let doing = || format!("making {}", folders.data.display());
    DirBuilder::new().mode(0o700).create(&fresh).context(doing)?;
    account.own(&fresh)?;
    let mut initdb = account.command(binaries.program("initdb"));
    initdb.args(["-U", "eci", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions", "--no-sync", "-D"]);
    let output = initdb.arg(&fresh).stdout(Stdio::piped()).stderr(Stdio::piped()).output().context(doing)?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(StartError::Failed { program: "initdb".to_owned(), output });
    }
    fs::rename(&fresh, &folders.data).context(doing)
}

/// Removes what earlier runs did not finish, and reports unused data of another version.
fn sweep(folders: &Folders, notify: impl Fn(&str)) {
    for entry in fs::read_dir(&folders.home).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("data.new-") {
            drop(fs::remove_dir_all(entry.path()));
        } else if name.starts_with("data-") {
            let (old, new) = (entry.path(), &folders.data);
            notify(&format!(
                "another PostgreSQL than before: starting empty in {}; {} stays",
                new.display(),
                old.display()
            ));
        }
    }
}
