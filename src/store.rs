//! Floor 1: all SQL, and nothing but SQL.
//!
//! What must stay true: every read and write of a team's rows takes the team first and says so in its
//! WHERE; the few statements that look across teams live in [`unscoped`]. Leases are judged by the
//! database's clock, schedules by the instant handed in. A change of a cache, its transition, its audit
//! entry, its event and the event's deliveries are one transaction ([`changes`]).
//!
//! Who calls it: `app`. What it does not do: deciding.

mod access_keys;
mod adoption;
mod api_keys;
mod audit;
mod audit_insert;
mod audit_owner;
mod audit_writer;
mod backlog;
mod batches;
mod changes;
mod columns;
mod connectivity;
mod deliveries;
mod describing;
mod dispatch;
mod endpoint_changes;
mod endpoint_trials;
mod endpoints;
mod ensuring;
mod error;
mod events;
mod gate;
mod grants;
mod idempotency;
mod image_caches;
mod lives;
mod makers;
mod migrations;
mod operations;
mod owed_answers;
mod platform_events;
mod policies;
mod pool;
mod quota;
mod redelivery;
mod rendered;
mod rows;
mod session;
mod settling;
mod state_writer;
mod tracker;
mod transitions;
mod unreadable;
pub mod unscoped;
mod words;

use std::sync::Arc;
use std::time::Duration;

pub use adoption::{Adopted, NewAdoption};
pub use audit::NumberedEntry;
pub use audit_insert::Stamp;
pub use audit_owner::DroppedMonth;
pub use changes::CacheWrite;
pub use connectivity::Weakness;
pub use deliveries::PlacedDelivery;
pub use describing::TeamUsage;
pub use dispatch::{Dispatch, Dispatched, Outlet};
pub use endpoint_changes::{Enabling, EndpointWrite};
pub use endpoint_trials::Trial;
pub use endpoints::{EndpointSecrets, KeptEndpoint};
pub use ensuring::{Chosen, EnsureBegun};
pub use error::Error;
pub use events::{NewEvent, StoredEvent, Stretch};
pub use idempotency::{Claimed, NewKey};
pub use lives::Place;
pub use makers::{Added, Turned};
pub use operations::{Begun, NewCreate, NewOperation};
pub use owed_answers::{OwedAnswer, Waiter};
pub use platform_events::PlatformEvent;
pub use policies::Rules;
use pool::{Doubt, Pool};
pub use quota::Quota;
pub use redelivery::{Resent, Span};
pub use rendered::{Rendered, Rendering};
use session::Sessions;
pub use settling::{Settled, Settlement};
use sqlx::postgres::PgConnectOptions;
pub use unscoped::access_keys::SealedKey;
pub use unscoped::account_ids::PinnedIds;
pub use unscoped::adoption::Taken;
pub use unscoped::api_keys::HashedKey;
pub use unscoped::budgets::KeptBudget;
pub use unscoped::check::{AuditPage, AuditView, FoundLeaf, FoundRow};
pub use unscoped::cloud_accounts::{AccountRemoval, SealedAccount};
pub use unscoped::containment::TakenKeys;
pub use unscoped::deliveries::{Ailing, Bounds, Claim, Destination, Finished};
pub use unscoped::endpoint_urls::PlainUrl;
pub use unscoped::far_times::Farthest;
pub use unscoped::horizon::OldestTransaction;
pub use unscoped::issuers::{IssuerChange, StoredIssuer};
pub use unscoped::operations::{LeasedOperation, Postponed};
pub use unscoped::reconciler::{ComparedList, ReconcileLease};
pub use unscoped::retention::Forgotten;
pub use unscoped::rotating::{ACCOUNT_EXTERNAL, ACCOUNT_SECRET, SEALED, Sealed, SealedBy};
pub use unscoped::sealing::{SealedBatch, Sealing, Unsealed};
pub use unscoped::tracker::{Followed, GroupLease, Rest, TrackerGroup};
pub use unscoped::unmanaged::FoundCache;
pub use unscoped::vanishings::MassVanishing;

use crate::domain::clock::Instant;
use crate::domain::database::address::Address;

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
    audit: Arc<audit_writer::AuditWriter>,
    hot: Arc<rendered::HotReads>,
    state: Arc<state_writer::StateWriter>,
    rules: Arc<policies::RuleReads>,
    told: Arc<batches::Batches<owed_answers::Clearing>>,
    stamp: Stamp,
    sessions: Arc<Sessions>,
    doubt: Arc<Doubt>,
}

impl Store {
    /// Opens the pools of an address. Must be called within a tokio runtime.
    pub fn at(address: &Address, sizes: PoolSizes, stamp: Stamp) -> Self {
        Self::with(Sessions::new(&session::options_of(address), &address.settings), sizes, stamp)
    }

    /// Opens the pools. No connection is made yet, so it works while the database is still starting. Must be called
    /// within a tokio runtime: the writers are tasks, and so are the hot reads. `stamp` goes on every audit entry.
    pub fn open(options: &PgConnectOptions, sizes: PoolSizes, stamp: Stamp) -> Self {
        Self::with(Sessions::new(options, &[]), sizes, stamp)
    }

    fn with(sessions: Sessions, sizes: PoolSizes, stamp: Stamp) -> Self {
        let pooled = sessions.pooled();
        let steady = pooled.steady();
        let doubt = Arc::<Doubt>::default();
        let pool = |most: u32| Pool::lazy(&pooled, most, sizes.acquire, &doubt);
        let steady = |most: u32| Pool::lazy(&steady, most, sizes.acquire, &doubt);
        let audit = Arc::new(audit_writer::start(steady(1), stamp.clone()));
        let hot = Arc::new(rendered::start(steady(HOT), HOT));
        let state = Arc::new(state_writer::start(steady, &stamp));
        let rules = Arc::new(policies::start(steady(1)));
        let (requests, workers) = (pool(sizes.requests), pool(sizes.workers));
        let told = Arc::new(owed_answers::start(workers.clone()));
        Self { requests, workers, audit, hot, state, rules, told, stamp, sessions: Arc::new(sessions), doubt }
    }

    /// Whether the database answers, and whether every migration of this binary is applied.
    pub async fn is_migrated(&self) -> Result<bool, Error> {
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
    pub async fn takes_writes(&self) -> Result<(), Error> {
        self.requests.ask().await?;
        Ok(self.doubt.has_room()?)
    }

    /// Why the database cannot be used although it answers, as found when it was last asked.
    pub fn ailment(&self) -> Option<&'static str> {
        self.doubt.ailment().map(pool::Ailment::words)
    }

    /// Whether the role lacked a right lately that something needed.
    pub fn lacks_right(&self) -> bool {
        self.doubt.lacks_right()
    }

    /// The database's clock: the one that every gateway goes by.
    pub async fn now(&self) -> Result<Instant, Error> {
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
