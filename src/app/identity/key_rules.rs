//! The rules for creating a key, or giving one a new secret. Both kinds of keys use them.

use super::authentication::revoked;
use crate::app::Error;
use crate::app::identity::Identity;
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::identity::caller::{Caller, Scope, TeamId};
use crate::domain::identity::key_life;
use crate::domain::policy::team::policy_of;
use crate::store::{Added, RotationOutcome};

impl Identity {
    /// When a key that the caller creates expires, if `asked` was requested.
    pub(in crate::app) async fn key_end(
        &self,
        caller: &Caller,
        asked: Option<Instant>,
    ) -> Result<Option<Instant>, Error> {
        let team = self.base.store().team(&caller.team).await?;
        let default = self.base.store().default_policy().await?.map(|(policy, _)| policy);
        let (policy, _) = policy_of(team.as_ref(), default.as_ref());
        let end = key_life::end(asked, caller, policy.max_key_life_days, self.base.now());
        let too_late =
            |error: key_life::TooLong| FieldError::new("/expires_at", FieldCode::OutOfRange, error.to_string());
        end.map_err(|error| Error::Invalid(vec![too_late(error)]))
    }
}

/// Whose keys to list: those of the caller's own team, or of the team that the platform asks for.
pub(in crate::app) fn keys_of<'a>(caller: &'a Caller, team: Option<&'a TeamId>) -> Result<&'a TeamId, Error> {
    let team = team.unwrap_or(&caller.team);
    let other = *team != caller.team && !caller.may(Scope::PlatformSecurity);
    if other { Err(Error::Forbidden(&[Scope::PlatformSecurity])) } else { Ok(team) }
}

/// Whose keys the caller may read by id and revoke; `None` means every team's.
pub(in crate::app) fn withdraws_from(caller: &Caller) -> Option<&TeamId> {
    (!caller.may(Scope::PlatformSecurity)).then_some(&caller.team)
}

/// Refuses to give the caller the secret of a key that may do more than the caller.
pub(in crate::app) fn has_all(caller: &Caller, scopes: &[Scope]) -> Result<(), Error> {
    let lacking: Vec<Scope> = scopes.iter().copied().filter(|scope| !caller.may(*scope)).collect();
    if lacking.is_empty() { Ok(()) } else { Err(Error::KeyHasMore(lacking)) }
}

pub(in crate::app) fn was_added(added: Added, full: impl FnOnce() -> Error) -> Result<(), Error> {
    match added {
        Added::Added => Ok(()),
        Added::Full => Err(full()),
        Added::MakerRevoked => Err(revoked()),
    }
}

pub(in crate::app) fn was_turned<Key>(turned: RotationOutcome<Key>, what: &'static str) -> Result<Key, Error> {
    match turned {
        RotationOutcome::Turned(key) => Ok(key),
        RotationOutcome::Absent => Err(Error::NotFound(what)),
        RotationOutcome::MakerRevoked => Err(revoked()),
    }
}
