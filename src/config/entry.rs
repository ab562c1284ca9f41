//! A row of the table together with what reads its value: what stands behind `=` in `settings/*.rs`.
//!
//! [`One`] is a value or none, [`WithDefault`] one with a default, [`ListSetting`] a list, [`OptionalList`] a list or
//! none. A default is written as an operator would write it and read as that is read, so that it cannot be one that is
//! refused.

use std::fmt::Display;

use super::parse::One;
use super::reader::SettingsReader;
use super::setting::{Setting, SettingKind};

/// A row that can be read.
pub(super) trait SettingEntry {
    /// What is read.
    type Value;
    /// What was written, or what holds where nothing was, or nothing that is allowed.
    fn read(&self, reader: &mut SettingsReader) -> Self::Value;
    /// The row, for this purpose.
    fn row(self, purpose: &'static str) -> Setting;
}

/// The row of an entry whose value has the type `V`.
pub(super) fn row<V>(entry: impl SettingEntry<Value = V>, purpose: &'static str) -> Setting {
    entry.row(purpose)
}

/// A value with a default.
pub(super) struct WithDefault<T>(One<T>);

/// A list, which is empty where nothing is written.
pub(super) struct ListSetting<T>(One<T>);

/// A list, or none where nothing is written.
pub(super) struct OptionalList<T> {
    items: One<T>,
    /// Whether an empty one counts as none.
    never_empty: bool,
}

impl<T> One<T> {
    /// With a default.
    pub(super) fn or(mut self, default: impl Display) -> WithDefault<T> {
        self.setting.default = Some(default.to_string().into());
        WithDefault(self)
    }

    /// A list of such.
    pub(super) fn many(mut self) -> ListSetting<T> {
        self.setting.kind = SettingKind::List;
        ListSetting(self)
    }
}

impl<T> WithDefault<T> {
    /// What holds without it is decided elsewhere, and told in these words.
    pub(super) fn otherwise(mut self, told: &'static str) -> One<T> {
        self.0.setting.default = None;
        self.0.otherwise(told)
    }
}

impl<T> ListSetting<T> {
    /// None where nothing is written, which means `told`.
    pub(super) fn or_none(self, told: &'static str) -> OptionalList<T> {
        OptionalList { items: self.0.otherwise(told), never_empty: false }
    }

    /// An empty one means `told`.
    pub(super) fn otherwise(self, told: &'static str) -> Self {
        Self(self.0.otherwise(told))
    }

    /// The same; an empty list counts as none: it would refuse everything, and that is never meant.
    pub(super) fn never_empty(self, told: &'static str) -> OptionalList<T> {
        OptionalList { never_empty: true, ..self.or_none(told) }
    }
}

impl<T> SettingEntry for One<T> {
    type Value = Option<T>;

    fn read(&self, reader: &mut SettingsReader) -> Option<T> {
        reader.one(self)
    }

    fn row(self, purpose: &'static str) -> Setting {
        Setting { purpose, ..self.setting }
    }
}

impl<T> SettingEntry for WithDefault<T> {
    type Value = T;

    fn read(&self, reader: &mut SettingsReader) -> T {
        reader.one(&self.0).unwrap_or_else(|| self.0.default())
    }

    fn row(self, purpose: &'static str) -> Setting {
        self.0.row(purpose)
    }
}

impl<T> SettingEntry for ListSetting<T> {
    type Value = Vec<T>;

    fn read(&self, reader: &mut SettingsReader) -> Vec<T> {
        reader.many(&self.0).unwrap_or_default()
    }

    fn row(self, purpose: &'static str) -> Setting {
        self.0.row(purpose)
    }
}

impl<T> SettingEntry for OptionalList<T> {
    type Value = Option<Vec<T>>;

    fn read(&self, reader: &mut SettingsReader) -> Option<Vec<T>> {
        reader.many(&self.items).filter(|items| !self.never_empty || !items.is_empty())
    }

    fn row(self, purpose: &'static str) -> Setting {
        self.items.row(purpose)
    }
}
