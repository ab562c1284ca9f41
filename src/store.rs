//! Floor 1: all SQL, and nothing but SQL.
//!
//! What must stay true: every read and write of a team's rows takes the team first and says so in its
//! WHERE; the few statements that look across teams live in [`system`]. Leases are judged by the
//! database's clock, schedules by the instant handed in. A change of a cache, its transition, its audit
//! entry, its event and the event's deliveries are one transaction ([`writes::changes`]).
//!
//! From the ground up: [`database`] (connections, sessions, migrations, rights); [`columns`] and [`rows`] (each table
//! once); [`input`] (what is handed in to be written); [`writes`] (pieces of transactions); [`batch`] (one statement
//! for many requests); [`team`] and [`system`] (the methods of [`Store`], by whose rows they read).
//!
//! Who calls it: `app`. What it does not do: deciding.

mod batch;
mod claims;
mod columns;
mod database;
mod dispatch;
mod error;
mod failure;
mod input;
mod rows;
mod stored_names;
pub mod system;
mod team;
mod unreadable;
mod values;
mod words;
mod writes;

use std::sync::Arc;
use std::time::Duration;

pub use claims::{Claim, Destination};
pub use database::connectivity::WeakSetting;
pub use database::feed_position::FeedPosition;
use database::pool::{ConnectionDoubt, Pool};
pub use database::pool::{HeldCommit, once_committed};
use database::session::Sessions;
pub use dispatch::{Dispatch, Dispatched, Outlet};
pub use error::StoreError;
pub use input::{CacheWrite, NewCreate, NewEvent, NewKey, NewOperation, OwedAnswer, Settlement, Waiter};
pub use rows::audit_entries::NumberedEntry;
pub use rows::feed::{StoredEvent, Stretch};
use sqlx::postgres::PgConnectOptions;
pub use system::access_keys::SealedKey;
pub use system::account_ids::PinnedIds;
pub use system::adoption::Taken;
pub use system::api_keys::HashedKey;
pub use system::audit_owner::DroppedMonth;
pub use system::budgets::StoredBudget;
pub use system::check::{AuditPage, AuditView, CheckedRow, FoundLeaf};
pub use system::cloud_accounts::{AccountRemoval, SealedAccount};
pub use system::containment::TakenKeys;
pub use system::deliveries::{Bounds, FailingEndpoint, Finished};
pub use system::endpoint_urls::PlainUrl;
pub use system::far_times::Farthest;
pub use system::horizon::OldestTransaction;
pub use system::issuers::{IssuerChange, StoredIssuer};
pub use system::key_rotation::{ACCOUNT_EXTERNAL, ACCOUNT_SECRET, IDEMPOTENT_RESPONSE, SEALED, Sealed, SealedBy};
pub use system::operations::{LeasedOperation, Postponed};
pub use system::reconciler::{ComparedList, ReconcileLease};
pub use system::retention::Forgotten;
pub use system::sealer::{SealedBatch, Sealing, Unsealed};
pub use system::tracker::{GroupLease, GroupRelease, TrackedCache, TrackerGroup};
pub use system::unmanaged::FoundCache;
pub use system::vanishings::MassVanishing;
pub use team::adoption::{Adopted, NewAdoption};
pub use team::deliveries::PlacedDelivery;
pub use team::description::TeamUsage;
pub use team::endpoint_changes::{Enabling, EndpointWrite};
pub use team::endpoint_trials::Trial;
pub use team::endpoints::{EndpointSecrets, StoredEndpoint};
pub use team::ensure::{ChosenCache, EnsureBegun};
pub use team::idempotent_responses::{KeptResponse, ResponseKey};
pub use team::operations::Begun;
pub use team::policies::TeamRules;
pub use team::redelivery::{ReplaySpan, Resent};
pub use team::rendered::{RenderedCache, Rendering};
pub use team::settle::Settled;
pub use writes::audit_entries::Stamp;
pub use writes::idempotency::Claimed;
pub use writes::makers::{Added, RotationOutcome};
pub use writes::platform_events::PlatformEvent;
pub use writes::quota::QuotaCheck;

use crate::domain::clock::Instant;
use crate::domain::database::address::DatabaseAddress;

/// The migrations of this binary.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Connections for reads of single image caches.
const HOT: u32 = 2;

/// How many connections each kind of work gets. Apart, so that none starves another.
#[derive(Debug, Clone, Copy)]
pub struct PoolSizes {
    /// For requests: reads, and the transactions of changes.
    pub requests: u32,
    /// For the tracker, the deliverer, the janitor and resumed operations.
    pub workers: u32,
    /// How long to wait for a connection before the database counts as unavailable.
    pub acquire: Duration,
}

/// The database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    requests: Pool,
    workers: Pool,
    audit: Arc<batch::audit_writer::AuditWriter>,
    hot: Arc<team::rendered::HotReads>,
    state: Arc<batch::state_writer::StateWriter>,
    rules: Arc<team::policies::RuleReads>,
    told: Arc<batch::Batches<team::owed_answers::Clearing>>,
    stamp: Stamp,
    sessions: Arc<Sessions>,
    doubt: Arc<ConnectionDoubt>,
}

impl Store {
    /// Opens the pools of an address. Must be called within a tokio runtime.
    pub fn at(address: &DatabaseAddress, sizes: PoolSizes, stamp: Stamp) -> Self {
        Self::with(Sessions::new(&database::session::options_of(address), &address.settings), sizes, stamp)
    }

    /// Opens the pools. No connection is made yet, so it works while the database is still starting. Must be called
    /// within a tokio runtime: the writers are tasks, and so are the hot reads. `stamp` goes on every audit entry.
    pub fn open(options: &PgConnectOptions, sizes: PoolSizes, stamp: Stamp) -> Self {
        Self::with(Sessions::new(options, &[]), sizes, stamp)
    }

    fn with(sessions: Sessions, sizes: PoolSizes, stamp: Stamp) -> Self {
        let pooled = sessions.pooled();
        let steady = pooled.steady();
        let doubt = Arc::<ConnectionDoubt>::default();
        let pool = |most: u32| Pool::lazy(&pooled, most, sizes.acquire, &doubt);
        let steady = |most: u32| Pool::lazy(&steady, most, sizes.acquire, &doubt);
        let audit = Arc::new(batch::audit_writer::start(steady(1), stamp.clone()));
        let hot = Arc::new(team::rendered::start(steady(HOT), HOT));
        let state = Arc::new(batch::state_writer::start(steady, &stamp));
        let rules = Arc::new(team::policies::start(steady(1)));
        let (requests, workers) = (pool(sizes.requests), pool(sizes.workers));
        let told = Arc::new(team::owed_answers::start(workers.clone()));
        Self { requests, workers, audit, hot, state, rules, told, stamp, sessions: Arc::new(sessions), doubt }
    }

    /// Whether the database answers, and whether every migration of this binary is applied.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let known = MIGRATIONS.iter().filter(|migration| !migration.migration_type.is_down_migration()).count();
        let applied: Result<i64, sqlx::Error> =
            sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success").fetch_one(&self.requests).await;
        match applied {
            Ok(applied) => Ok(usize::try_from(applied).is_ok_and(|applied| applied >= known)),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the database can be written to; fails where it cannot, too.
    pub async fn takes_writes(&self) -> Result<(), StoreError> {
        self.requests.ask().await?;
        Ok(self.doubt.has_room()?)
    }

    /// Why the database cannot be used although it answers, as found when it was last asked.
    pub fn ailment(&self) -> Option<&'static str> {
        self.doubt.ailment().map(database::pool::UnusableReason::words)
    }

    /// Whether the role lacked a right lately that something needed.
    pub fn lacks_right(&self) -> bool {
        self.doubt.lacks_right()
    }

    /// The database's clock: the one that every gateway goes by.
    pub async fn now(&self) -> Result<Instant, StoreError> {
        Ok(sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&self.workers).await?)
    }

    /// Closes every connection after the work in hand.
    pub async fn close(&self) {
        self.hot.stop().await;
        self.state.stop().await;
        self.told.stop().await;
        self.rules.stop().await;
        self.audit.stop().await;
        self.requests.close().await;
        self.workers.close().await;
    }
}
