//! Extractors whose refusals are problems.
//!
//! A handler lists them in this order: [`Authorized`] (who, and may they), [`Id`] (an id that cannot be read is as
//! absent), [`Query`], then [`Json`] or [`Form`]. axum's own answer in plain text and say different things; clippy.toml
//! forbids them.

mod authorized;
mod form;
mod id;
mod json;
mod query;

pub use authorized::{Authorized, authorize, team};
pub use form::Form;
pub use id::Id;
pub use json::{Json, JsonBody, JsonItem, PeekedBody, read_body};
pub use query::{FromQuery, Query, QueryPairs};
