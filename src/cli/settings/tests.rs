//! The reference in the documentation says the same about each setting as the table.

use super::*;

#[test]
fn the_page_of_the_documentation_is_what_is_printed() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md")).unwrap();
    let printed = markdown(table());
    let first = page.lines().zip(printed.lines()).find(|(page, printed)| page != printed);
    assert_eq!(first, None, "run `cargo run -- settings --format markdown > docs/settings.md`");
    assert_eq!(page.len(), printed.len());
}

#[test]
fn every_page_that_a_setting_names_is_there() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    let printed = markdown(table());
    let pages: Vec<&str> = printed.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).collect();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        assert!(std::path::Path::new(docs).join(page).exists(), "{page}");
    }
}

#[test]
fn a_person_reads_sentences_and_a_machine_the_same_facts() {
    let text = sentences(table());
    let body = "
  ECG_LIMITS_BODY_BYTES
      The maximum size of a request's body.
      A whole number from 1024 to 67108864 (bytes). Default: 1048576.
";
    assert!(text.contains(body), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    let json: serde_json::Value = serde_json::from_str(&json(table()).unwrap()).unwrap();
    let rows = json["settings"].as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == "limits.body_bytes").unwrap();
    assert_eq!((&row["minimum"], &row["maximum"]), (&1_024.into(), &67_108_864.into()));
    assert_eq!((&row["default"], &row["variable"]), (&"1048576".into(), &"ECG_LIMITS_BODY_BYTES".into()));
    let secrets = rows.iter().filter(|row| row["secret"] == true);
    assert!(secrets.clone().count() >= 12 && secrets.clone().all(|row| row["file_variable"].is_string()));
}
