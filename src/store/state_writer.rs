//! The group-commit writer of state: creates that begin and creates that end, one transaction for all that queued while
//! the last commit ran ([`super::batches`]).
//!
//! What must stay true:
//! - Nothing is answered before it is durable. A commit whose answer is lost is an unknown outcome to everybody in it,
//!   as it is to one alone: a begin is refused as unavailable, and whoever settles asks again.
//! - Only what surely fits is written together: a key that nobody had, an operation that is held, a row of the version
//!   that was read and that nobody else has in hand. Each statement tells who fitted; the others are written by it not
//!   even in part, and go alone, by the functions that were there before ([`Store::begin_create`], [`Store::settle`]),
//!   which know what each odd case means. So does everybody where a statement fails: it is rolled back, and what is bad
//!   fails alone.
//! - No two of one batch are about the same image cache, operation or key: the second goes alone.
//! - No batch waits for a row in somebody's hands: operations and image caches are taken `SKIP LOCKED`. What may be
//!   waited for is taken in one order everywhere: idempotency keys, sorted, before anything else; the tracker's groups,
//!   sorted and once each, after everything else. So no two transactions wait for each other.
//! - Its wait is bounded as everywhere ([`Pool::limited`]), its queue is, and what was taken in is done though nobody
//!   waits.
//!
//! What goes alone from the start: creates of teams with a quota (the team's lock is held from the count to the commit,
//! and a whole batch would hold it), creates in an account that has a row of its own, updates and deletes (seldom, and
//! they wait for each other), and whatever ends while a delete waits for it.
//!
//! Who calls it: `app`, through [`Store::begin_together`] and [`Store::settle`]. What it does not do: decide.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::batches::{Batches, Work};
use super::changes::is_vanishing;
use super::operations::NewCreate;
use super::pool::Pool;
use super::settling::Settlement;
use super::{Error, Stamp, Store, audit_insert, tracker};
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::operation::OperationKind;

mod begins;
mod ends;

/// Connections, each with a worker: while one commits, the other gathers. A third would only make commits smaller.
pub(super) const WRITERS: u32 = 2;
/// Most steps that wait.
const QUEUE: usize = 8_192;

/// The writer's handle.
pub(super) type StateWriter = Batches<Writing>;

/// Writes steps.
pub(super) struct Writing {
    pool: Pool,
    stamp: Stamp,
}

/// One step of one create.
pub(super) enum Step {
    /// It is recorded.
    Begin(Arc<NewCreate>),
    /// It has ended.
    End(Arc<Settlement>),
}

/// Starts the writer on a pool of its own.
pub(super) fn start(pool: Pool, stamp: Stamp) -> StateWriter {
    Batches::start(Writing { pool, stamp }, WRITERS as usize, QUEUE)
}

impl Store {
    /// Records a create together with others that begin or end just now. `false`: it must go alone
    /// ([`Store::begin_create`]), and nothing of it was written.
    ///
    /// # Errors
    /// `Unavailable` where the queue is full (nothing was written), and where the database is away.
    pub async fn begin_together(&self, create: &Arc<NewCreate>) -> Result<bool, Error> {
        Ok(begins::goes_along(create) && self.state.ask(Step::Begin(Arc::clone(create))).await?)
    }

    /// The same of an end.
    pub(super) async fn settle_together(&self, settlement: &Arc<Settlement>) -> Result<bool, Error> {
        Ok(ends::goes_along(settlement) && self.state.ask(Step::End(Arc::clone(settlement))).await?)
    }
}

impl Work for Writing {
    type Item = Step;
    /// Whether it was written; else it goes alone.
    type Done = bool;

    async fn all(&self, steps: &[Step]) -> Result<Vec<bool>, Error> {
        match self.pool.limited(self.write(steps)).await {
            Err(error) if is_rolled_back(&error) => {
                tracing::info!(error = %error, steps = steps.len(), "a batch of state was rolled back; each goes alone");
                Ok(vec![false; steps.len()])
            }
            written => written,
        }
    }
}

impl Writing {
    async fn write(&self, steps: &[Step]) -> Result<Vec<bool>, Error> {
        let Sorted { begins, ends } = sorted(steps);
        let mut transaction = self.pool.begin().await?;
        // Keys first, the tracker's groups last: see above.
        let begun = begins::write(&mut transaction, &begins).await?;
        let settled = ends::write(&mut transaction, &ends).await?;
        let entries: Vec<&AuditEntry> = begun
            .iter()
            .map(|create| &create.new.audit)
            .chain(settled.iter().filter_map(|settlement| settlement.write.audit.as_ref()))
            .collect();
        if !entries.is_empty() {
            audit_insert::insert(&mut transaction, &self.stamp, &entries).await?;
        }
        tracker::wake_all(&mut transaction, &groups(&settled)).await?;
        transaction.commit().await?;
        for settlement in &settled {
            settlement.write.committed();
        }
        let begun = begun.iter().map(|create| create.new.operation.id.uuid());
        let mut written: HashSet<Uuid> =
            begun.chain(settled.iter().map(|settlement| settlement.operation.uuid())).collect();
        // Of two of one operation the first alone was written.
        Ok(steps.iter().map(|step| written.remove(&step.operation())).collect())
    }
}

impl Step {
    fn operation(&self) -> Uuid {
        match self {
            Self::Begin(create) => create.new.operation.id.uuid(),
            Self::End(settlement) => settlement.operation.uuid(),
        }
    }
}

/// The steps of a batch, without those that must not be in one with another.
#[derive(Default)]
struct Sorted<'a> {
    begins: Vec<&'a NewCreate>,
    ends: Vec<&'a Settlement>,
}

fn sorted(steps: &[Step]) -> Sorted<'_> {
    let (mut sorted, mut caches, mut keys) = (Sorted::default(), HashSet::new(), HashSet::new());
    for step in steps {
        match step {
            Step::Begin(create) => {
                let key = create.new.key.as_ref().map(|key| (&create.cache.team, key.action, &key.key));
                if key.is_none_or(|key| keys.insert(key)) && caches.insert(create.cache.id) {
                    sorted.begins.push(create);
                }
            }
            // Whoever has one way to the deliverer shares its statement.
            Step::End(settlement) => {
                let first = sorted.ends.iter().find_map(|first| first.write.event.as_ref());
                let alike = ends::same_way(first, settlement.write.event.as_ref());
                if caches.insert(settlement.write.next.id) && alike {
                    sorted.ends.push(settlement);
                }
            }
        }
    }
    sorted
}

/// When each of the tracker's groups is due, at the earliest.
fn groups<'a>(settled: &[&'a Settlement]) -> BTreeMap<(&'a str, &'a str), Instant> {
    let mut groups = BTreeMap::new();
    for settlement in settled {
        let Some(at) = settlement.look_at else { continue };
        let next = &settlement.write.next;
        let due = groups.entry((next.account.as_str(), next.spec.region.as_str())).or_insert(at);
        *due = at.min(*due);
    }
    groups
}

/// Whether the database itself said that nothing was written. An error of the connection says that only of the time
/// before the commit, and 57P… (the server stops) and 53… say that it is no use to try at once.
fn is_rolled_back(error: &Error) -> bool {
    match error {
        Error::Constraint { .. } | Error::Unreadable { .. } | Error::Other(sqlx::Error::Database(_)) => true,
        Error::Unavailable(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            !code.starts_with("57P") && !code.starts_with("53")
        }
        _ => false,
    }
}

/// Whether an end is one of those that are written together.
fn is_plain(settlement: &Settlement) -> bool {
    let write = &settlement.write;
    settlement.kind == OperationKind::Create
        && write.next.operation == settlement.operation
        && write.audit.is_some()
        && write.transition.as_ref().is_some_and(|transition| !is_vanishing(transition))
}
