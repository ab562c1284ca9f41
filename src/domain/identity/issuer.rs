//! Issuers of tokens: whose tokens are accepted, and what their claims mean.
//!
//! The characters: an [`Issuer`] is the configuration of one identity provider, as the operator's file and REST have
//! it; its [`IssuerRule`]s turn the claims of a token whose signature is good into a team and scopes, first match wins;
//! [`Issuer::check`] says everything that is wrong with it, by JSON pointer; [`rules::CompiledRules`] are the same
//! rules made ready; [`preset`] holds issuers of the usual providers, to print and edit; [`explanation`] is what a
//! token would become and why not.
//!
//! What must stay true: a rule that could match everybody says so itself (`matches_anybody`); a word of a foreign claim
//! means nothing unless a table or a prefix of the rule says what; what is said of a refusal never holds a value of the
//! token ([`explanation`], which is for operators, does).
//!
//! Who calls it: `config` and `auth`, `store` and `app` for those kept in the database, `cli` for presets. What it does
//! not do: keys and signatures (`auth` does).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

mod added;
mod check;
pub mod excerpt;
pub mod explanation;
mod glob;
pub mod pointer;
pub mod preset;
pub mod rules;
pub mod subject;
mod team_pattern;
#[cfg(test)]
mod tests;

pub use added::IssuerName;
pub use check::discovery_url;

/// The name of the issuer that the settings `ECG_AUTH_*` describe. Its subjects stand without a name before them.
pub const DEFAULT: &str = "default";
/// The algorithms that a key may have. `HS256` is for secrets and files of the operator's alone.
pub const ALGORITHMS: [&str; 10] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256"];
/// The most issuers at once.
pub const MAX_ISSUERS: usize = 50;

/// An identity provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The name of the issuer: 1 to 63 characters from a-z, 0-9, - and _, beginning with a letter or digit. It
    /// precedes the subject of each of the issuer's tokens (`github:repo:my-org/app:ref:refs/heads/main`), in the
    /// audit and in metrics.
    #[schema(example = "github")]
    pub name: String,
    /// The exact value of the claim `iss` in the issuer's tokens, including a trailing slash.
    #[schema(example = "https://token.actions.githubusercontent.com")]
    pub issuer: String,
    /// The audiences, one of which the claim `aud` must be or contain. Empty if the provider sends none; `client_ids`
    /// is then required.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// The clients whose tokens are accepted, as named in `azp`, `client_id` or `appid` (the first of these that the
    /// token has). Empty means any client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<String>,
    /// Where the issuer's keys come from.
    #[serde(default)]
    pub keys: IssuerKeys,
    /// The algorithms with which tokens may be signed. Defaults to `RS256`.
    #[serde(default = "algorithms")]
    #[schema(example = json!(["RS256"]))]
    pub algorithms: Vec<String>,
    /// The longest accepted lifetime in seconds, from `iat` (or from now, if there is none) to `exp`: 60 to 604800.
    /// Defaults to 86400.
    #[serde(default = "longest_life")]
    #[schema(minimum = 60, maximum = 604_800)]
    pub max_lifetime_seconds: u32,
    /// How long fetched keys are trusted if they cannot be refreshed, in seconds: 300 to 86400. Defaults to 3600.
    #[serde(default = "max_key_age")]
    #[schema(minimum = 300, maximum = 86_400)]
    pub max_key_age_seconds: u32,
    /// How far the issuer's clock may differ from the gateway's, in seconds: 0 to 300. Defaults to 60. A token is
    /// accepted for this long after its `exp`.
    #[serde(default = "leeway")]
    #[schema(minimum = 0, maximum = 300)]
    pub leeway_seconds: u32,
    /// The rules that interpret the claims. The first rule that matches applies.
    pub rules: Vec<IssuerRule>,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerKeys)]
pub struct IssuerKeys {
    /// The source of the keys. `discovery`: the `jwks_uri` of `<issuer>/.well-known/openid-configuration`;
    /// `jwks_url`: the address in `url`; `document`: the JWK set in `document`; `jwks_file`: the file in `file`,
    /// which only the operator's settings can use.
    #[serde(default)]
    #[schema(value_type = String, example = "discovery")]
    pub from: KeysFrom,
    /// The address of the JWK set: https, or http to loopback and to hosts that the operator has configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// The path of the file with the JWK set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file: Option<String>,
    /// The JWK set itself, with public keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<BTreeMap<String, Value>>)]
    pub document: Option<Value>,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysFrom {
    /// `OpenID` discovery.
    #[default]
    Discovery,
    /// An address.
    JwksUrl,
    /// A file of the operator's.
    JwksFile,
    /// A document in the configuration itself.
    Document,
}

/// A rule that interprets the claims of the tokens that it matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerRule)]
pub struct IssuerRule {
    /// The name of the rule, shown in refusals and in the audit. It has the form of an issuer's name and is unique
    /// within the issuer.
    #[schema(example = "app-main")]
    pub name: String,
    /// JSON pointers into the claims, each with the accepted values, one of which must match. `*` matches any
    /// characters except `/`, and `**` matches any characters. Numbers and booleans are compared in their JSON form;
    /// if the claim is an array, any element may match. All pointers must match.
    #[serde(rename = "match", default)]
    #[schema(example = json!({"/repository": ["my-org/app"], "/ref": ["refs/heads/main", "refs/tags/**"]}))]
    pub matches: BTreeMap<String, Vec<String>>,
    /// Where the team of the caller comes from.
    pub team: TeamSource,
    /// Where the scopes of the caller come from.
    #[serde(default)]
    pub scopes: ScopeSource,
    /// JSON pointers to claims whose values are recorded in the audit: strings, numbers and booleans of at most 256
    /// characters. At most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["/repository", "/ref", "/environment"]))]
    pub noted: Vec<String>,
    /// Confirms that the rule matches every token of the issuer. It must be true if there is no `match`, or if all
    /// its values are `*` and `**`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub matches_anybody: bool,
}

/// The team of a caller: `fixed`, or the values of `claims`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerTeamSource)]
pub struct TeamSource {
    /// The team that every caller gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fixed: Option<String>,
    /// JSON pointers to claims that contain one or more teams, each a string or an array of strings. All of them are
    /// read. If there are several teams, the header `X-Team` selects one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// A regular expression with one capture group, which is the team: `^/platform/([a-z0-9-]+)$`. It must match the
    /// whole word, even if it is not anchored; words that it does not match are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pattern: Option<String>,
    /// Words (after `pattern`) that are mapped to a team: `{"My Group": "my-group"}`. Other words are used as teams
    /// unchanged, if they have the form of a team.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renames: BTreeMap<String, String>,
    /// Whether only the words in `renames` are accepted as teams.
    #[serde(default, skip_serializing_if = "is_false")]
    pub only_renames: bool,
}

/// The scopes of a caller: those in `fixed`, plus those that `table` and `prefix` derive from the words in `claims`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerScopeSource)]
pub struct ScopeSource {
    /// Scopes that every caller gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// JSON pointers to claims that contain words: a string of words separated by spaces or commas, or an array of
    /// such strings. All of them are read. Words that neither `table` nor `prefix` covers are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// Words, each with the scopes that it grants: `{"cache-writer": ["read", "write"]}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub table: BTreeMap<String, Vec<String>>,
    /// The prefix of the gateway's scope names in the claim: with `eci:`, the word `eci:read` grants `read`. With an
    /// empty prefix, the issuer's words are the gateway's scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub prefix: Option<String>,
}

fn algorithms() -> Vec<String> {
    vec!["RS256".to_owned()]
}

const fn longest_life() -> u32 {
    86_400
}

const fn max_key_age() -> u32 {
    3_600
}

/// What the field does: Spring Security, Envoy and jsonwebtoken take 60 s, .NET 300. It forgives a machine whose clock
/// was just set, and is little against the minutes that a token of a pipeline lives.
const fn leeway() -> u32 {
    60
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            name: String::new(),
            issuer: String::new(),
            audiences: Vec::new(),
            client_ids: Vec::new(),
            keys: IssuerKeys::default(),
            algorithms: algorithms(),
            max_lifetime_seconds: longest_life(),
            max_key_age_seconds: max_key_age(),
            leeway_seconds: leeway(),
            rules: Vec::new(),
        }
    }
}
