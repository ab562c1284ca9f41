//! The architecture's floors: reads the sources and checks which module refers to which, and which crates each may use.
//!
//! What the compiler cannot check: a module refers only to lower floors, never to another module on its own floor
//! (`rules`), and submodules have no cycles (`circles`). Comments, strings and test-only code are not checked.

mod ages;
mod circles;
mod modules;
mod paths;
mod rules;
mod tokens;
mod trials;

use std::fs;
use std::path::{Path, PathBuf};

use tokens::{begins, tokens, without_tests};

/// The maximum length of a file in lines.
const LONGEST: usize = 350;

struct SourceFile {
    /// Relative to the folder that was read.
    file: PathBuf,
    text: String,
}

/// Every Rust file below a folder of the repository, in order.
fn sources(folder: &str) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: PathBuf| SourceFile {
        text: fs::read_to_string(&path).expect("a source can be read"),
        file: path.strip_prefix(&root).expect("it is below").to_owned(),
    };
    files.into_iter().map(read).collect()
}

/// The modules that only tests use, each with its submodules.
fn test_modules(sources: &[SourceFile]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for source in sources {
        let home = rules::module_of(&source.file);
        let (_, names) = without_tests(&tokens(&source.text));
        found.extend(names.into_iter().map(|name| [home.clone(), vec![name]].concat()));
    }
    found
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_module_names_lower_floors_and_its_own_crates_only() {
    let sources = sources("src");
    let tests = test_modules(&sources);
    let mut faults = Vec::new();
    for source in &sources {
        let home = rules::module_of(&source.file);
        if tests.iter().any(|module| home.starts_with(module)) {
            continue;
        }
        if home.first().is_some_and(|module| !rules::has_a_floor(module)) {
            faults.push(format!("src/{}: this module has no floor", source.file.display()));
        }
        let (kept, _) = without_tests(&tokens(&source.text));
        faults.extend(rules::faults(&source.file, &kept));
    }
    assert_none(&faults);
}

#[test]
fn every_file_is_short_and_every_module_says_what_it_is_for() {
    let mut faults = Vec::new();
    for folder in ["src", "tests", "benches", "testbed"] {
        for source in sources(folder) {
            let (file, lines) = (source.file.display(), source.text.lines().count());
            if lines > LONGEST {
                faults.push(format!("{folder}/{file}: {lines} lines; at most {LONGEST}"));
            }
            if !source.text.starts_with("//!") {
                faults.push(format!("{folder}/{file}: a module begins with `//!`: what it is for"));
            }
            if folder != "src" && source.file.ends_with("mod.rs") {
                faults.push(format!("{folder}/{file}: a module with others below it is `name.rs` beside `name/`"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn no_lint_is_silenced_without_a_reason() {
    let mut faults = Vec::new();
    for folder in ["src", "tests", "benches", "testbed"] {
        for source in sources(folder) {
            let tokens = tokens(&source.text);
            let silenced = |at: &usize| {
                begins(&tokens[*at..], &["#", "[", "allow", "("])
                    || begins(&tokens[*at..], &["#", "!", "[", "allow", "("])
            };
            let lines = (0..tokens.len()).filter(silenced).map(|at| tokens[at].line);
            let told =
                |line| format!("{folder}/{}:{line}: allow; write #[expect(…, reason = …)]", source.file.display());
            faults.extend(lines.map(told));
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_of_the_gateway_turns_its_audit_off() {
    let mut said = Vec::new();
    for source in sources("src") {
        let tokens = tokens(&source.text);
        let names =
            |at: &usize| begins(&tokens[*at..], &["audits"]) && !begins(&tokens[at.saturating_sub(1)..], &["."]);
        let set = (0..tokens.len()).filter(names).filter(|at| !begins(&tokens[*at..], &["audits", ":", "true"]));
        said.extend(set.map(|at| format!("src/{}:{}", source.file.display(), tokens[at].line)));
    }
    // Except for the field itself.
    let (field, others): (Vec<_>, Vec<_>) = said.into_iter().partition(|place| place.starts_with("src/http.rs"));
    assert_none(&others);
    assert_eq!(field.len(), 1, "{field:?}");
}
