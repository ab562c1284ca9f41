//! Request bodies about credentials.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::input::{NewApiKey, NewRevocation};
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::identity::caller::{Scope, TeamId};
use crate::domain::identity::issuer::Issuer;
use crate::http::extract::JsonBody;
use crate::http::rest::image_caches::bodies::{given, given_instant};

/// How long an old secret is taken where nothing is said.
pub(in crate::http::rest) const KEEP_OLD_HOURS: i32 = 24;

/// An API key to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyCreate)]
pub(in crate::http::rest) struct NewApiKeyBody {
    /// The name of the key, for human readers: 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, example = "ci")]
    name: String,
    /// The scopes of the key: any of the scopes that you have.
    #[schema(min_items = 1, max_items = 10, example = json!(["read", "write"]))]
    scopes: Vec<String>,
    /// The team of the key. A team other than your own requires the scope `platform:security`; use this to create the
    /// first key of a team. Defaults to your team.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>)]
    team: Option<TeamId>,
    /// When the key expires: no later than the end of your own credential, or the number of days ahead that the
    /// team's policy sets in `max_key_life_days`. Defaults to the earlier of the two limits. The key does not
    /// expire by default if neither limit exists, or if you have the scope `platform:security`.
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
                    errors.push(FieldError::new(format!("/scopes/{place}"), FieldCode::NotAllowed, Scope::allowed()));
                }
            }
        }
        let expires_at = body.expires_at.map(|end| end.trunc_subsecs(6));
        let NewApiKeyBody { name, team, .. } = body;
        if errors.is_empty() { Ok(Self { name, team, scopes, expires_at }) } else { Err(errors) }
    }
}

/// Options for the rotation of a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRotation)]
pub(in crate::http::rest) struct KeyRotationBody {
    /// How many hours the old secret remains valid alongside the new one: 0 to 168. Defaults to 24.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 168)]
    pub(in crate::http::rest) keep_old_hours: Option<i32>,
}

/// The tokens to revoke. Set either `jti` or `subject`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RevocationCreate)]
pub(in crate::http::rest) struct NewRevocationBody {
    /// The `jti` of the token to revoke: 1 to 128 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    jti: Option<String>,
    /// The subject whose tokens to revoke, as shown by `GET /v1/me` and the audit, 1 to 256 characters: `<issuer's
    /// name>:<sub>`, or `sub` alone for the issuer from the gateway's settings; or a key, `api_key:ak_…` or
    /// `access_key:LTAI…`. The response has a `hint` if the gateway knows nobody with this subject.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    subject: Option<String>,
    /// With `subject`: tokens that were issued before this time are refused, and so are tokens that do not say when
    /// they were issued. Defaults to now.
    #[serde(default, deserialize_with = "given_instant")]
    #[schema(nullable = false)]
    issued_before: Option<DateTime<Utc>>,
    /// Refuses the tokens only when they act for this team. With the scope `platform:security`, any team can be
    /// named, and the default is every team; without it, the default is the caller's own team.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>)]
    team: Option<TeamId>,
    /// Whether to keep the keys that were created or rotated with the revoked tokens. By default these keys are
    /// revoked too, and so are keys that were created with them, and so on.
    #[serde(default)]
    #[schema(required = false)]
    keep_keys: bool,
    /// The reason, for human readers: 1 to 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    reason: Option<String>,
}

impl JsonBody for NewApiKeyBody {
    fn value_errors(self) -> Vec<FieldError> {
        NewApiKey::try_from(self).err().unwrap_or_default()
    }
}

impl JsonBody for KeyRotationBody {}
impl JsonBody for NewRevocationBody {}

impl JsonBody for Issuer {
    fn value_errors(self) -> Vec<FieldError> {
        self.check().err().unwrap_or_default()
    }
}

impl From<NewRevocationBody> for NewRevocation {
    fn from(body: NewRevocationBody) -> Self {
        let issued_before = body.issued_before.map(|before| before.trunc_subsecs(6));
        let NewRevocationBody { jti, subject, team, keep_keys, reason, .. } = body;
        Self { team, keep_keys, jti, subject, issued_before, reason }
    }
}
