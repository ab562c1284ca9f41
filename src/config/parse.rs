//! What reads one text: the row of the table that it is written under, and what is allowed there.

use std::borrow::Cow;

use super::SettingError;
use super::setting::{Setting, SettingKind};

/// Why a text is refused.
pub(super) enum ParseError {
    /// It is not what is allowed.
    NotAllowed,
    /// For this reason, which does not repeat it.
    Because(String),
    /// What it names is wrong in these places.
    Within(Vec<SettingError>),
}

/// Whether a text stands in quotes, which whoever set it hardly meant to be part of it.
pub(super) fn is_quoted(text: &str) -> bool {
    ['"', '\''].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
}

/// What reads one text.
pub(super) type Parse<T> = Box<dyn Fn(&str) -> Result<T, ParseError>>;

/// A value, or none.
pub(super) struct One<T> {
    pub(super) setting: Setting,
    pub(super) parse: Parse<T>,
}

impl<T> One<T> {
    pub(super) fn new(
        key: &'static str,
        kind: SettingKind,
        allowed: impl Into<Cow<'static, str>>,
        parse: impl Fn(&str) -> Result<T, ParseError> + 'static,
    ) -> Self {
        let setting = Setting {
            key,
            kind,
            unit: None,
            range: None,
            allowed: allowed.into(),
            default: None,
            otherwise: None,
            required: None,
            secret: false,
            purpose: "",
        };
        Self { setting, parse: Box::new(parse) }
    }

    /// It is never shown, and also read from a file of its own.
    pub(super) fn secret(mut self) -> Self {
        self.setting.secret = true;
        self
    }

    /// `serve` and `worker` cannot do without it: it is what stands behind "must be set:".
    pub(super) fn required(mut self, what: &'static str) -> Self {
        self.setting.required = Some(what);
        self
    }

    /// What holds without it is decided elsewhere, and told in these words.
    pub(super) fn otherwise(mut self, told: &'static str) -> Self {
        self.setting.otherwise = Some(told);
        self
    }

    /// What its default means.
    pub(super) fn default(&self) -> T {
        let read = self.setting.default.as_deref().and_then(|text| (self.parse)(text).ok());
        read.expect("a test reads every default of the table")
    }
}
