//! The tests named on the security pages exist.
#![cfg(test)]

use std::fs;
use std::path::Path;

/// The texts in backticks in the last column of the tables.
fn named(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let shown = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit_once(" | "));
    shown.flat_map(|(_, shown)| shown.split('`').skip(1).step_by(2)).collect()
}

/// Whether the file or directory, or the test `module::of::test`, exists.
fn is_there(name: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if name.contains('/') {
        return root.join(name).exists();
    }
    let source = |rooms: &str| fs::read_to_string(root.join("tests/it").join(rooms.replace("::", "/") + ".rs"));
    let within = |(rooms, test): (&str, &str)| source(rooms).is_ok_and(|text| text.contains(&format!("fn {test}(")));
    source(name).is_ok() || name.rsplit_once("::").is_some_and(within)
}

#[test]
fn every_control_has_its_test() {
    for (name, least) in [("SECURITY.md", 25), ("docs/threat-model.md", 60)] {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let named = named(&page);
        assert!(named.len() > least, "{name} {named:?}");
        let missing: Vec<_> = named.into_iter().filter(|name| !is_there(name)).collect();
        assert!(missing.is_empty(), "{name} {missing:?}");
    }
    assert!(!is_there("http::coverage::no_such_test") && !is_there("no_such_room"));
}
