//! Issuers of tokens: whose tokens are accepted, and what their claims mean.
//!
//! The characters: an [`Issuer`] is the configuration of one identity provider, as the operator's file and REST have it;
//! its [`Rule`]s turn the claims of a token whose signature is good into a team and scopes, first match wins;
//! [`Issuer::check`] says everything that is wrong with it, by JSON pointer; [`rules::Rules`] are the same rules made
//! ready; [`preset`] holds issuers of the usual providers, to print and edit; [`explanation`] is what a token would
//! become and why not.
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
pub mod explanation;
mod glob;
pub mod pointer;
pub mod preset;
pub mod rules;
pub mod shown;
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

/// One identity provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What it is called here: 1 to 63 characters of a-z, 0-9, - and _, beginning with a letter or digit. It stands
    /// before the subject of each of its tokens (`github:repo:my-org/app:ref:refs/heads/main`), in the audit and in
    /// metrics.
    #[schema(example = "github")]
    pub name: String,
    /// The claim `iss` of its tokens, exactly; a slash at the end counts.
    #[schema(example = "https://token.actions.githubusercontent.com")]
    pub issuer: String,
    /// What the claim `aud` must be or contain: one of these. Empty where the provider sends none; then `client_ids`
    /// must be given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// The clients that tokens must be made for: one of these stands in `azp`, `client_id` or `appid` (the first of
    /// these that the token has). Empty: any client's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<String>,
    /// Where its keys come from.
    #[serde(default)]
    pub keys: Keys,
    /// The algorithms that its tokens may be signed with; `RS256` where nothing is said.
    #[serde(default = "algorithms")]
    #[schema(example = json!(["RS256"]))]
    pub algorithms: Vec<String>,
    /// The longest time from `iat` (or from now, where there is none) to `exp`, in seconds: 60 to 604800, and 86400
    /// where nothing is said.
    #[serde(default = "longest_life")]
    #[schema(minimum = 60, maximum = 604_800)]
    pub longest_life_seconds: u32,
    /// How long fetched keys are trusted that could not be renewed, in seconds: 300 to 86400, and 3600 where
    /// nothing is said.
    #[serde(default = "max_key_age")]
    #[schema(minimum = 300, maximum = 86_400)]
    pub max_key_age_seconds: u32,
    /// How far the issuer's clock may be from ours, in seconds: 0 to 300, and 60 where nothing is said. A token
    /// is taken this long after its `exp`.
    #[serde(default = "leeway")]
    #[schema(minimum = 0, maximum = 300)]
    pub leeway_seconds: u32,
    /// What its claims mean; the first that matches wins.
    pub rules: Vec<Rule>,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerKeys)]
pub struct Keys {
    /// `discovery`: the `jwks_uri` of `<issuer>/.well-known/openid-configuration`; `jwks_url`: the address in `url`;
    /// `document`: the JWK set in `document`; `jwks_file`: the file in `file`, in the operator's settings only.
    #[serde(default)]
    #[schema(value_type = String, example = "discovery")]
    pub from: KeysFrom,
    /// The address of the JWK set: https, or http to loopback and to hosts that the operator names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// The file of the JWK set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file: Option<String>,
    /// The JWK set itself: public keys only.
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

/// What the claims of a token mean, if it matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerRule)]
pub struct Rule {
    /// What it is called in refusals and in the audit; as an issuer's name, once within an issuer.
    #[schema(example = "app-main")]
    pub name: String,
    /// JSON pointers into the claims, each with what stands there: texts, of which one must match. `*` stands for any
    /// characters but `/`, `**` for any characters. Numbers and booleans are compared as JSON writes them, of an array
    /// any element may match. All pointers must hold.
    #[serde(rename = "match", default)]
    #[schema(example = json!({"/repository": ["my-org/app"], "/ref": ["refs/heads/main", "refs/tags/**"]}))]
    pub matches: BTreeMap<String, Vec<String>>,
    /// The team that it acts for.
    pub team: TeamSource,
    /// What it may do.
    #[serde(default)]
    pub scopes: ScopeSource,
    /// JSON pointers to claims whose values are kept in the audit: texts, numbers and booleans, of at most 256
    /// characters. At most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["/repository", "/ref", "/environment"]))]
    pub noted: Vec<String>,
    /// Must be true where every token of the issuer matches: there is no `match`, or all of it is `*` and `**`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub matches_anybody: bool,
}

/// The team of a caller: `fixed`, or what stands in `claims`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerTeamSource)]
pub struct TeamSource {
    /// Always this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fixed: Option<String>,
    /// JSON pointers to claims that hold a team or several, each a text or an array of texts; all are read. Of several
    /// teams the header `X-Team` chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// A regular expression with one capture group, which is the team: `^/platform/([a-z0-9-]+)$`. It is to match the
    /// whole word, whether it is anchored or not; words that it does not match are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pattern: Option<String>,
    /// Words (after `pattern`) that stand for a team: `{"My Group": "my-group"}`. Others are teams as they are, if they
    /// have the form of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renames: BTreeMap<String, String>,
    /// Only the words in `renames` are teams.
    #[serde(default, skip_serializing_if = "is_false")]
    pub only_renames: bool,
}

/// The scopes of a caller: those in `fixed`, and what the words in `claims` mean by `table` and `prefix`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerScopeSource)]
pub struct ScopeSource {
    /// Always these scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// JSON pointers to claims that hold words: a text with spaces or commas between them, or an array of such; all are
    /// read. A word means nothing but by `table` or `prefix`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// Words, each with the scopes that it gives: `{"cache-writer": ["read", "write"]}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub table: BTreeMap<String, Vec<String>>,
    /// What stands before our scopes' names in the claim: with `eci:` the word `eci:read` gives `read`. The empty text
    /// takes the issuer's own words for ours.
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

/// What the field does: Spring Security, Envoy and jsonwebtoken take 60 s, .NET 300. It forgives a machine whose clock was
/// just set, and is little against the minutes that a token of a pipeline lives.
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
            keys: Keys::default(),
            algorithms: algorithms(),
            longest_life_seconds: longest_life(),
            max_key_age_seconds: max_key_age(),
            leeway_seconds: leeway(),
            rules: Vec::new(),
        }
    }
}
