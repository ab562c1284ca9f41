//! Floor 2: what the gateway does, without a word of any transport.
//!
//! Every door (REST today, RPC and the console later, the workers) calls the same methods of [`Gateway`],
//! split by subject into the files of this folder. A method checks the caller's scope first, then decides
//! with `domain`, then writes with `store`: three hops, always.
//!
//! The rooms, by what they are for:
//!
//! - who calls, and what they may do: [`access`] (the one table), [`admission`] (who may begin), [`authenticating`]
//!   and [`ttl_memo`] (what that keeps in memory), [`api_keys`], [`rpc_keys`], [`revoking`], [`issuers`],
//!   [`token_exchange`], [`teams`], [`region_profiles`] and [`policing`] (what a team may do);
//! - the cloud: [`accounts`] (a client for each account), [`account_identity`] (whether it is of the right one) and [`cloud_accounts`] (who keeps them), [`budgeting`]
//!   (calls);
//! - changes: [`changes`] (create, update, delete), [`ensuring`] (one of a content), [`planning`] (the dry run),
//!   [`intent`] (what is recorded first), [`operations`] (carrying them out), [`holding`] (only while they are ours),
//!   [`withdrawing`] (for whom there is no "later"), [`removal`] (by the gateway itself), [`adoption`] (taking over),
//!   [`write`] (what is written of a change);
//! - the truth: [`tracking`] (following the cloud), [`reconciling`] (the cloud against the rows), [`absence`] (whether
//!   what is not shown is believed);
//! - telling: [`delivering`] (webhooks), [`redelivering`], [`endpoints`], [`feed`] and [`stream`] (events),
//!   [`waiting`], [`gate`], [`event_hub`] (what those who wait share), [`signals`] (who is woken);
//! - reading: [`rendering`] (image caches as JSON) and [`sharing`] (one look for all),
//!   [`describing`] (under the cloud's names), [`matching`] (what would be taken), [`cursor`] (pages);
//! - the audit: [`audit`], [`sealing`], [`checkpoints`] and [`proofs`] (its Merkle tree), [`verifying`];
//! - keeping house: [`doctor`] (what the gateway needs at the cloud), [`horizon`] (what holds the feed), [`startup`] (whether it may begin), [`rotating`] (of keys),
//!   [`upkeep`], [`supervision`] (of the tasks of this process);
//! - [`gateway`] and [`settings`] are what everybody works with, [`call`] and [`input`] what comes in, [`view`] what
//!   everybody sees, [`error`] what everybody is told.

pub mod access;
pub mod admission;
pub mod audit;
pub mod base;
mod call;
pub mod cloud_accounts;
mod cursor;
mod error;
pub mod events;
mod gateway;
pub mod identity;
pub mod image_caches;
pub mod input;
pub mod operations;
pub mod platform;
pub mod precondition;
pub mod reconciler;
mod settings;
mod signals;
mod single_flight;
pub mod tracker;
pub mod transitions;
mod ttl_memo;
pub mod upkeep;
pub mod vanishings;
pub mod view;
pub mod webhooks;

pub use audit::AuditExport;
pub use call::Call;
pub use error::Error;
pub use events::stream::{EventStream, Pulse, Streamed};
pub use events::wait_limit::LONGEST_WAIT;
pub use gateway::{Gateway, Parts};
pub use identity::access_keys::NotLetIn;
pub use identity::token_exchange::Exchanged;
pub use image_caches::description::{Described, Usage};
pub use image_caches::renderer::{RenderedImageCache, RenderedList};
pub use image_caches::withdrawal::CreateAnswer;
pub use operations::owed_answer::Receipt;
pub use settings::Settings;
pub use signals::Signals;
