//! What identifies a create or an update: its idempotency key, if it has one, and its operation's id, from which the
//! cloud's `ClientToken` and tag are derived.
//!
//! What must stay true: one that is repeated with its key gets the same operation id, even if the database has lost
//! what it knew about the first one (because a standby took over that lacked the last commits). So the cloud, for as
//! long as it remembers a `ClientToken`, returns the first build instead of making a second one. The
//! id is derived from the team, the action, the key and the request's fingerprint by a hash that needs the master key,
//! so another team, another request or another gateway (in the same cloud account) gets a different id.
//!
//! A key that was forgotten may be used again for a new create, which must not get the old cache. So the id includes a
//! turn: the first one that no operation in the database has. Operations are kept for longer than keys and
//! `ClientToken`s, and a database that lost its last commits still has the earlier turns, so the repeated request
//! arrives at the same turn.
//!
//! It does not help if the lost commits also ended a turn (a create that was withdrawn unsent and repeated at once), or
//! if the master key was changed in between: then there are two caches, and the reconciler finds the second one.

use crate::app::Error;
use crate::app::operations::Operations;
use crate::domain::idempotency::meaning;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::store::NewKey;

/// How many turns of one key are checked.
const TURNS: u32 = 256;

/// What identifies a create or an update.
#[derive(Debug, Clone)]
pub(in crate::app) struct OperationNames {
    /// The idempotency key that the caller sent.
    pub(in crate::app) key: Option<NewKey>,
    /// The id that its operation has or will have.
    pub(in crate::app) operation: OperationId,
}

impl Operations {
    /// The identity of a create or an update. An earlier one with the same key may already have the operation id.
    pub(in crate::app) fn named(&self, team: &TeamId, key: Option<NewKey>) -> OperationNames {
        let operation = key.as_ref().map(|key| self.turn_of(team, key, 0));
        OperationNames { key, operation: operation.unwrap_or_else(|| self.fresh_operation()) }
    }

    /// The same, with the first operation id that is not taken.
    pub(in crate::app) async fn named_anew(
        &self,
        team: &TeamId,
        named: OperationNames,
    ) -> Result<OperationNames, Error> {
        let Some(key) = &named.key else { return Ok(self.named(team, None)) };
        let turns: Vec<OperationId> = (0..TURNS).map(|turn| self.turn_of(team, key, turn)).collect();
        let free = self.base.store().free_operation(&turns).await?;
        // A key that was used this often is still valid; only a repeat after lost commits would not be recognized.
        Ok(OperationNames { operation: free.unwrap_or_else(|| self.fresh_operation()), ..named })
    }

    /// The identity of an operation that always has an id of its own.
    pub(in crate::app) fn named_once(&self, key: Option<NewKey>) -> OperationNames {
        OperationNames { key, operation: self.fresh_operation() }
    }

    fn fresh_operation(&self) -> OperationId {
        OperationId::new(self.base.now(), self.base.entropy())
    }

    fn turn_of(&self, team: &TeamId, key: &NewKey, turn: u32) -> OperationId {
        let parts = [team.as_str().as_bytes(), key.action.as_bytes(), key.key.as_bytes(), &key.fingerprint];
        let named = [turn.to_be_bytes().as_slice(), &meaning(&parts)].concat();
        OperationId::of_print(&self.base.fingerprint().of("operation", &named))
    }
}
