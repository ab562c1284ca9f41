//! At every level of the tree, sibling modules, including their submodules, refer to each other without cycles.
//!
//! References between a module and its own submodules are not cycles. A re-exported name (`pub use`) counts where it is
//! defined.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Module, Naming, namings};
use super::{SourceFile, assert_none, sources};

/// For each sibling, the siblings that it refers to, with a line that does.
type Siblings = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn siblings_name_each_other_without_circles() {
    let faults: Vec<String> = circles(&sources("src")).iter().map(Circle::told).collect();
    assert_none(&faults);
}

/// Siblings each of which leads to every other one.
struct Circle {
    level: String,
    /// One cycle: which refers to which, and where.
    arrows: Vec<(String, String, String)>,
}

impl Circle {
    fn told(&self) -> String {
        let names: Vec<&str> = self.arrows.iter().map(|(from, ..)| from.as_str()).collect();
        let around = format!("{}: {} -> {}", self.level, names.join(" -> "), names[0]);
        let lines = self.arrows.iter().map(|(from, to, line)| format!("\n    {from} -> {to} by {line}"));
        around + &lines.collect::<String>()
    }
}

fn circles(sources: &[SourceFile]) -> Vec<Circle> {
    let levels = levels(&namings(sources));
    levels.iter().flat_map(|(level, siblings)| circles_of(level, siblings)).collect()
}

/// The references between the siblings of each level.
fn levels(namings: &[Naming]) -> BTreeMap<Module, Siblings> {
    let mut levels: BTreeMap<Module, Siblings> = BTreeMap::new();
    for Naming { from, to, told } in namings {
        let common = from.iter().zip(to).take_while(|(from, to)| from == to).count();
        // If one contains the other, they are not siblings.
        let (Some(sibling), Some(other)) = (from.get(common), to.get(common)) else { continue };
        let level = levels.entry(from[..common].to_vec()).or_default();
        level.entry(sibling.clone()).or_default().entry(other.clone()).or_insert_with(|| told.clone());
    }
    levels
}

/// The shortest cycle of each group, reported once.
fn circles_of(level: &[String], siblings: &Siblings) -> Vec<Circle> {
    let level = [&["crate".to_owned()], level].concat().join("::");
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for from in siblings.keys() {
        if seen.contains(from) {
            continue;
        }
        let ways = ways_from(from, siblings);
        // All that are on a path there and back.
        seen.extend(ways.keys().filter(|other| ways_from(other, siblings).contains_key(from)).cloned());
        if let Some(names) = ways.get(from) {
            let arrows =
                names.windows(2).map(|pair| (pair[0].clone(), pair[1].clone(), siblings[&pair[0]][&pair[1]].clone()));
            found.push(Circle { level: level.clone(), arrows: arrows.collect() });
        }
    }
    found
}

/// The shortest path from one to each that it leads to, including both ends.
fn ways_from(from: &str, siblings: &Siblings) -> BTreeMap<String, Vec<String>> {
    let mut ways: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut reached = vec![vec![from.to_owned()]];
    while !reached.is_empty() {
        let mut next = Vec::new();
        for way in reached {
            let named = way.last().and_then(|last| siblings.get(last)).into_iter().flat_map(BTreeMap::keys);
            for to in named {
                let longer = [way.as_slice(), std::slice::from_ref(to)].concat();
                if !ways.contains_key(to) {
                    ways.insert(to.clone(), longer.clone());
                    next.push(longer);
                }
            }
        }
        reached = next;
    }
    ways
}

fn told(files: &[(&str, &str)]) -> Vec<String> {
    let source = |(file, text): &(&str, &str)| SourceFile { file: file.into(), text: (*text).to_owned() };
    circles(&files.iter().map(source).collect::<Vec<_>>()).iter().map(Circle::told).collect()
}

/// Modules of an example: `a.rs` with `one`, `two` and `three`, and their code.
fn house<'a>(page: &'a str, one: &'a str, two: &'a str, three: &'a str) -> Vec<String> {
    told(&[("a.rs", page), ("a/one.rs", one), ("a/two.rs", two), ("a/two/deep.rs", three), ("b.rs", "pub struct B;")])
}

#[test]
fn a_circle_is_caught_with_a_line_for_each_arrow() {
    let found = house("mod one; mod two;", "use super::two::Two;", "\nuse super::one::One;", "");
    let lines = "crate::a: one -> two -> one\n    one -> two by src/a/one.rs:1: super::two::Two\n    \
                 two -> one by src/a/two.rs:2: super::one::One";
    assert_eq!(found, [lines]);
}

#[test]
fn a_circle_is_caught_however_it_is_named() {
    for (page, one, two, deep) in [
        // Re-exported by the parent.
        ("pub use two::Two; pub use one::One;", "use super::Two;", "use super::One;", ""),
        ("pub(crate) use two::Two as Other;", "use crate::a::Other;", "use crate::a::one;", ""),
        // Imported by the parent for itself, which its children see too.
        ("use two::Two; use self::one::One;", "use super::{Two};", "fn a() -> super::One {}", ""),
        // Re-exported twice.
        ("pub use two::Two;", "pub use super::Two;", "use super::one::One;", ""),
        ("", "use crate::b::Two;", "use super::one;", ""),
        // From a module further down.
        ("", "use super::two::deep::Deep;", "", "use crate::a::one::One;"),
        ("", "use super::two;", "", "use super::super::one::One;"),
        // With an inline path, complete or relative to an imported module.
        ("", "fn a() { crate::a::two::b() }", "fn b() { super::one::a() }", ""),
        ("", "use super::two as t; fn a(_: t::Two) {}", "use crate::a; fn b() { a::one::a() }", ""),
        ("", "mod inner { fn a() { super::super::two::b() } }", "use super::{one::{self, One}};", ""),
    ] {
        let b = ("b.rs", "pub use crate::a::two::Two;");
        let files = [("a.rs", page), ("a/one.rs", one), ("a/two.rs", two), ("a/two/deep.rs", deep), b];
        let found = told(&files);
        let there = found.iter().any(|circle| circle.starts_with("crate::a: one -> two -> one"));
        assert!(there, "{page} | {one} | {two} | {deep}: {found:?}");
    }
}

#[test]
fn a_circle_of_three_and_one_at_the_root_are_caught() {
    let three = [("a.rs", "use crate::b::B;"), ("b.rs", "use super::c;"), ("c/d.rs", "use crate::a;"), ("c.rs", "")];
    assert_eq!(told(&three).len(), 1);
    assert!(told(&three)[0].starts_with("crate: a -> b -> c -> a\n"), "{:?}", told(&three));
}

#[test]
fn what_is_no_circle_is_let_through() {
    for (page, one, two, deep) in [
        ("pub use one::One; pub use two::Two;", "use super::two::Two;", "use crate::b::B;", "use super::Two;"),
        // A parent and its children may refer to each other.
        ("use one::One; pub struct A;", "use super::A;", "use super::A; use super::one::One;", "use crate::a::A;"),
        // Test-only references.
        ("", "use super::two::Two;", "#[cfg(test)] mod tests { use super::super::one::One; }", ""),
        ("", "use super::two::Two;", "#[cfg(test)] mod deep;", "use crate::a::one::One;"),
        // Other crates, and things that are not names.
        ("", "use two::Two; use ::one::One;", "use one::One; // super::one\n const A: &str = \"super::one::A\";", ""),
    ] {
        assert_eq!(house(page, one, two, deep), <[String; 0]>::default(), "{page} | {one} | {two} | {deep}");
    }
}
