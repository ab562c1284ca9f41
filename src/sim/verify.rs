//! Authenticates a request: key, signature, timestamp, nonce, version, action.
//!
//! The nonce is stored only after the signature has been verified, so that nobody can use up somebody else's nonce.

use super::answer::ActionRefusal;
use super::nonces::Nonces;
use super::roles;
use super::signed::{SignatureDoor, VerifiedCall};
use crate::domain::clock::Instant;
use crate::eci::incoming::{self, Incoming};
use crate::eci::{Action, Product};

/// The action and the caller of a request, once verified. `clock` is the real clock: the admin API's clock does not
/// affect signatures.
pub(super) fn verify(
    incoming: &Incoming,
    door: &SignatureDoor<'_>,
    nonces: &mut Nonces,
    clock: Instant,
) -> Result<(Action, VerifiedCall), ActionRefusal> {
    let signed = if let Some((secret, signatory)) = door.settings.key(&incoming.access_key_id) {
        incoming.verify(secret)?;
        signatory.into()
    } else if incoming.access_key_id.starts_with("STS.") {
        let (secret, signed) = roles::secret(door, incoming, clock)?;
        incoming.verify(&secret)?;
        signed
    } else {
        return Err(incoming::RequestRefusal::UnknownKey.into());
    };
    incoming.check_time(clock)?;
    if !nonces.spend(&incoming.nonce, clock) {
        return Err(incoming::RequestRefusal::NonceUsed.into());
    }
    let action = Action::from_name(&incoming.action);
    let product = action.map_or(Product::Eci, Action::product);
    if incoming.version != product.version() {
        return Err(incoming::RequestRefusal::Version.into());
    }
    Ok((action.ok_or(incoming::RequestRefusal::UnknownApi)?, signed))
}
