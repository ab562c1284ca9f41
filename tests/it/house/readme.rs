//! The README's lists are complete.
#![cfg(test)]

use eci_cache_gateway::domain::event::EventType;

#[test]
fn the_readme_says_of_each_event_of_the_platform_when_it_happens() {
    let readme = include_str!("../../../README.md");
    let rows: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| `platform.")?.split('`').next()).collect();
    let types = EventType::ALL.into_iter().filter(|kind| kind.is_platforms());
    let names: Vec<&str> = types.filter_map(|kind| kind.as_str().strip_prefix("platform.")).collect();
    assert_eq!(rows, names, "its table under Platform events, and the types in their order");
}
