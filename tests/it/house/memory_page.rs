//! `docs/memory.md` names every module that holds state in memory, and no module that does not exist.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Types that hold state across calls.
const HOLDERS: [&str; 7] = ["Mutex<", "RwLock<", "OnceLock<", "OnceCell<", "LazyLock<Mutex", "AtomicBool", "AtomicU"];
/// Modules only for development, and modules that run before or beside the gateway.
const ELSEWHERE: [&str; 8] =
    ["sim.rs", "sim/", "receiver.rs", "receiver/", "localpg/", "cli/", "config/", "auth/signing_fixtures.rs"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module's code without comments and tests.
fn code(text: &str) -> String {
    let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    own.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that the page names, as paths below `src`.
fn named(page: &str) -> BTreeSet<&str> {
    page.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| Path::new(word).extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn the_page_names_every_module_that_holds_state() {
    let page = fs::read_to_string(source().parent().unwrap().join("docs/memory.md")).unwrap();
    let named = named(&page);
    let mut found = Vec::new();
    files(&source(), &mut found);
    let mut missing = Vec::new();
    for path in found {
        let below = path.strip_prefix(source()).unwrap().to_string_lossy().into_owned();
        let code = code(&fs::read_to_string(&path).unwrap());
        let holds = HOLDERS.iter().any(|holder| code.contains(holder));
        let tests = below.ends_with("tests.rs") || ELSEWHERE.iter().any(|part| below.starts_with(part));
        if holds && !tests && !named.contains(below.as_str()) {
            missing.push(below);
        }
    }
    assert!(missing.is_empty(), "these hold state in memory, and docs/memory.md says nothing of it: {missing:?}");
    for path in named {
        assert!(source().join(path).is_file(), "docs/memory.md names {path}, which is not there");
    }
}

/// The last column of the first table: the tests named in each row.
fn tests_named(page: &str) -> Vec<String> {
    let table = page.split("## ").next().unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what"));
    let last = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Whether a file below `src` has tests, or a module of these tests (or a test in it) exists.
fn is_there(test: &str) -> bool {
    let root = source();
    if Path::new(test).extension().is_some_and(|extension| extension == "rs") {
        return fs::read_to_string(root.join(test))
            .is_ok_and(|text| text.contains("#[test]") || text.contains("::test]"));
    }
    let rooms = root.parent().unwrap().join("tests/it");
    let place = test.replace("::", "/");
    let within = test.rsplit_once("::").is_some_and(|(room, name)| {
        let file = rooms.join(room.replace("::", "/")).with_extension("rs");
        fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}()")))
    });
    within || rooms.join(format!("{place}.rs")).is_file()
}

#[test]
fn the_tests_that_the_page_names_are_there() {
    let page = fs::read_to_string(source().parent().unwrap().join("docs/memory.md")).unwrap();
    let named = tests_named(&page);
    assert!(named.len() > 30, "{named:?}");
    let missing: Vec<&String> = named.iter().filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "docs/memory.md names tests that are not there: {missing:?}");
    assert!(!is_there("nothing") && !is_there("database::horizon::nothing") && !is_there("app/nothing.rs"));
}
