//! Errors about one field of an input, in words for its sender.

use std::borrow::Cow;

/// One error about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field: a JSON pointer such as `/images/3`, or the bare name of a query parameter or header.
    pub field: String,
    /// A stable code for programs: `required`, `too_long`, `out_of_range`, `invalid`, `duplicate`, …
    pub code: &'static str,
    /// What is allowed, as a sentence.
    pub detail: Cow<'static, str>,
}

impl FieldError {
    /// An error about `field`, with what is allowed.
    pub fn new(field: impl Into<String>, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}

/// Collects errors, so that a caller gets all of them at once.
#[derive(Debug, Default)]
pub struct Findings(Vec<FieldError>);

impl Findings {
    /// Records an error unless `holds`.
    pub fn require(
        &mut self,
        holds: bool,
        field: impl Into<String>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) {
        if !holds {
            self.0.push(FieldError::new(field, code, detail));
        }
    }

    /// The same, but builds the texts only if they are needed.
    pub fn allow<D: Into<Cow<'static, str>>>(
        &mut self,
        holds: bool,
        field: impl FnOnce() -> String,
        code: &'static str,
        detail: impl FnOnce() -> D,
    ) {
        if !holds {
            self.0.push(FieldError::new(field(), code, detail()));
        }
    }

    /// All recorded errors, or `Ok` if there are none.
    pub fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}
