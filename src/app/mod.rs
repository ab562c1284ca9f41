//! Floor 2: what the gateway does, without a word of any transport.
//!
//! Every door (REST today, RPC and the console later, the workers) calls the same methods of [`Gateway`],
//! split by subject into the files of this folder. A method checks the caller's scope first, then decides
//! with `domain`, then writes with `store`: three hops, always.
//!
//! The rooms: [`authenticating`] (who calls), [`api_keys`], [`rpc_keys`] and [`revoking`]; [`teams`], [`region_profiles`]
//! and [`policing`] (what a team may do), [`planning`] (the dry run); [`changes`] (create, update, delete), [`intent`] (what
//! is recorded first), [`operations`] (carrying them out), [`holding`] (only while they are ours), [`tracking`] (following
//! the cloud), [`delivering`] (webhooks), [`endpoints`], [`matching`] (what would be taken), [`adoption`] (taking over),
//! [`ensuring`] (one of a content), [`reconciling`] (the cloud against the rows), [`reads`], [`feed`] and [`stream`]
//! (events), [`waiting`], [`gate`], [`news`] (what those who wait share), [`audit`], [`sealing`] and [`proofs`] (its Merkle
//! tree), [`verifying`], [`upkeep`]; [`view`] is what everybody sees, [`error`] what everybody is told.
//! The rooms: [`admission`] (who may begin), [`changes`] (create, update, delete), [`intent`] (what is recorded first), [`operations`]
//! (carrying them out), [`holding`] (only while they are ours), [`tracking`] (following the cloud), [`delivering`]
//! (webhooks), [`endpoints`], [`matching`] (what would be taken), [`adoption`] (taking over), [`ensuring`] (one of a
//! content), [`reconciling`] (the cloud against the rows), [`reads`], [`feed`] and [`stream`] (events), [`waiting`],
//! [`gate`], [`news`] (what those who wait share), [`audit`], [`sealing`] and [`proofs`] (its Merkle tree),
//! [`verifying`], [`rotating`] (of keys), [`upkeep`]; [`view`] is what everybody sees, [`error`] what everybody is told.
//! [`verifying`], [`authenticating`] (who calls), [`api_keys`], [`rpc_keys`], [`revoking`], [`upkeep`]; [`view`] is what everybody sees, [`error`] what everybody is told.

pub mod access;
pub mod admission;
mod adoption;
mod api_keys;
mod audit;
mod authenticating;
mod budgeting;
mod call;
mod changes;
mod cursor;
mod delivering;
mod describing;
pub mod endpoints;
mod ensuring;
mod error;
mod feed;
mod gate;
mod gateway;
mod holding;
pub mod input;
mod intent;
mod kept;
mod matching;
mod news;
mod operations;
mod planning;
mod policing;
mod proofs;
mod reads;
mod reconciling;
mod redelivering;
mod region_profiles;
mod revoking;
pub mod rotating;
mod rpc_keys;
mod sealing;
mod settings;
mod sharing;
mod showing;
mod signals;
mod stream;
mod teams;
mod tracking;
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
pub use rpc_keys::NotLetIn;
pub use settings::Settings;
pub use showing::{ShownImageCache, ShownList};
pub use signals::Signals;
pub use stream::{EventStream, Pulse, Streamed};
pub use waiting::LONGEST_WAIT;
pub use withdrawing::Told;
