//! The table is sorted, complete, and equal to the documentation.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

fn is_name(text: &str) -> bool {
    let rest = text.strip_prefix("ecg_").unwrap_or_default();
    !rest.is_empty() && !rest.ends_with('_') && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Every string that looks like the name of a metric in the sources below `folder`.
fn named(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named(&path, into);
        } else if !path.ends_with("telemetry/families.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            into.extend(text.split('"').filter(|text| is_name(text)).map(str::to_owned));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_family_that_is_measured_is_in_the_table_and_in_its_order() {
    let mut measured = BTreeSet::new();
    named(&root().join("src"), &mut measured);
    let table: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert!(table.is_sorted());
    let missing: Vec<_> = measured.iter().filter(|name| !table.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "add them to FAMILIES: {missing:?}");
    let unused: Vec<_> = table.iter().filter(|name| !measured.contains(**name)).collect();
    assert!(unused.is_empty(), "nothing measures {unused:?}");
}

#[test]
fn the_page_shows_the_table() {
    let page = std::fs::read_to_string(root().join("docs/compose.md")).unwrap();
    for Family { name, process, help, labels, .. } in FAMILIES {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let row = format!("| `{name}` | {labels} | {process} | {help} |");
        assert!(page.contains(&row), "docs/compose.md lacks: {row}");
    }
}
