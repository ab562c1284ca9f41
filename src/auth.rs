//! Floor 1: authentication. Turns a bearer token into a [`Caller`](crate::domain::identity::caller::Caller).
//!
//! A [`KeySet`](keys::KeySet) holds an issuer's keys, each for those algorithms of its type that the issuer may use; a
//! [`KeySource`](jwks::KeySource) knows where the set comes from and keeps it fresh; the [`Verifier`](verify::Verifier)
//! holds all issuers, and verifies a token against the one that it names; [`explain`] describes how a token would be
//! treated; [`mint`](mint::mint) creates tokens for development. Issuers and their rules are defined in
//! [`crate::domain::identity::issuer`].
//!
//! What must stay true: nothing in a token is trusted before its signature has been verified, and the token never
//! chooses how it is verified: the key determines the algorithm, our configuration determines the key. The time comes
//! from the injected clock. A refusal tells a client which rule it broke, and nothing about keys or other teams.
//!
//! Called by `app`, which authenticates requests for the doors, and by `cli` for `token`, `dev` and `auth explain`. It
//! does not handle authorization, API keys or revocation: `app` does.

mod claims;
pub mod explain;
mod issuer;
pub mod jwks;
pub mod keys;
pub mod mint;
pub mod own;
pub mod refusal;
mod token;
mod verified_tokens;
pub mod verify;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod signing_fixtures;
