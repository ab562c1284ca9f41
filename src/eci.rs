//! Floor 1: the client of Alibaba Cloud's ECI API (RPC style, version 2018-08-08), for image caches.
//!
//! * [`client::Client`] has a method for each call, and never retries: only the rules for operations decide whether a
//!   call with an unknown outcome is sent again.
//! * [`credentials`] sign the calls: a key, or credentials of a role that the key assumes.
//! * [`params`] encodes our types as the API's flat parameters, `params::read` decodes them, [`wire`] parses responses,
//!   [`sign_v1`] signs, [`fault`] classifies errors by what may be done next.
//! * [`action`] has a row for each action; [`ram`] has the rights to them and evaluates policies. An action that is not
//!   about image caches has its request and response in a file of its own: [`usage`].
//! * [`incoming`] is the server side: it parses and verifies what an SDK sends (V1, [`sign_v3`]).
//!
//! What must stay true: no URL, log line, error or `Debug` output contains a secret; the size of responses is bounded;
//! errors are classified by their `Code`, never by the HTTP status.
//!
//! `app` calls it through the client; `sim` and the RPC front use [`incoming`], the readers and [`xml`]. It makes no
//! decisions, stores nothing and does not wait.

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
