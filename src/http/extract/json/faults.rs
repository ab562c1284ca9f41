//! Everything that is wrong with a body, at once.
//!
//! serde stops at the first fault. So the fault is noted and mended in the value (what nobody knows is taken out; what
//! is missing or of another type is replaced by something of the right one), and the value is read again, until it can
//! be read or nothing mends it. Nothing of a mended body is used but what its own check finds wrong elsewhere.

use serde_json::{Value, json};
use serde_path_to_error::Error;

use super::{JsonBody, fault};
use crate::domain::field::{FieldCode, FieldError};

/// The most fields that one refusal names.
const MOST_FOUND: usize = 20;
/// How much text is read for the sake of one refusal, in bytes; and how often, if it is short.
const MOST_BYTES: usize = 8 << 20;
const MOST_READINGS: usize = 150;

/// The value as the object that a route takes, or what is wrong with it. `length` is that of its text.
pub(super) fn typed<T: JsonBody>(mut value: Value, length: usize) -> Result<T, Vec<FieldError>> {
    // serde would take a list for an object, its items for the fields in their order.
    if !value.is_object() {
        return Err(vec![FieldError::new("", FieldCode::InvalidType, "must be an object")]);
    }
    let mut faults = Faults::default();
    for _ in 0..(MOST_BYTES / length.max(1)).clamp(MOST_FOUND, MOST_READINGS) {
        match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(body) if faults.found.is_empty() => return Ok(body),
            Ok(body) => {
                faults.add(body.value_errors());
                break;
            }
            Err(error) if !faults.mend(&mut value, &error) => break,
            Err(_) => {}
        }
    }
    Err(faults.found)
}

/// What was found so far.
#[derive(Default)]
struct Faults {
    found: Vec<FieldError>,
    /// Where the value is no longer what was sent, with what was tried there.
    mended: Vec<Mended>,
}

struct Mended {
    at: String,
    tried: usize,
    /// A word that is taken there, where it must be one of a few.
    word: Option<String>,
}

impl Faults {
    /// Notes a fault and mends it. `false`: there is nothing left to try, or enough was found.
    fn mend(&mut self, value: &mut Value, error: &Error<serde_json::Error>) -> bool {
        let fault = fault::field(error);
        let (at, code) = (fault.field.clone(), fault.code);
        let ours = self.mended.iter().position(|mended| is_at_or_below(&at, &mended.at));
        if ours.is_none() {
            self.found.push(fault);
        }
        if self.found.len() >= MOST_FOUND {
            return false;
        }
        if code == FieldCode::UnknownField {
            return fault::take_out(value, &at);
        }
        match self.mended.iter_mut().find(|mended| mended.at == at) {
            Some(mended) => mended.word = fault::word(error).or(mended.word.take()),
            // What is missing in our own replacement is put there; what is wrong with it otherwise is tried again.
            None if ours.is_none() || code == FieldCode::Required => {
                // There is nothing to be taken out where something is missing.
                let tried = usize::from(code == FieldCode::Required);
                self.mended.push(Mended { at: at.clone(), tried, word: fault::word(error) });
            }
            None => {}
        }
        let place = self.mended.iter().position(|mended| mended.at == at).or(ours);
        place.and_then(|place| self.mended.get_mut(place)).is_some_and(|mended| mended.try_next(value))
    }

    /// Adds what the check of a mended body found, except where it looked at a replacement.
    fn add(&mut self, errors: Vec<FieldError>) {
        let touches = |field: &str| {
            self.mended.iter().any(|Mended { at, .. }| is_at_or_below(field, at) || is_at_or_below(at, field))
        };
        let room = MOST_FOUND.saturating_sub(self.found.len());
        let genuine: Vec<FieldError> = errors.into_iter().filter(|error| !touches(&error.field)).take(room).collect();
        self.found.extend(genuine);
    }
}

impl Mended {
    /// Puts the next replacement there. `false`: all were tried.
    fn try_next(&mut self, value: &mut Value) -> bool {
        if let Some(word) = self.word.take() {
            return fault::put(value, &self.at, word.into());
        }
        let next = self.tried;
        self.tried += 1;
        let replacement = match next {
            // What may be left out is; an item of a list stays, so that the others keep their places.
            0 => return fault::take_out(value, &self.at) || self.try_next(value),
            1 => json!(""),
            2 => json!(0),
            3 => json!(false),
            4 => json!([]),
            5 => json!({}),
            6 => json!("1970-01-01T00:00:00Z"),
            _ => return false,
        };
        fault::put(value, &self.at, replacement)
    }
}

/// Whether a pointer leads to `other` or to something in it.
fn is_at_or_below(pointer: &str, other: &str) -> bool {
    pointer.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
