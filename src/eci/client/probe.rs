//! Tests whether the account's key may call an action, with a call that has no effect.
//!
//! What must stay true: nothing is created, changed, deleted or charged, however the cloud handles the call: a create
//! has neither an image nor a name, an update and a delete name an image cache that does not exist.
//!
//! `app` calls it for `doctor cloud`. It does not interpret the result.

use serde_json::{Map, Value};

use super::{Client, ClientSigner, SignedCall};
use crate::domain::failure::CallError;
use crate::domain::region::Region;
use crate::eci::params;
use crate::eci::ram::{RamResource, Right};

impl Client {
    /// Calls the right's action in the region, without any effect.
    pub async fn probe(&self, right: &Right, region: &Region) -> Result<(), CallError> {
        if right.on == RamResource::Role {
            return self.assume().await;
        }
        let call = SignedCall { action: right.action, region, signed_at: self.0.post.clock.now(), logins: &[] };
        self.call::<Map<String, Value>>(call, params::probe(right.action, region)).await.map(drop)
    }

    /// Assumes the role, if there is one.
    async fn assume(&self) -> Result<(), CallError> {
        match &self.0.signer {
            ClientSigner::Own(_) => Ok(()),
            ClientSigner::Session(session) => session.ask().await.map(drop),
        }
    }
}
