//! Whether the account's key may call an action, asked with a call of which nothing can come.
//!
//! What must stay true: nothing is made, changed or removed, and nothing costs anything, whatever the cloud makes of
//! it: a create names neither an image nor a cache, a change and a removal name an image cache that no cloud has.
//!
//! Who calls it: `app`, for `doctor cloud`. What it does not do: judge the answer.

use serde_json::{Map, Value};

use super::{Client, ClientSigner, SignedCall};
use crate::domain::failure::CallError;
use crate::domain::region::Region;
use crate::eci::params;
use crate::eci::ram::{RamResource, Right};

impl Client {
    /// Calls the action of a right in the region, without an effect.
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
