//! Errors about one field of an input, in words for its sender.

use std::borrow::Cow;

/// Makes the codes of their table. In a row: what the code means, and its name.
macro_rules! field_codes {
    ($( $(#[doc = $meaning:literal])+ $code:ident = $name:literal; )+) => {
        /// What is wrong with a field. On the wire these are open strings: codes may be added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FieldCode {
            $( $(#[doc = $meaning])+ $code, )+
        }

        impl FieldCode {
            /// Every code, in the order of the table.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$code),+];

            /// The code as it is sent.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$code => $name, )+ }
            }

            /// What it means, in whole sentences.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$code => concat!($($meaning),+).trim_ascii(), )+ }
            }
        }
    };
}

field_codes! {
    /// The field must be given, and is absent.
    Required = "required";
    /// The request has no such field; `detail` names the one that was probably meant.
    UnknownField = "unknown_field";
    /// The operation has no such query parameter; `detail` names the one that was probably meant.
    UnknownParameter = "unknown_parameter";
    /// The field or parameter was sent more than once, or repeats another value.
    Duplicate = "duplicate";
    /// The field has another JSON type.
    InvalidType = "invalid_type";
    /// The value does not have the form that `detail` describes.
    Invalid = "invalid";
    /// A header cannot be read.
    Malformed = "malformed";
    /// The number, or how many items there are, is outside the limits.
    OutOfRange = "out_of_range";
    /// The text is too long.
    TooLong = "too_long";
    /// There are too many items.
    TooMany = "too_many";
    /// The value is possible, but not here or not in this combination.
    NotAllowed = "not_allowed";
    /// The name is reserved for the gateway.
    Reserved = "reserved";
    /// Another resource has this value already.
    Taken = "taken";
    /// There is no such event type.
    UnknownEventType = "unknown_event_type";
    /// The secret must be sent with this change.
    SecretRequired = "secret_required";
    /// The rule of an issuer would match the tokens of anybody.
    MatchesAnybody = "matches_anybody";
    /// The webhook endpoint did not answer its challenge as it must.
    ChallengeFailed = "challenge_failed";
    /// The team's policy refuses the value; `rule` names the member of the policy.
    Policy = "policy";
}

/// One error about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field: a JSON pointer such as `/images/3`, or the bare name of a query parameter or header.
    pub field: String,
    /// What is wrong, for programs.
    pub code: FieldCode,
    /// What is allowed, as a sentence.
    pub detail: Cow<'static, str>,
}

impl FieldError {
    /// An error about `field`, with what is allowed.
    pub fn new(field: impl Into<String>, code: FieldCode, detail: impl Into<Cow<'static, str>>) -> Self {
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
        code: FieldCode,
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
        code: FieldCode,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_name_of_its_own_and_is_explained() {
        for (place, code) in FieldCode::ALL.into_iter().enumerate() {
            let same = FieldCode::ALL.iter().position(|other| other.as_str() == code.as_str());
            assert_eq!(same, Some(place), "{code:?}: the name is another's");
            assert!(code.meaning().ends_with('.') && !code.meaning().contains('|'), "{code:?}");
        }
    }
}
