//! The settings as found, valid or not: each command asks for what it needs, and gets all errors about that at once.

use std::path::Path;

use super::reader::SettingsReader;
use super::setting::find;
use super::settings::table;
use super::source::WrittenSettings;
use super::{Config, LogConfig, SettingError};

/// What was read, and its errors.
#[derive(Debug)]
pub struct Loaded {
    pub(super) config: Config,
    pub(super) reader: SettingsReader,
    notes: Vec<String>,
}

impl Loaded {
    /// Reads the settings from `file`, if given, and from `env`, which takes precedence.
    pub fn of(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut reader = SettingsReader::new(WrittenSettings::merge(table(), file, env));
        let config = Config::read(&mut reader);
        let mut notes = reader.notes();
        // Warnings are not derived from invalid settings.
        notes.extend(config.auth.note().filter(|_| reader.errors().is_empty()));
        Self { config, reader, notes }
    }

    /// The log settings, even if others are invalid.
    pub fn log(&self) -> &LogConfig {
        &self.config.log
    }

    /// Warnings to log at the start, such as variables that look like settings but are not.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Every setting, or all errors.
    pub fn config(self) -> Result<Config, Vec<SettingError>> {
        let Self { config, reader, .. } = self;
        reader.finish(Some(config))
    }
}

impl SettingsReader {
    /// A required setting; if it is absent, that is recorded as an error. If it is invalid, that has been recorded
    /// already.
    pub(super) fn need<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        let what = find(table(), key).and_then(|setting| setting.required).unwrap_or_default();
        self.need_one(key, &format!("must be set: {what}"), value)
    }

    /// The same with this error message.
    pub(super) fn need_one<T>(&mut self, key: &str, told: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.misses(key) {
            self.refuse(key, format!("{told} ({key} in the file)"));
        }
        value
    }

    /// Returns `read`, or all errors if there are any.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<SettingError>> {
        match read {
            Some(read) if self.errors().is_empty() => Ok(read),
            _ => Err(self.into_errors()),
        }
    }
}
