//! What a token would become, and why not: for an operator who holds the token and may see the issuers' rules.
//!
//! What must stay true: of the token is shown what a caller would be made of (the teams, scopes, subject and noted
//! claims) and, where a check fails, what stands at the place that it looks at, a few values, each cut short. What the
//! settings and rules expect is shown, too: so this is an answer to operators, and never logged or told whoever sends a
//! token.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::excerpt;

/// How the gateway would treat a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenExplanation)]
pub struct TokenExplanation {
    /// Whether the token would be accepted.
    pub accepted: bool,
    /// The code with which a request with this token would be refused: `token_expired`, `no_rule_matches`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// The refusal, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
    /// The name of the issuer that the `iss` of the token selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issuer: Option<String>,
    /// The checks in order. Checks that were not reached are left out.
    pub checks: Vec<TokenCheck>,
    /// The rules that were tried, in order.
    pub rules: Vec<TriedRule>,
    /// The explanation of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub caller: Option<TokenCaller>,
    /// The keys of the issuer that cannot be used.
    pub skipped_keys: Vec<SkippedKey>,
}

/// One check of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenCheck)]
pub struct TokenCheck {
    /// The name of the check: `form`, `issuer`, `keys`, `key`, `algorithm`, `signature`, `claims`, `audience`,
    /// `times`, `subject`, `rules`, `team` or `scopes`.
    pub name: String,
    /// Whether the token passed the check.
    pub passed: bool,
    /// The result of the check, in a sentence.
    pub detail: String,
    /// For a failed check: what the token has and what is expected, each in a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
}

/// A rule that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TriedRule)]
pub struct TriedRule {
    /// The name of the rule.
    pub rule: String,
    /// The pointers that did not match. If it is empty, the rule matches.
    pub failed: Vec<FailedPointer>,
}

/// A JSON pointer of a rule that did not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FailedPointer)]
pub struct FailedPointer {
    /// The JSON pointer.
    pub pointer: String,
    /// What the token has at this pointer: `absent`, `not_text` (an object, an empty array or null) or
    /// `another_value`.
    #[schema(value_type = String)]
    pub found: PointerFinding,
    /// The values that the token has at this pointer: at most 5, each of at most 100 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The values that the rule accepts; one of them must match.
    pub expected: Vec<String>,
}

/// What stands where a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointerFinding {
    /// There is no value.
    Absent,
    /// An object, an empty array or null: nothing that could match.
    NotText,
    /// Something else than is expected.
    AnotherValue,
}

/// The caller that a token would become.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenCaller)]
pub struct TokenCaller {
    /// The subject, as it appears in the audit.
    pub subject: String,
    /// The name of the rule that matches.
    pub rule: String,
    /// The teams that the caller may act for. If there are several, `X-Team` selects one.
    pub teams: Vec<String>,
    /// The scopes that the caller has.
    pub scopes: Vec<String>,
    /// The claims that are recorded in the audit.
    pub noted: BTreeMap<String, String>,
}

/// A key of an issuer that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkippedKey {
    /// The position of the key in the document, counted from 0.
    pub place: u32,
    /// The id of the key, if it has one that can be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kid: Option<String>,
    /// Why the key cannot be used, in a sentence.
    pub reason: String,
}

impl FailedPointer {
    /// A description of the value at the pointer.
    pub fn words(&self) -> String {
        match self.values.as_slice() {
            [] => self.found.words().to_owned(),
            values => format!("is {}", excerpt::list(values)),
        }
    }
}

impl PointerFinding {
    /// A phrase that follows the pointer.
    fn words(self) -> &'static str {
        match self {
            Self::Absent => "is not in the token",
            Self::NotText => "is an object, an empty array or null, which matches nothing",
            Self::AnotherValue => "has a different value",
        }
    }
}
