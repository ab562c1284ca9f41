//! No statement selects `*` from a table.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The last word before `end`, and the first one from `begin` on.
fn word_before(text: &str, end: usize) -> &str {
    let begin = text[..end].rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |place| place + 1);
    &text[begin..end]
}

/// Whether the statements in `text` name the columns of what they call `name`.
fn is_named(text: &str, name: &str) -> bool {
    [format!("{name} AS ("), format!("{name} AS MATERIALIZED ("), format!("AS {name} ("), format!(") {name} ON")]
        .iter()
        .any(|made| text.contains(made))
}

/// What each `*` in `text` refers to, unless its columns are named there.
fn stars(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, _) in text.match_indices(".*") {
        let name = word_before(text, place);
        if !name.is_empty() && !is_named(text, name) {
            found.push(format!("{name}.*"));
        }
    }
    for (place, _) in text.match_indices("SELECT *") {
        let from = text[place..].trim_start_matches("SELECT *").trim_start().trim_start_matches("FROM ");
        let name: String = from.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // Arrays: whoever uses their values names them.
        let of_arrays = from.starts_with("unnest(") || from.starts_with("{}\", unnest(");
        if !of_arrays && !is_named(text, &name) {
            found.push(format!("SELECT * FROM {name}"));
        }
    }
    found.extend(text.match_indices("RETURNING *").map(|_| "RETURNING *".to_owned()));
    found
}

#[test]
fn no_statement_says_star_of_a_table() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut faults = Vec::new();
    for file in all.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(file).unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        // Only the store contains statements, which the test of the floors ensures.
        if file.components().any(|part| part.as_os_str() == "store") {
            faults.extend(stars(&code).into_iter().map(|star| format!("{}: {star}", file.display())));
        }
    }
    assert!(faults.is_empty(), "name the columns (store/columns.rs): {faults:#?}");
}

#[test]
fn a_star_of_a_table_is_found() {
    for bad in [
        "SELECT * FROM teams WHERE id = $1",
        "SELECT c.* FROM image_caches c",
        "UPDATE operations SET x = 1 RETURNING *",
        "WITH u AS (SELECT * FROM teams) SELECT id FROM u",
    ] {
        assert_eq!(stars(bad).len(), 1, "{bad}");
    }
    for good in [
        "SELECT count(*) FROM teams",
        "WITH u AS (SELECT id FROM teams) SELECT u.*, 1 FROM u",
        "INSERT INTO t (a) SELECT * FROM unnest($1::int[])",
    ] {
        assert!(stars(good).is_empty(), "{good}: {:?}", stars(good));
    }
}
