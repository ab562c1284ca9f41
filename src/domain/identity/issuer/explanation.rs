//! What a token would become, and why not: for an operator who holds the token and may see the issuers' rules.
//!
//! What must stay true: of the token is shown what a caller would be made of (the teams, scopes, subject and noted
//! claims) and, where a check fails, what stands at the place that it looks at, a few values, each cut short. What the
//! settings and rules expect is shown, too: so this is an answer to operators, and never logged or told whoever sends a
//! token.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shown;

/// What a token would become.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenExplanation)]
pub struct Explanation {
    /// Whether it would be accepted.
    pub accepted: bool,
    /// The code of the refusal, as a request with it would be told: `token_expired`, `no_rule_matches`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// The refusal in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
    /// The name of the issuer that its `iss` chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issuer: Option<String>,
    /// Every check in its order; what was not come to is not there.
    pub checks: Vec<Check>,
    /// The rules that were tried, in their order.
    pub rules: Vec<Tried>,
    /// What it would become.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub caller: Option<Becomes>,
    /// Keys of the issuer that cannot be used.
    pub skipped_keys: Vec<SkippedKey>,
}

/// One check of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenCheck)]
pub struct Check {
    /// `form`, `issuer`, `keys`, `key`, `algorithm`, `signature`, `claims`, `audience`, `times`, `subject`, `rules`,
    /// `team` or `scopes`.
    pub name: String,
    /// Whether it was passed.
    pub passed: bool,
    /// How it went, in a sentence.
    pub detail: String,
    /// Where it failed: what the token has there and what is expected, each in a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
}

/// One rule that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TriedRule)]
pub struct Tried {
    /// Its name.
    pub rule: String,
    /// The pointers that did not hold; none: it matches.
    pub failed: Vec<Failed>,
}

/// A pointer of a rule that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FailedPointer)]
pub struct Failed {
    /// The JSON pointer.
    pub pointer: String,
    /// What stands there: `absent`, `not_text` (an object, an empty array or null) or `another_value`.
    #[schema(value_type = String)]
    pub found: Found,
    /// The values that stand there: at most 5, each of at most 100 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What the rule expects: one of these.
    pub expected: Vec<String>,
}

/// What stands where a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Nothing.
    Absent,
    /// An object, an empty array or null: nothing that could match.
    NotText,
    /// Something else than is expected.
    AnotherValue,
}

/// What a token would become.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenCaller)]
pub struct Becomes {
    /// Who, as the audit names them.
    pub subject: String,
    /// The rule that matches.
    pub rule: String,
    /// The teams that it may act for; of several, `X-Team` chooses.
    pub teams: Vec<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The claims that the audit keeps.
    pub noted: BTreeMap<String, String>,
}

/// A key of an issuer that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkippedKey {
    /// Its place in the document, from 0 on.
    pub place: u32,
    /// Its id, where it has one that can be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kid: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
}

impl Failed {
    /// What stands there, in words.
    pub fn words(&self) -> String {
        match self.values.as_slice() {
            [] => self.found.words().to_owned(),
            values => format!("is {}", shown::list(values)),
        }
    }
}

impl Found {
    /// In words, after the pointer.
    fn words(self) -> &'static str {
        match self {
            Self::Absent => "is not in the token",
            Self::NotText => "is an object, an empty array or null, which matches nothing",
            Self::AnotherValue => "has another value",
        }
    }
}
