//! Floor 2: what the gateway does, without a word of any transport.
//!
//! Every door (REST, the cloud's own API, the workers, the command line) calls the same methods. [`Gateway`] is the
//! door to the rooms; each room is a struct that owns its state and names the rooms it needs, and is cheap to clone. A
//! method checks the caller's scope first, then decides with `domain`, then writes with `store`: three hops, always.
//!
//! The rooms, from the ground up; each names those above it only:
//!
//! - [`base`]: what every room works with: database, time, settings, tasks, leases, audit entries;
//! - [`audit`]: entries, exports, sealing, proofs and their verification; [`admission`]: who may begin;
//! - [`transitions`]: what is written of a change; [`webhooks::platform_events`]: what the platform is told;
//! - [`cloud_accounts`]: the clients of the cloud, whose they are, and how many calls they have;
//! - [`vanishings`]: whether what the cloud does not show is believed to be gone;
//! - [`platform::policy`]: what a team may do; [`identity`]: who calls;
//! - [`events`]: the feed, streams, and those who wait; [`webhooks`]: endpoints and deliveries;
//! - [`operations`]: carrying out what was recorded; [`tracker`]: following the cloud; [`reconciler`]: comparing it;
//! - [`image_caches`]: made, changed, removed, waited for, read, adopted; [`platform`]: teams, profiles, costs;
//! - [`idempotency`]: what a repeat with an `Idempotency-Key` is answered with;
//! - [`upkeep`]: the janitor, readiness, and how a process begins.
//!
//! [`access`] is the one table of operations and who may call them; [`Call`] and [`input`] are what comes in, [`view`]
//! what everybody sees, [`Error`] what everybody is told.

pub mod access;
pub mod admission;
pub mod audit;
pub mod base;
mod call;
pub mod cloud_accounts;
mod cursor;
mod error;
mod event_hub;
pub mod events;
mod gateway;
pub mod idempotency;
pub mod identity;
pub mod image_caches;
pub mod input;
pub mod operations;
pub mod platform;
pub mod precondition;
pub mod reconciler;
mod settings;
mod single_flight;
pub mod tracker;
pub mod transitions;
mod ttl_memo;
pub mod upkeep;
pub mod vanishings;
pub mod view;
pub mod webhooks;

pub use audit::AuditExport;
pub use base::Signals;
pub use call::Call;
pub use error::Error;
pub use events::stream::{EventStream, StreamItem, Streamed};
pub use events::wait_limit::LONGEST_WAIT;
pub use gateway::{Gateway, Parts};
pub use identity::access_keys::AccessKeyRejection;
pub use identity::token_exchange::Exchanged;
pub use image_caches::description::CachePage;
pub use image_caches::renderer::{RenderedImageCache, RenderedList};
pub use image_caches::withdrawal::CreateAnswer;
pub use operations::owed_answer::Receipt;
pub use settings::GatewaySettings;
pub use view::AccountUsage;
