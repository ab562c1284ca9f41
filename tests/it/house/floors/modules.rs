//! The module tree below `src`, and the references in it: every path is resolved to the module that defines what it
//! names, through `use` and `pub use`.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{self, Path, from_root};
use super::rules::module_of;
use super::tokens::{tokens, without_tests};
use super::{SourceFile, test_modules};

/// A module as a list of names from the root.
pub(super) type Module = Vec<String>;

/// The maximum number of imports through which a name is resolved.
const MOST_STEPS: usize = 8;

/// A reference from one module to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Naming {
    pub(super) from: Module,
    pub(super) to: Module,
    /// Its location and its path.
    pub(super) told: String,
}

/// The modules except tests, and the names that each imports.
struct ModuleTree {
    modules: BTreeSet<Module>,
    brought: BTreeMap<(Module, String), Vec<String>>,
}

/// All references from modules to other modules, in the order of the sources.
pub(super) fn namings(sources: &[SourceFile]) -> Vec<Naming> {
    let read = read(sources);
    let tree = ModuleTree::of(&read);
    let mut found = Vec::new();
    for (file, home, paths) in &read {
        for path in paths {
            let from = place(home, path);
            let Some(to) = tree.defined_in(&path.parts, &from, 0).filter(|to| *to != from) else { continue };
            let told = format!("src/{file}:{}: {}", path.line, path.parts.join("::"));
            found.push(Naming { from, to, told });
        }
    }
    found
}

/// The paths in every file that is not a test, with its module.
fn read(sources: &[SourceFile]) -> Vec<(String, Module, Vec<Path>)> {
    let tests = test_modules(sources);
    let mut read = Vec::new();
    for source in sources {
        let home = module_of(&source.file);
        // The binary is another crate that uses the library from outside.
        if home == ["main"] || tests.iter().any(|module| home.starts_with(module)) {
            continue;
        }
        let (kept, _) = without_tests(&tokens(&source.text));
        read.push((source.file.display().to_string(), home, paths::paths(&kept)));
    }
    read
}

/// The module that contains a path: that of the file, or an inline one in it.
fn place(home: &[String], path: &Path) -> Module {
    home.iter().chain(&path.inside).cloned().collect()
}

impl ModuleTree {
    fn of(read: &[(String, Module, Vec<Path>)]) -> Self {
        let mut tree = Self { modules: BTreeSet::new(), brought: BTreeMap::new() };
        for (_, home, paths) in read {
            tree.modules.insert(home.clone());
            for path in paths {
                let place = place(home, path);
                if let Some(name) = path.brings.clone().filter(|name| *name != "*" && *name != "_") {
                    tree.brought.insert((place.clone(), name), path.parts.clone());
                }
                tree.modules.insert(place);
            }
        }
        tree
    }

    /// The module that defines what a path in the module `place` names, if it is one of ours.
    fn defined_in(&self, parts: &[String], place: &[String], steps: usize) -> Option<Module> {
        let whole = self.whole(parts, place)?;
        let known = (0..=whole.len()).rev().find(|length| self.modules.contains(&whole[..*length]))?;
        let (module, rest) = whole.split_at(known);
        let Some((name, behind)) = rest.split_first() else { return Some(module.to_vec()) };
        let brought = self.brought.get(&(module.to_vec(), name.clone()));
        let Some(brought) = brought.filter(|brought| steps < MOST_STEPS && !is_itself(brought, name)) else {
            return Some(module.to_vec());
        };
        let on: Vec<String> = brought.iter().chain(behind).cloned().collect();
        // Imports from other crates are ignored.
        self.defined_in(&on, module, steps + 1)
    }

    /// A path from the root, if it leads to one of our modules.
    fn whole(&self, parts: &[String], place: &[String]) -> Option<Vec<String>> {
        let path = Path { parts: parts.to_vec(), line: 0, inside: Vec::new(), brings: None };
        if let Some(whole) = from_root(&path, place) {
            let named = |part: &String| part != "self" && part != "*";
            return Some(whole.into_iter().filter(named).collect());
        }
        let first = parts.first()?;
        let child: Vec<String> = place.iter().chain([first]).cloned().collect();
        let ours = self.modules.contains(&child) || self.brought.contains_key(&(place.to_vec(), first.clone()));
        let named = |part: &&String| *part != "self" && *part != "*";
        ours.then(|| place.iter().chain(parts.iter().filter(named)).cloned().collect())
    }
}

/// `use name;`: a crate, because a module with that name would have been found.
fn is_itself(brought: &[String], name: &String) -> bool {
    brought.first() == Some(name)
}
