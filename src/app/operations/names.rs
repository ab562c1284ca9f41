//! What a create is known by: its idempotency key, if it has one, and its operation's id, from which the cloud's
//! `ClientToken` and tag are made.
//!
//! What must stay true: a create that is repeated with its key has the same operation's id, although the database has
//! lost what it knew of the first (a standby took over that lacked the last commits). So the cloud, for as long as it
//! remembers a `ClientToken`, gives it the cache of the first instead of a second one. The id is made of the team, the
//! action, the key and the request's fingerprint, by a hash that needs the master key: another team, another request
//! and another gateway (in the same cloud account) have others.
//!
//! A key that was forgotten may come again for a new create, which must not be given the old cache. So the id has a
//! turn: the first that no operation in the database has. Operations are kept for longer than keys and `ClientToken`s,
//! and a database that lost its last commits still has the earlier turns, so the repeat comes to the same turn.
//!
//! What it does not do: help where the lost commits ended a turn as well (a create that was withdrawn unsent, and at
//! once repeated), or where the master key was changed in between: then there are two, and the reconciler finds the
//! other.

use crate::app::Error;
use crate::app::operations::Operations;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::store::NewKey;

/// How many turns of one key are told apart at a time.
const TURNS: u32 = 256;

/// What a create is known by.
#[derive(Debug, Clone)]
pub(in crate::app) struct CreateNames {
    /// The idempotency key that its caller gave.
    pub(in crate::app) key: Option<NewKey>,
    /// The id that its operation has or will have.
    pub(in crate::app) operation: OperationId,
}

impl Operations {
    /// The name of a create. Its operation's id may be taken by an earlier one with the same key.
    pub(in crate::app) fn named(&self, team: &TeamId, key: Option<NewKey>) -> CreateNames {
        let operation = key.as_ref().map(|key| self.turn_of(team, key, 0));
        CreateNames { key, operation: operation.unwrap_or_else(|| self.fresh_operation()) }
    }

    /// The same with the first id that is not taken.
    pub(in crate::app) async fn named_anew(&self, team: &TeamId, named: CreateNames) -> Result<CreateNames, Error> {
        let Some(key) = &named.key else { return Ok(self.named(team, None)) };
        let turns: Vec<OperationId> = (0..TURNS).map(|turn| self.turn_of(team, key, turn)).collect();
        let free = self.base.store().free_operation(&turns).await?;
        // A key that came so often is no less good; only a repeat after lost commits is not known any more.
        Ok(CreateNames { operation: free.unwrap_or_else(|| self.fresh_operation()), ..named })
    }

    fn fresh_operation(&self) -> OperationId {
        OperationId::new(self.base.now(), self.base.entropy())
    }

    fn turn_of(&self, team: &TeamId, key: &NewKey, turn: u32) -> OperationId {
        let parts = [team.as_str().as_bytes(), key.action.as_bytes(), key.key.as_bytes(), &key.fingerprint];
        // Each with its length before it, so that no two lists of parts are the same bytes.
        let mut named = turn.to_be_bytes().to_vec();
        for part in parts {
            named.extend((part.len() as u64).to_be_bytes());
            named.extend(part);
        }
        OperationId::of_print(&self.base.fingerprint().of("operation", &named))
    }
}
