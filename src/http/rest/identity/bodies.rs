//! Request bodies about credentials.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::input::{NewApiKey, NewRevocation};
use crate::domain::field::FieldError;
use crate::domain::identity::caller::{Scope, TeamId};
use crate::http::rest::image_caches::bodies::{given, given_instant};

/// How long an old secret is taken where nothing is said.
pub(in crate::http::rest) const KEEP_OLD_HOURS: i32 = 24;

/// An API key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub(in crate::http::rest) struct NewApiKeyBody {
    /// For people: 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, example = "ci")]
    name: String,
    /// What it may do: any of your own scopes.
    #[schema(min_items = 1, max_items = 10, example = json!(["read", "write"]))]
    scopes: Vec<String>,
    /// For which team: another one than your own with the scope `platform:security`, as its first key. Your own where
    /// nothing is said.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>)]
    team: Option<TeamId>,
    /// Until when it is good: no later than your own credential ends, or as many days ahead as the team's policy names in
    /// `longest_key_life_days`. Where nothing is said, the earlier of the two ends; none where there is neither, or you
    /// have the scope `platform:security`.
    #[serde(default, deserialize_with = "given_instant")]
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
}

impl TryFrom<NewApiKeyBody> for NewApiKey {
    type Error = Vec<FieldError>;

    fn try_from(body: NewApiKeyBody) -> Result<Self, Vec<FieldError>> {
        let (mut scopes, mut errors) = (Vec::new(), Vec::new());
        for (place, word) in body.scopes.iter().enumerate() {
            match Scope::from_word(word) {
                Some(scope) if scopes.contains(&scope) => {}
                Some(scope) => scopes.push(scope),
                None => {
                    errors.push(FieldError::new(format!("/scopes/{place}"), "not_allowed", Scope::allowed()));
                }
            }
        }
        let expires_at = body.expires_at.map(|end| end.trunc_subsecs(6));
        let NewApiKeyBody { name, team, .. } = body;
        if errors.is_empty() { Ok(Self { name, team, scopes, expires_at }) } else { Err(errors) }
    }
}

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRotation)]
pub(in crate::http::rest) struct KeyRotationBody {
    /// How many hours the old secret is taken beside the new one: 0 to 168, and 24 where nothing is said.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 168)]
    pub(in crate::http::rest) keep_old_hours: Option<i32>,
}

/// Tokens to revoke: `jti`, or `subject`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRevocation)]
pub(in crate::http::rest) struct NewRevocationBody {
    /// The `jti` of one token: 1 to 128 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    jti: Option<String>,
    /// Whose tokens, as `GET /v1/me` and the audit show the subject, 1 to 256 characters: `<issuer's name>:<sub>`, and
    /// `sub` alone for the issuer of the gateway's settings; or a key, `api_key:ak_…`, `access_key:LTAI…`. The answer has
    /// a `hint` where nobody here has that subject.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    subject: Option<String>,
    /// With `subject`: tokens that were issued earlier are refused, also those that do not say when they were; now,
    /// where nothing is said.
    #[serde(default, deserialize_with = "given_instant")]
    #[schema(nullable = false)]
    issued_before: Option<DateTime<Utc>>,
    /// Only as far as they act for this team: with the scope `platform:security`. Where nothing is said every team; for
    /// who lacks that scope their own.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>)]
    team: Option<TeamId>,
    /// Whether keys that were made or rotated with what is revoked are kept; where nothing is said they are revoked too,
    /// and what was made with those, and so on.
    #[serde(default)]
    #[schema(required = false)]
    keep_keys: bool,
    /// For people: 1 to 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    reason: Option<String>,
}

impl From<NewRevocationBody> for NewRevocation {
    fn from(body: NewRevocationBody) -> Self {
        let issued_before = body.issued_before.map(|before| before.trunc_subsecs(6));
        let NewRevocationBody { jti, subject, team, keep_keys, reason, .. } = body;
        Self { team, keep_keys, jti, subject, issued_before, reason }
    }
}
