//! Finds PostgreSQL's programs on the machine: a directory with `postgres` (14 or later) and `initdb`.

use std::env::split_paths;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest supported major version.
pub(super) const OLDEST: u32 = 14;

/// Where packages install PostgreSQL; `*` stands for any directory, the newest version first.
const USUAL: [&str; 8] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/local/pgsql/bin",
];

/// A usable PostgreSQL installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The directory of its programs.
    pub(super) folder: PathBuf,
    /// Its major version.
    pub(super) major: u32,
}

impl Binaries {
    /// The path of one of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The PostgreSQL in `folder`, or why it cannot be used.
    pub(super) fn at(folder: &Path) -> Result<Self, String> {
        if let Some(missing) = ["postgres", "initdb"].into_iter().find(|name| !folder.join(name).is_file()) {
            return Err(format!("{} has no {missing}", folder.display()));
        }
        let output = Command::new(folder.join("postgres")).arg("--version").output();
        let said = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        match major(&said) {
            Some(major) if major >= OLDEST => Ok(Self { folder: folder.to_owned(), major }),
            Some(major) => Err(format!("{} is PostgreSQL {major}, older than {OLDEST}", folder.display())),
            None => Err(format!("{}/postgres does not run here", folder.display())),
        }
    }
}

/// The machine's PostgreSQL, or why each one that was found cannot be used.
pub(super) fn on_machine(search_path: &OsStr) -> Result<Binaries, Vec<String>> {
    let mut refused = Vec::new();
    for folder in candidates(search_path) {
        match Binaries::at(&folder) {
            Ok(found) => return Ok(found),
            Err(why) => refused.push(why),
        }
    }
    Err(refused)
}

/// Directories to try: those in `PATH` first, then the usual ones, then the one that `pg_config` reports.
fn candidates(path: &OsStr) -> Vec<PathBuf> {
    let on_path = on_path(path, "postgres");
    let mut folders: Vec<PathBuf> = on_path.iter().filter_map(|program| Some(program.parent()?.to_owned())).collect();
    folders.extend(USUAL.iter().flat_map(|pattern| expand(pattern)));
    folders.extend(on_path_first(path, "pg_config").and_then(|program| bindir(&program)));
    let with_postgres = |folder: &PathBuf| folder.join("postgres").is_file();
    let mut seen = Vec::new();
    for folder in folders.into_iter().filter(with_postgres) {
        if !seen.contains(&folder) {
            seen.push(folder);
        }
    }
    seen
}

/// Symbolic links are followed: a single link to `postgres` in /usr/local/bin leads to its directory.
fn on_path(path: &OsStr, program: &str) -> Vec<PathBuf> {
    let entries = split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program));
    entries.filter(|file| file.is_file()).filter_map(|file| fs::canonicalize(file).ok()).collect()
}

fn on_path_first(path: &OsStr, program: &str) -> Option<PathBuf> {
    on_path(path, program).into_iter().next()
}

/// The path of `program` in `PATH` (links are not resolved: npm finds its files beside its link).
pub(super) fn which(path: &OsStr, program: &str) -> Option<PathBuf> {
    split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_absolute() && file.is_file())
}

fn bindir(pg_config: &Path) -> Option<PathBuf> {
    let output = Command::new(pg_config).arg("--bindir").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then(|| PathBuf::from(said))
}

/// The directories that match a pattern with at most one `*`, highest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let mut names: Vec<String> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(first_number(name)));
    names.iter().map(|name| PathBuf::from(format!("{parent}/{name}{after}"))).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian …)`: 15.
fn major(said: &str) -> Option<u32> {
    first_number(said.strip_prefix("postgres (PostgreSQL) ")?)
}

fn first_number(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What a user without PostgreSQL can do; `npm`: why none was installed from npm.
pub(super) fn ways_out(refused: &[String], npm: &str) -> String {
    let refused: Vec<String> = refused.iter().map(|why| format!("\n  passed over: {why}")).collect();
    let refused = refused.concat();
    let usual = USUAL.join(", ");
    format!(
        "no PostgreSQL ({OLDEST} or later) found on this machine\n  \
         searched: PATH, {usual}, pg_config --bindir{refused}\n  \
         from npm: {npm}\n\
         ways out, any one of them:\n  \
         - Debian, Ubuntu: apt-get install postgresql\n  \
         - macOS: brew install postgresql@17\n  \
         - elsewhere: set ECG_PG_BIN to a folder that holds postgres and initdb\n  \
         - with a container engine: docker compose up (see docker-compose.yml)\n  \
         - with a server of your own: set ECG_DATABASE_URL and use `serve` instead of `dev` \
         (for the tests: TEST_DATABASE_URL)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major("bash: not found"), None);
    }

    #[test]
    fn newest_first() {
        let mut names = vec!["postgresql@9.6", "postgresql@17", "postgresql"];
        names.sort_by_key(|name| std::cmp::Reverse(first_number(name)));
        assert_eq!(names, ["postgresql@17", "postgresql@9.6", "postgresql"]);
    }

    #[test]
    fn a_wrong_folder_is_named() {
        assert_eq!(Binaries::at(Path::new("/nowhere")), Err("/nowhere has no postgres".to_owned()));
    }

    #[test]
    fn the_ways_out_are_told() {
        let told = ways_out(&["/x is PostgreSQL 9, older than 14".to_owned()], "npm is not on PATH");
        for part in
            ["passed over: /x is", "npm is not on PATH", "apt-get", "brew", "ECG_PG_BIN", "compose", "ECG_DATABASE_URL"]
        {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}
