//! Who acts and with what: callers and their scopes, keys, issuers of tokens, and what revokes them.

pub mod access_key;
pub mod api_key;
pub mod caller;
pub mod issuer;
pub mod key_life;
pub mod revocation;
pub mod token_exchange;
