//! Every numeric setting accepts exactly the range in its row, and is interpreted in its unit.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::setting::{Setting, SettingKind, all};
use super::super::settings::table;
use super::*;
use crate::domain::property::holds;

fn numbers() -> Vec<&'static Setting> {
    all(table()).filter(|setting| setting.kind == SettingKind::Number && setting.range.is_some()).collect()
}

/// The errors about the format of this setting; other rules may refuse it too.
fn refused(setting: &Setting, text: &str) -> bool {
    let variable = setting.variable();
    let told = load(&[(&variable, text)]).err().unwrap_or_default();
    let words = format!("{variable}: must be {}", setting.allowed);
    told.iter().any(|told| told.starts_with(&words))
}

/// Numbers around the limits of the range, and arbitrary ones.
fn near(setting: &Setting, number: u64, place: u8) -> u64 {
    let range = setting.range.clone().expect("it has one");
    match place {
        0 => *range.start(),
        1 => *range.end(),
        2 => range.start().saturating_sub(1),
        3 => range.end().saturating_add(1),
        4 => number,
        _ => range.start() + number % (range.end() - range.start()).saturating_add(1).max(1),
    }
}

#[test]
fn every_number_within_its_range_is_taken_and_no_other_is() {
    assert!(numbers().len() > 50, "{}", numbers().len());
    holds(2_000, (select(numbers()), any::<u64>(), 0..8_u8), |(setting, number, place)| {
        let number = near(setting, number, place);
        let allowed = setting.range.as_ref().is_some_and(|range| range.contains(&number));
        prop_assert_eq!(refused(setting, &number.to_string()), !allowed, "{} = {}", setting.key, number);
        Ok(())
    });
}

#[test]
fn what_is_no_whole_number_is_refused_by_the_name_of_its_setting() {
    let before = ["", "-", "0x", "~"];
    let behind = ["", "s", "ms", "Mi", ".0", "e1", "_000", ",000"];
    let text = (select(before.to_vec()), any::<u32>(), select(behind.to_vec()));
    let text = text.prop_filter("a number", |(before, _, behind)| !before.is_empty() || !behind.is_empty());
    holds(1_000, (select(numbers()), text), |(setting, (before, number, behind))| {
        let text = format!("{before}{number}{behind}");
        prop_assert!(refused(setting, &text), "{} = {}", setting.key, text);
        Ok(())
    });
}

/// A setting of each unit, and its value in milliseconds or bytes.
type UnitCase = (&'static str, u64, fn(&Config) -> u128);

const MEANINGS: [UnitCase; 4] = [
    ("limits.queue_milliseconds", 1, |config| config.limits.queue_target.as_millis()),
    ("webhook.timeout_seconds", 1_000, |config| config.webhook.timeout.as_millis()),
    ("retention.events_days", 86_400_000, |config| config.retention.events.as_millis()),
    ("limits.body_bytes", 1, |config| config.limits.body_bytes as u128),
];

#[test]
fn a_number_means_so_many_of_its_unit() {
    holds(400, (select(&MEANINGS[..]), any::<u64>()), |((key, unit, meaning), number)| {
        let setting = numbers().into_iter().find(|setting| setting.key == key).expect("it is there");
        let number = near(setting, number, 9);
        let config = load(&[(&setting.variable(), &number.to_string())]);
        let config = config.map_err(|told| TestCaseError::fail(told.concat()))?;
        prop_assert_eq!(meaning(&config), u128::from(number) * u128::from(unit), "{} = {}", key, number);
        Ok(())
    });
}
