//! Turns what was written into typed values, and notes what is not allowed.

use super::SettingError;
use super::parse::{One, ParseError, is_quoted};
use super::setting::{Setting, find, variable_of};
use super::source::{Raw, WrittenSettings, WrittenValue};

/// The longest part of a wrong value that is repeated in a message, in characters.
const ECHO: usize = 80;

/// Reads settings one after another.
#[derive(Default)]
pub(super) struct SettingsReader(WrittenSettings);

impl std::fmt::Debug for SettingsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What was written may be secret.
        f.debug_tuple("SettingsReader").field(&self.0.written).finish()
    }
}

impl SettingsReader {
    pub(super) fn new(source: WrittenSettings) -> Self {
        Self(source)
    }

    /// One of nothing, for what holds where nothing is written.
    pub(super) fn empty() -> Self {
        Self::default()
    }

    /// What is wrong so far.
    pub(super) fn errors(&self) -> &[SettingError] {
        &self.0.errors
    }

    /// The same, at the end.
    pub(super) fn into_errors(self) -> Vec<SettingError> {
        self.0.errors
    }

    /// What is odd.
    pub(super) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0.notes)
    }

    /// Whether a setting was written, good or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.written.contains(key)
    }

    /// Whether one that has no value is missing: not where it was written and is wrong, or may stand in a file that
    /// could not be read.
    pub(super) fn misses(&self, key: &str) -> bool {
        !self.has(key) && !self.0.unread
    }

    /// Whether something is wrong with a setting.
    pub(super) fn refuses(&self, key: &str) -> bool {
        let origin = self.origin(key);
        self.0.errors.iter().any(|error| error.setting == origin)
    }

    /// The name under which a setting was written; its variable, where it was not.
    pub(super) fn origin(&self, key: &str) -> String {
        self.0.values.get(key).map_or_else(|| variable_of(key), |raw| raw.origin.clone())
    }

    /// Notes that a setting is wrong.
    pub(super) fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origin(key);
        self.0.refuse(origin, message);
    }

    /// The value of a setting that is one text. None where it is absent, or wrong, which is noted then.
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

    /// The same of a list: each of its items is judged, and all that are wrong are noted.
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

    /// Notes that a value is not what is allowed after all.
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
    // An address may carry a password where none belongs.
    let hint = left_over(text);
    if setting.secret || text.contains("://") && text.contains('@') {
        format!("must be {}{hint}", setting.allowed)
    } else {
        format!("must be {}, not {:?}{hint}", setting.allowed, shorten(text))
    }
}

/// What the programs that read files of variables leave in a value: `docker run --env-file` takes no quotes off, and a
/// file that was written on Windows has a carriage return at the end of each line.
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
