//! A secret that one answer shows, and nothing else: no `Debug`, no log.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// A secret on its way into the answer that shows it once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShownOnce(String);

impl From<&SecretString> for ShownOnce {
    fn from(secret: &SecretString) -> Self {
        Self(secret.expose_secret().to_owned())
    }
}

impl fmt::Debug for ShownOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownOnce(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shows_it_and_debug_does_not() {
        let shown = ShownOnce::from(&SecretString::from("hunter2"));
        assert_eq!(
            (serde_json::to_string(&shown).unwrap().as_str(), format!("{shown:?}").as_str()),
            ("\"hunter2\"", "ShownOnce(…)")
        );
    }
}
