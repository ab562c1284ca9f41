//! The parser of a single text: the row of the table that it belongs to, and what is allowed.

use std::borrow::Cow;

use super::SettingError;
use super::setting::{Setting, SettingKind};

/// Why a text is refused.
pub(super) enum ParseError {
    /// It is not allowed.
    NotAllowed,
    /// For this reason, which does not contain the text.
    Because(String),
    /// The file that it names has these errors.
    Within(Vec<SettingError>),
}

/// Whether a text is in quotes, which are hardly meant to be part of it.
pub(super) fn is_quoted(text: &str) -> bool {
    ['"', '\''].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
}

/// Parses one text.
pub(super) type Parse<T> = Box<dyn Fn(&str) -> Result<T, ParseError>>;

/// A setting with at most one value.
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

    /// Marks it as a secret: it is never shown, and can also be read from a file of its own.
    pub(super) fn secret(mut self) -> Self {
        self.setting.secret = true;
        self
    }

    /// Marks it as required for `serve` and `worker`; `what` follows "must be set:".
    pub(super) fn required(mut self, what: &'static str) -> Self {
        self.setting.required = Some(what);
        self
    }

    /// The value that applies without it is determined elsewhere, and described by these words.
    pub(super) fn otherwise(mut self, told: &'static str) -> Self {
        self.setting.otherwise = Some(told);
        self
    }

    /// The parsed default.
    pub(super) fn default(&self) -> T {
        let read = self.setting.default.as_deref().and_then(|text| (self.parse)(text).ok());
        read.expect("a test reads every default of the table")
    }
}
