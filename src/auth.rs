//! Floor 1: who calls. Turns a bearer token into a [`Caller`](crate::domain::identity::caller::Caller).
//!
//! The characters: a [`KeySet`](keys::KeySet) holds an issuer's keys, each for the algorithms of its type that the
//! issuer may sign with; a [`KeySource`](jwks::KeySource) says where the set comes from and keeps it fresh; the
//! [`Verifier`](verify::Verifier) holds every issuer and reads a token against the one that it names; [`explain`] says
//! what a token would become; [`mint`](mint::mint) makes tokens for development. What an issuer and its rules are is
//! [`crate::domain::identity::issuer`]'s.
//!
//! What must stay true: nothing in a token is believed before its signature has been checked, and the token never
//! chooses how it is checked: the key decides the algorithm, our configuration decides the key. Time comes from the
//! clock that is handed in. A refusal tells a client which rule it broke and nothing about keys or other teams.
//!
//! Who calls it: the doors (through their extractor), `cli` for `token` and `dev`. What it does not do: deciding
//! what a caller may do, API keys, revocation (`app` does all three).

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
