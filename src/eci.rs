//! Floor 1: the client of Alibaba Cloud's ECI API (RPC style, version 2018-08-08), for image caches.
//!
//! * [`client::Client`] makes one call per method and never retries: only the operation's rules may decide
//!   whether a call whose outcome is unknown is sent again.
//! * [`credentials`] are what it signs with: a key, or those of a role that the key assumes.
//! * [`params`] turns our words into the flat parameters of the wire, `params::read` turns them back, [`wire`]
//!   reads the answers, [`sign_v1`] signs, [`fault`] sorts what went wrong by what we may do next.
//! * [`action`] has a row for each action, [`ram`] the rights to them, and reads policies. An action that is not about
//!   image caches has its request and its answer in a file of its own: [`usage`].
//! * [`incoming`] is the other side of the wire: it understands and verifies what an SDK sends (V1, [`sign_v3`]).
//!
//! What must stay true: no secret stands in a URL, a log, an error or `Debug`; an answer is bounded; an
//! error is sorted by its `Code`, never by the HTTP status.
//!
//! Who calls it: `app`, through the client; `sim` and the RPC front use [`incoming`], the readers and [`xml`].
//! What it does not do: decide, store, wait.

pub mod action;
pub mod client;
pub mod credentials;
pub mod fault;
pub mod incoming;
pub mod params;
pub mod ram;
pub mod request;
pub mod sign_v1;
pub mod sign_v3;
pub mod usage;
pub mod user_agent;
pub mod wire;
pub mod xml;

pub use action::{Action, Product};
pub use client::{Acknowledgement, BuildError, Client, ClientSettings, Created, CredentialOwner, KEEP_IDLE, SeenPage};
pub use credentials::{CredentialSource, Credentials, Role};
pub use request::{Attempt, DescribeQuery};
