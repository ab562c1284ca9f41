//! What is wrong with one field of an input, in words for the one who sent it.

use std::borrow::Cow;

/// One refusal of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where: a JSON pointer such as `/images/3`, or the bare name of a query parameter or header.
    pub field: String,
    /// A stable word for machines: `required`, `too_long`, `out_of_range`, `invalid`, `duplicate`, …
    pub code: &'static str,
    /// What is allowed, in a sentence.
    pub detail: Cow<'static, str>,
}

impl FieldError {
    /// A refusal of `field`, with what is allowed.
    pub fn new(field: impl Into<String>, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}

/// Collects refusals, so that a caller hears of all of them at once.
#[derive(Debug, Default)]
pub struct Findings(Vec<FieldError>);

impl Findings {
    /// Notes a refusal unless `holds`.
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

    /// The same; what it would say is only made where it is said.
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

    /// Everything noted, as an error, or nothing.
    pub fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}
