//! Parses settings into typed values, and collects errors.

use super::SettingError;
use super::parse::{One, ParseError, is_quoted};
use super::setting::{Setting, find, variable_of};
use super::source::{Raw, WrittenSettings, WrittenValue};

/// How much of an invalid value a message repeats, in characters.
const ECHO: usize = 80;

/// Reads settings one after another.
#[derive(Default)]
pub(super) struct SettingsReader(WrittenSettings);

impl std::fmt::Debug for SettingsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_tuple("SettingsReader").field(&self.0.written).finish()
    }
}

impl SettingsReader {
    pub(super) fn new(source: WrittenSettings) -> Self {
        Self(source)
    }

    /// A reader without any settings, which gives the defaults.
    pub(super) fn empty() -> Self {
        Self::default()
    }

    /// The errors so far.
    pub(super) fn errors(&self) -> &[SettingError] {
        &self.0.errors
    }

    /// The errors, by value.
    pub(super) fn into_errors(self) -> Vec<SettingError> {
        self.0.errors
    }

    /// Takes the warnings that reading has collected.
    pub(super) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0.notes)
    }

    /// Whether a setting was set, valid or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.written.contains(key)
    }

    /// Whether a setting without a value is missing: not if it is invalid, or may be in a file that could not be read.
    pub(super) fn misses(&self, key: &str) -> bool {
        !self.has(key) && !self.0.unread
    }

    /// Whether there is an error about a setting.
    pub(super) fn refuses(&self, key: &str) -> bool {
        let origin = self.origin(key);
        self.0.errors.iter().any(|error| error.setting == origin)
    }

    /// The name under which a setting was set; its variable if it was not.
    pub(super) fn origin(&self, key: &str) -> String {
        self.0.values.get(key).map_or_else(|| variable_of(key), |raw| raw.origin.clone())
    }

    /// Records an error about a setting.
    pub(super) fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origin(key);
        self.0.refuse(origin, message);
    }

    /// The value of a setting that is one text; `None` if it is absent or invalid. An invalid one is recorded.
    pub(super) fn one<T>(&mut self, one: &One<T>) -> Option<T> {
        let Raw { origin, value } = self.0.values.get(one.setting.key)?.clone();
        let WrittenValue::Text(text) = value else {
            self.0.refuse(origin, format!("must be {}, not a list", one.setting.allowed));
            return None;
        };
        let refused = match (one.parse)(&text) {
            Ok(parsed) => return Some(parsed),
            Err(refused) => refused,
        };
        match refused {
            ParseError::NotAllowed => self.0.refuse(origin, must_be(&one.setting, &text)),
            ParseError::Because(told) => self.0.refuse(origin, told),
            ParseError::Within(errors) => self.0.errors.extend(errors),
        }
        None
    }

    /// The same for a list: each item is checked, and all errors are recorded.
    pub(super) fn many<T>(&mut self, item: &One<T>) -> Option<Vec<T>> {
        let Raw { origin, value } = self.0.values.get(item.setting.key)?.clone();
        let mut parsed = Vec::new();
        for text in value.items() {
            if let Ok(value) = (item.parse)(&text) {
                parsed.push(value);
            } else {
                let told = format!("each must be {}, not {:?}", item.setting.allowed, shorten(&text));
                self.0.refuse(&origin, told);
            }
        }
        Some(parsed)
    }

    /// Records that a value is not allowed after all.
    pub(super) fn refuse_value(&mut self, key: &str) {
        let text = match self.0.values.get(key) {
            Some(Raw { value: WrittenValue::Text(text), .. }) => text.clone(),
            _ => String::new(),
        };
        if let Some(setting) = find(self.0.table, key) {
            self.refuse(key, must_be(setting, &text));
        }
    }
}

fn must_be(setting: &Setting, text: &str) -> String {
    // An address may contain a password where none is expected.
    let hint = left_over(text);
    if setting.secret || text.contains("://") && text.contains('@') {
        format!("must be {}{hint}", setting.allowed)
    } else {
        format!("must be {}, not {:?}{hint}", setting.allowed, shorten(text))
    }
}

/// A hint about what programs leave in values from env files: `docker run --env-file` does not remove quotes, and a
/// file written on Windows has a carriage return at the end of each line.
fn left_over(text: &str) -> &'static str {
    if text.trim() != text {
        "; it begins or ends with a space or a line break"
    } else if is_quoted(text) {
        "; the quotes are part of the value: leave them out"
    } else {
        ""
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(ECHO).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
