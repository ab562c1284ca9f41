//! What is known of a setting besides its value: the row of the table that everything else is made from.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The settings of one subject, in the order in which a person meets them.
#[derive(Debug)]
pub struct Section {
    /// The heading under which the reference shows them.
    pub title: &'static str,
    /// In the order of the reference.
    pub settings: Vec<Setting>,
}

/// What is known of a setting beside its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name in a file, such as `limits.body_bytes`.
    pub key: &'static str,
    /// How it is written.
    pub kind: SettingKind,
    /// What its number counts.
    pub unit: Option<&'static str>,
    /// What its number may be.
    pub range: Option<RangeInclusive<u64>>,
    /// What is allowed, to stand behind "must be" (of a list: behind "each must be").
    pub allowed: Cow<'static, str>,
    /// What holds where nothing is written: as it would be written.
    pub default: Option<Cow<'static, str>>,
    /// What holds where nothing is written, in words: where that is no value.
    pub otherwise: Option<&'static str>,
    /// Of one that `serve` and `worker` cannot do without: what it is, to stand behind "must be set:".
    pub required: Option<&'static str>,
    /// Whether it is secret: never shown, and also read from a file of its own.
    pub secret: bool,
    /// What it is for, in one line.
    pub purpose: &'static str,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text; what it may be is said by `allowed`.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Texts: an array in a file, between commas in the environment.
    List,
    /// The path of a file, which is read at the start.
    File,
}

impl SettingKind {
    /// Its word in the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Flag => "flag",
            Self::List => "list",
            Self::File => "file",
        }
    }
}

impl Setting {
    /// Its variable: of `limits.body_bytes` `ECG_LIMITS_BODY_BYTES`.
    pub fn variable(&self) -> String {
        variable_of(self.key)
    }

    /// Of a secret: the variable that names a file with it.
    pub fn file_variable(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.variable()))
    }
}

/// Every setting of a table.
pub(super) fn all(table: &'static [Section]) -> impl Iterator<Item = &'static Setting> {
    table.iter().flat_map(|section| &section.settings)
}

/// The setting of that key.
pub(super) fn find(table: &'static [Section], key: &str) -> Option<&'static Setting> {
    all(table).find(|setting| setting.key == key)
}

/// The variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("ECG_{}", key.to_uppercase().replace('.', "_"))
}
