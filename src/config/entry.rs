//! A row of the table together with its parser: what follows `=` in `settings/*.rs`.
//!
//! [`One`] is an optional value, [`WithDefault`] a value with a default, [`ListSetting`] a list, [`OptionalList`] an
//! optional list. A default is written as an operator would write it and parsed in the same way, so that an invalid one
//! is noticed.

use std::fmt::Display;

use super::parse::One;
use super::reader::SettingsReader;
use super::setting::{Setting, SettingKind};

/// A setting that can be read.
pub(super) trait SettingEntry {
    /// The type of its value.
    type Value;
    /// The value that was set, or the default if it is absent or invalid.
    fn read(&self, reader: &mut SettingsReader) -> Self::Value;
    /// The row, with this purpose.
    fn row(self, purpose: &'static str) -> Setting;
}

/// The row of an entry whose value has the type `V`.
pub(super) fn row<V>(entry: impl SettingEntry<Value = V>, purpose: &'static str) -> Setting {
    entry.row(purpose)
}

/// A value with a default.
pub(super) struct WithDefault<T>(One<T>);

/// A list, empty by default.
pub(super) struct ListSetting<T>(One<T>);

/// A list that may be absent.
pub(super) struct OptionalList<T> {
    items: One<T>,
    /// Whether an empty list counts as absent.
    never_empty: bool,
}

impl<T> One<T> {
    /// With this default.
    pub(super) fn or(mut self, default: impl Display) -> WithDefault<T> {
        self.setting.default = Some(default.to_string().into());
        WithDefault(self)
    }

    /// A list of such values.
    pub(super) fn many(mut self) -> ListSetting<T> {
        self.setting.kind = SettingKind::List;
        ListSetting(self)
    }
}

impl<T> WithDefault<T> {
    /// The value that applies without it is determined elsewhere, and described by these words.
    pub(super) fn otherwise(mut self, told: &'static str) -> One<T> {
        self.0.setting.default = None;
        self.0.otherwise(told)
    }
}

impl<T> ListSetting<T> {
    /// `None` if nothing is set, which means `told`.
    pub(super) fn or_none(self, told: &'static str) -> OptionalList<T> {
        OptionalList { items: self.0.otherwise(told), never_empty: false }
    }

    /// An empty list means `told`.
    pub(super) fn otherwise(self, told: &'static str) -> Self {
        Self(self.0.otherwise(told))
    }

    /// Like `otherwise`, but an empty list counts as absent: it would refuse everything, which is never intended.
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
