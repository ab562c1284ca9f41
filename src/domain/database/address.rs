//! The address of a database, in libpq's forms: `postgres://…`, or `host=… dbname=…`.
//!
//! What must stay true: whatever libpq accepts is either accepted with the same meaning, or refused with the reason and
//! the right spelling; nothing is ignored silently ([`DatabaseAddress::notes`]); no message repeats what may be part of
//! a password.
//!
//! Source: "Connection Strings" and "Parameter Key Words" in PostgreSQL's libpq manual.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

mod keywords;
mod options;
mod parameters;
#[cfg(test)]
mod tests;
mod uri;

/// An example of an address, for messages.
pub const EXAMPLE: &str = "an address such as postgres://user:password@host/database";

/// Why an address cannot be used. Contains no part of it that could be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl AddressError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Where a database is, and how to connect to it.
#[derive(Clone)]
pub struct DatabaseAddress {
    values: BTreeMap<&'static str, SecretString>,
    /// Session settings from `options`: name and value of each, in the order in which they were written.
    pub settings: Vec<(String, String)>,
    /// What was written but has no effect here, each as a sentence for the log.
    pub notes: Vec<String>,
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("parameters", &self.values.keys()).finish_non_exhaustive()
    }
}

impl DatabaseAddress {
    /// Parses an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.starts_with(['"', '\'']) {
            return Err(AddressError::new("is in quotation marks: remove them"));
        }
        let pairs = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => uri::pairs(rest)?,
            Some((scheme, _)) if !scheme.contains(['=', ' ']) => return Err(other_scheme(scheme)),
            _ if text.contains('=') => keywords::pairs(text)?,
            _ => return Err(AddressError::new(format!("must be {EXAMPLE}"))),
        };
        parameters::read(pairs)
    }

    /// The value of a parameter under its libpq name; only those that have an effect here are stored.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(ExposeSecret::expose_secret)
    }

    /// Every stored parameter with its value, which may be secret.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.expose_secret()))
    }
}

fn is_scheme(scheme: &str) -> bool {
    ["postgres", "postgresql"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Other drivers use their own scheme names; the rest of the address is the same.
fn other_scheme(scheme: &str) -> AddressError {
    let ours = scheme.trim_start_matches("jdbc:").split('+').next().is_some_and(is_scheme);
    let hint = if ours { ": begin it with postgres://, without a driver's name" } else { "" };
    AddressError::new(format!("must be {EXAMPLE}{hint}"))
}
