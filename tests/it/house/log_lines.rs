//! Log lines contain errors with their causes, wherever they are written.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

/// Ways to log an error without its causes.
const WITHOUT_CAUSES: [&str; 6] = ["%error", "?error", "%cause", "?cause", "error = error.to_string()", "error = %"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a source that would log an error without its causes.
fn faults(text: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| WITHOUT_CAUSES.iter().any(|way| line.contains(way)))
        .map(|(number, _)| number + 1)
        .collect()
}

#[test]
fn no_log_line_says_an_error_without_its_causes() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    assert!(all.len() > 300, "{}", all.len());
    let found: Vec<_> = all
        .iter()
        .flat_map(|file| faults(&fs::read_to_string(file).unwrap()).into_iter().map(move |line| (file, line)))
        .collect();
    assert!(found.is_empty(), "log `error = &error as &dyn std::error::Error` in its place: {found:#?}");
    assert_eq!(faults("a\ntracing::warn!(%error, \"x\");"), [2]);
}
