//! The settings as they were found, good or not: each command asks for what it needs, and hears everything that is
//! wrong for it at once.

use std::path::Path;

use super::reader::SettingsReader;
use super::setting::find;
use super::settings::table;
use super::source::WrittenSettings;
use super::{Config, LogConfig, SettingError};

/// What was read, and what is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    pub(super) config: Config,
    pub(super) reader: SettingsReader,
    notes: Vec<String>,
}

impl Loaded {
    /// Reads the settings of `file`, if there is one, and of `env` over it.
    pub fn of(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut reader = SettingsReader::new(WrittenSettings::merge(table(), file, env));
        let config = Config::read(&mut reader);
        let mut notes = reader.notes();
        // What follows from settings is not said of wrong ones.
        notes.extend(config.auth.note().filter(|_| reader.errors().is_empty()));
        Self { config, reader, notes }
    }

    /// What is logged, also where something else is wrong.
    pub fn log(&self) -> &LogConfig {
        &self.config.log
    }

    /// Things to log at the start, such as variables that look like settings but are none.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Every setting, or everything that is wrong.
    pub fn config(self) -> Result<Config, Vec<SettingError>> {
        let Self { config, reader, .. } = self;
        reader.finish(Some(config))
    }
}

impl SettingsReader {
    /// What the table calls required; where it was not written, that is noted. One that was written and is wrong is
    /// noted already.
    pub(super) fn need<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        let what = find(table(), key).and_then(|setting| setting.required).unwrap_or_default();
        self.need_one(key, &format!("must be set: {what}"), value)
    }

    /// The same in other words.
    pub(super) fn need_one<T>(&mut self, key: &str, told: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.misses(key) {
            self.refuse(key, format!("{told} ({key} in the file)"));
        }
        value
    }

    /// `read`, unless anything was wrong.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<SettingError>> {
        match read {
            Some(read) if self.errors().is_empty() => Ok(read),
            _ => Err(self.into_errors()),
        }
    }
}
