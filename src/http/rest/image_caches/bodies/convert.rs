//! From bodies to the domain's words.

use chrono::SubsecRound as _;

use super::NewAccessKeyBody;
use crate::app::input::NewAccessKey;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::identity::access_key::KEY_SCOPES;
use crate::domain::identity::caller::Scope;
use crate::http::extract::JsonBody;

impl JsonBody for NewAccessKeyBody {
    fn value_errors(self) -> Vec<FieldError> {
        NewAccessKey::try_from(self).err().unwrap_or_default()
    }
}

impl TryFrom<NewAccessKeyBody> for NewAccessKey {
    type Error = Vec<FieldError>;

    fn try_from(body: NewAccessKeyBody) -> Result<Self, Vec<FieldError>> {
        let expires_at = body.expires_at.map(|end| end.trunc_subsecs(6));
        let Some(words) = body.scopes else {
            return Ok(Self { description: body.description, scopes: KEY_SCOPES.to_vec(), expires_at });
        };
        let (mut scopes, mut errors) = (Vec::new(), Vec::new());
        for (place, word) in words.iter().enumerate() {
            match Scope::from_word(word) {
                Some(scope) if scopes.contains(&scope) => {}
                Some(scope) => scopes.push(scope),
                None => {
                    let field = format!("/scopes/{place}");
                    errors.push(FieldError::new(field, FieldCode::NotAllowed, "must be read or write"));
                }
            }
        }
        let new = Self { description: body.description, scopes, expires_at };
        if errors.is_empty() { Ok(new) } else { Err(errors) }
    }
}
