//! A secret that one answer shows, and nothing else: no `Debug`, no log.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// A secret on its way into the answer that shows it once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OneTimeSecret(String);

impl From<&SecretString> for OneTimeSecret {
    fn from(secret: &SecretString) -> Self {
        Self(secret.expose_secret().to_owned())
    }
}

impl fmt::Debug for OneTimeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shows_it_and_debug_does_not() {
        let shown = OneTimeSecret::from(&SecretString::from("hunter2"));
        assert_eq!(
            (serde_json::to_string(&shown).unwrap().as_str(), format!("{shown:?}").as_str()),
            ("\"hunter2\"", "OneTimeSecret(…)")
        );
    }
}
