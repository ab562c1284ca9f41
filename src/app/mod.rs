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
//! - reading: [`reads`], [`rendering`] (image caches as JSON) and [`sharing`] (one look for all),
//!   [`describing`] (under the cloud's names), [`matching`] (what would be taken), [`cursor`] (pages);
//! - the audit: [`audit`], [`sealing`], [`checkpoints`] and [`proofs`] (its Merkle tree), [`verifying`];
//! - keeping house: [`doctor`] (what the gateway needs at the cloud), [`horizon`] (what holds the feed), [`startup`] (whether it may begin), [`rotating`] (of keys),
//!   [`upkeep`], [`supervision`] (of the tasks of this process);
//! - [`gateway`] and [`settings`] are what everybody works with, [`call`] and [`input`] what comes in, [`view`] what
//!   everybody sees, [`error`] what everybody is told.

mod absence;
pub mod access;
mod account_identity;
mod accounts;
pub mod admission;
mod adoption;
mod api_keys;
mod audit;
mod authenticating;
mod budgeting;
mod call;
mod changes;
mod checkpoints;
mod cloud_accounts;
mod cursor;
mod delivering;
mod describing;
pub mod doctor;
pub mod endpoints;
mod ensuring;
mod error;
mod event_hub;
mod feed;
mod gate;
mod gateway;
mod holding;
mod horizon;
pub mod input;
mod intent;
mod issuer_keys;
mod issuers;
mod making_keys;
mod matching;
mod names;
mod operations;
mod overview;
mod owes;
mod planning;
mod platform_events;
mod policing;
pub mod precondition;
mod proofs;
mod reads;
mod reconciling;
mod redelivering;
mod region_profiles;
mod removal;
mod rendering;
mod retention;
mod revoking;
pub mod rotating;
mod rpc_keys;
mod sealing;
mod settings;
mod sharing;
mod signals;
pub mod startup;
mod stream;
pub mod supervision;
mod teams;
mod token_exchange;
mod tracking;
mod ttl_memo;
mod upkeep;
pub mod verifying;
pub mod view;
mod waiting;
mod withdrawing;
mod write;

pub use audit::AuditExport;
pub use call::Call;
pub use describing::{Described, Usage};
pub use error::Error;
pub use gateway::{Gateway, Parts};
pub use owes::Receipt;
pub use rendering::{RenderedImageCache, RenderedList};
pub use rpc_keys::NotLetIn;
pub use settings::Settings;
pub use signals::Signals;
pub use stream::{EventStream, Pulse, Streamed};
pub use token_exchange::Exchanged;
pub use waiting::LONGEST_WAIT;
pub use withdrawing::CreateAnswer;
