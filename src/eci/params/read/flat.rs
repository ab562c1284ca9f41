//! Flat parameters by name: texts, numbers, booleans, lists (`Image.1`), objects (`Tag.1.Key`).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::str::FromStr;

use super::{ParameterError, RequestPairs};
use crate::domain::image_cache::spec::fields::FIELDS;

/// The parameters of one call, sorted. Not `Debug`: they contain passwords.
pub(in crate::eci) struct Flat<'a>(BTreeMap<&'a str, &'a str>);

/// The fields of one object in a list. Not `Debug` either.
#[derive(Default)]
pub(super) struct ObjectFields<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Flat<'a> {
    pub(in crate::eci) fn new(params: &'a RequestPairs) -> Self {
        // In reverse, so that the first of several duplicate keys wins.
        Self(params.iter().rev().map(|(key, value)| (key.as_str(), value.as_str())).collect())
    }

    /// The value as sent, even if it is empty.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    /// A text; `None` if it is absent or empty.
    pub(in crate::eci) fn text(&self, key: &str) -> Option<&'a str> {
        self.raw(key).filter(|value| !value.is_empty())
    }

    pub(in crate::eci) fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    pub(in crate::eci) fn required(&self, key: &str) -> Result<&'a str, ParameterError> {
        self.text(key).ok_or_else(|| ParameterError::missing(key))
    }

    /// A whole number; the domain checks its limits.
    pub(in crate::eci) fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>, ParameterError> {
        let read =
            |text: &str| text.parse().map_err(|_| ParameterError::invalid(key, "it must be a whole number in range"));
        self.text(key).map(read).transpose()
    }

    /// A boolean in any case: Python sends `True`.
    pub(in crate::eci) fn flag(&self, key: &str) -> Result<Option<bool>, ParameterError> {
        let read = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(ParameterError::invalid(key, "it must be true or false")),
        };
        self.text(key).map(read).transpose()
    }

    /// Comma-separated texts. Literal double quotes around them, as in a documented example, are removed.
    pub(super) fn joined(&self, key: &str) -> Vec<String> {
        split(self.text(key).unwrap_or_default()).collect()
    }

    /// `name.1`, `name.2`, … in the order of their numbers, at most `most`; empty ones are left out.
    pub(super) fn list(&self, name: &str, most: usize) -> Result<Vec<String>, ParameterError> {
        numbered(name, under(&self.0, &format!("{name}.")), most)
    }

    /// `name.1.Field`, …: the fields for each number, in the order of the numbers, at most `most`.
    pub(super) fn objects(&self, name: &str, most: usize) -> Result<Vec<(usize, ObjectFields<'a>)>, ParameterError> {
        let mut objects: BTreeMap<usize, ObjectFields<'a>> = BTreeMap::new();
        for (rest, value) in under(&self.0, &format!("{name}.")) {
            let (number, field) = match rest.split_once('.') {
                // `1Domain.1` without a dot: one SDK sends `AcrRegistryInfo.1Domain.1`.
                Some((number, _)) if number.ends_with("Domain") => rest.split_at(number.len() - "Domain".len()),
                Some(parts) => parts,
                None => (rest, ""),
            };
            objects.entry(place(name, number, most)?).or_default().0.insert(field, value);
        }
        Ok(objects.into_iter().collect())
    }

    /// `Tag.N`: a key is required and must be unique; the value may be empty.
    pub(super) fn tags(&self, most: usize) -> Result<BTreeMap<String, String>, ParameterError> {
        let mut tags = BTreeMap::new();
        let list = FIELDS.tags.parameter();
        for (place, fields) in self.objects(list, most)? {
            let name = format!("{list}.{place}.Key");
            let key = fields.text("Key").ok_or_else(|| ParameterError::missing(&name))?;
            let value = fields.0.get("Value").copied().unwrap_or_default();
            if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(ParameterError::invalid(name, "each tag needs a key of its own"));
            }
        }
        Ok(tags)
    }
}

impl<'a> ObjectFields<'a> {
    pub(super) fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).copied().filter(|value| !value.is_empty())
    }

    /// `field.1`, …; a value may itself be comma-separated. `name` is used in refusals.
    pub(super) fn list(&self, name: &str, field: &str, most: usize) -> Result<Vec<String>, ParameterError> {
        let listed = numbered(name, under(&self.0, &format!("{field}.")), most)?;
        Ok(listed.iter().flat_map(|value| split(value).collect::<Vec<_>>()).collect())
    }
}

fn split(joined: &str) -> impl Iterator<Item = String> {
    let parts = joined.split(',').map(|part| part.trim().trim_matches('"').trim());
    parts.filter(|part| !part.is_empty()).map(str::to_owned)
}

/// The entries whose names begin with `prefix`, without the prefix.
fn under<'a>(all: &BTreeMap<&'a str, &'a str>, prefix: &str) -> Vec<(&'a str, &'a str)> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    all.range::<str, _>(from).map_while(|(key, value)| Some((key.strip_prefix(prefix)?, *value))).collect()
}

fn numbered<'a>(name: &str, items: Vec<(&'a str, &'a str)>, most: usize) -> Result<Vec<String>, ParameterError> {
    let places: Result<BTreeMap<usize, &str>, ParameterError> =
        items.into_iter().map(|(number, value)| Ok((place(name, number, most)?, value))).collect();
    Ok(places?.into_values().filter(|value| !value.is_empty()).map(str::to_owned).collect())
}

/// The number of a list element: at least 1, digits only, without leading zeros, so that each position has one
/// spelling.
fn place(name: &str, number: &str, most: usize) -> Result<usize, ParameterError> {
    let plain = number.bytes().all(|digit| digit.is_ascii_digit()) && !number.starts_with('0');
    let place = number.parse().ok().filter(|place| plain && (1..=most).contains(place));
    place.ok_or_else(|| ParameterError::invalid(name, &format!("it must be numbered from 1 to {most}")))
}
