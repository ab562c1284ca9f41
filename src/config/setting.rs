//! The metadata of a setting: its row of the table, from which everything else is derived.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The settings of one subject, in the order of the reference.
#[derive(Debug)]
pub struct Section {
    /// The heading in the reference.
    pub title: &'static str,
    /// The settings, in the order of the reference.
    pub settings: Vec<Setting>,
}

/// Everything about a setting except its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key in a file, such as `limits.body_bytes`.
    pub key: &'static str,
    /// The type of its value.
    pub kind: SettingKind,
    /// The unit of its number.
    pub unit: Option<&'static str>,
    /// The range of its number.
    pub range: Option<RangeInclusive<u64>>,
    /// What is allowed; it follows "must be" (for a list: "each must be").
    pub allowed: Cow<'static, str>,
    /// Its default, as it would be written.
    pub default: Option<Cow<'static, str>>,
    /// What applies by default, in words, if that is not a value.
    pub otherwise: Option<&'static str>,
    /// For one that `serve` and `worker` require: what it is; it follows "must be set:".
    pub required: Option<&'static str>,
    /// Whether it is a secret: never shown, and can also be read from a file of its own.
    pub secret: bool,
    /// Its purpose, as one line of text.
    pub purpose: &'static str,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text; `allowed` describes what is valid.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Texts: an array in a file, comma-separated in the environment.
    List,
    /// The path of a file, which is read at the start.
    File,
}

impl SettingKind {
    /// Its name in the reference.
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
    /// Its variable, such as `ECG_LIMITS_BODY_BYTES` for `limits.body_bytes`.
    pub fn variable(&self) -> String {
        variable_of(self.key)
    }

    /// For a secret: the variable that names a file with it.
    pub fn file_variable(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.variable()))
    }
}

/// All settings of a table.
pub(super) fn all(table: &'static [Section]) -> impl Iterator<Item = &'static Setting> {
    table.iter().flat_map(|section| &section.settings)
}

/// The setting with that key.
pub(super) fn find(table: &'static [Section], key: &str) -> Option<&'static Setting> {
    all(table).find(|setting| setting.key == key)
}

/// The variable for a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("ECG_{}", key.to_uppercase().replace('.', "_"))
}
