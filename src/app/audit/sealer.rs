//! The sealer: turns audit entries into leaves of the Merkle tree, and ends each batch with a signed checkpoint.
//!
//! What must stay true: an entry is sealed once, within 2 s of its commit unless an older transaction is still running;
//! no row without a valid stamp is sealed, except rows from before stamps existed, and those only until the first
//! stamped row is sealed; nothing is added to a tree that does not match its newest checkpoint, nor after a checkpoint
//! that our key did not sign.
//!
//! A row that no gateway wrote is never sealed, so `audit verify` reports it. The sealer records in an entry of its own
//! that it found the row, and goes on. A checkpoint that our key did not sign is skipped ([`super::checkpoints`]) and
//! reported. Anything that cannot be skipped stops the sealing and is reported by `/readyz`.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::checkpoints::{Newest, Search, ailments};
use super::seal_error::SealError;
use crate::app::Error;
use crate::app::audit::Audit;
use crate::crypto::merkle::{Edge, Subtree, leaf_hash};
use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::{Actor, Outcome};
use crate::domain::identity::caller::{Door, Origin};
use crate::domain::log_limit::LogLimit;
use crate::domain::problem::Code;
use crate::store::{SealedBatch, Sealing, Unsealed};

/// The number of rows in one batch.
const BATCH: i64 = 2_000;
/// The longest that one pass may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
/// The action of the entry that records rows without a valid stamp.
const FOREIGN: &str = "meet_foreign_audit_row";

/// Limits how often skipped checkpoints are logged.
static SAID: LogLimit = LogLimit::new();

/// Why this process could not seal when it last tried. Kept only in memory: another process may be able to.
#[derive(Debug, Default)]
pub(in crate::app) struct SealingWatch(Mutex<Option<SealError>>);

impl SealingWatch {
    fn note(&self, error: Option<SealError>) {
        metrics::gauge!("ecg_audit_sealing_stopped").set(if error.is_some() { 1.0 } else { 0.0 });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn last(&self) -> Option<SealError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tree as far as it is sealed.
struct SealedTree {
    edge: Edge,
    through: (i64, i64),
    /// Whether rows from before stamps existed may still follow.
    unstamped: bool,
}

impl Audit {
    /// Seals what can be sealed. Returns whether there may be more to seal at once. Ends within 10 s: if the database
    /// stops answering, it releases what this pass holds, and so do we.
    pub async fn seal(&self) -> Result<bool, Error> {
        let detail = "the database did not answer the sealer";
        let silent = |_| Error::Unavailable { code: Code::DatabaseUnavailable, detail, retry_after_seconds: 2 };
        let sealed = tokio::time::timeout(LIMIT, Box::pin(self.seal_once())).await.map_err(silent)?;
        match &sealed {
            Ok(_) => self.watch.note(None),
            Err(Error::Internal(cause)) => {
                if let Some(cause) = cause.downcast_ref::<SealError>() {
                    self.watch.note(Some(*cause));
                }
            }
            Err(_) => {}
        }
        sealed
    }

    /// The problems with sealing, for readiness: one sentence each.
    pub(in crate::app) async fn look_at_sealing(&self) -> Result<Vec<String>, Error> {
        let mut told = ailments(self.base.store(), &self.keys.verifiers()).await?;
        let last = self.watch.last().map(|error| error.to_string());
        told.extend(last.filter(|last| !told.contains(last)));
        Ok(told)
    }

    async fn seal_once(&self) -> Result<bool, Error> {
        let Some(mut sealing) = self.base.store().begin_sealing().await? else { return Ok(false) };
        let mut tree = self.tree(&mut sealing).await?;
        let previous = tree.edge.size();
        let mut foreign = Foreign::default();
        let mut batch = SealedBatch::default();
        let mut full = true;
        // A page that contains only foreign rows must not hide what comes after it.
        while full && batch.leaves.is_empty() {
            let rows = sealing.unsealed(tree.through, BATCH).await?;
            full = i64::try_from(rows.len()) == Ok(BATCH);
            for row in &rows {
                self.take(row, &mut tree, &mut batch, &mut foreign);
            }
        }
        if !batch.leaves.is_empty() {
            batch.size = tree.edge.size();
            batch.note = self.checkpoint(&tree, previous);
            sealing.finish(&batch).await?;
            metrics::counter!("ecg_audit_sealed_total").increment(batch.leaves.len() as u64);
        }
        self.note_foreign(&foreign).await?;
        Ok(full)
    }

    /// The tree that the newest checkpoint signs.
    async fn tree(&self, sealing: &mut Sealing) -> Result<SealedTree, Error> {
        let newest = self.newest(sealing).await?;
        if newest.is_foreign() {
            return Err(SealError::Checkpoint.into());
        }
        let size = newest.size();
        if sealing.has_leaf(size).await? {
            return Err(SealError::Stray(size).into());
        }
        let Some((_, checkpoint)) = newest.good else {
            return Ok(SealedTree { edge: Edge::default(), through: (0, 0), unstamped: true });
        };
        let wanted: Vec<_> = Edge::subtrees(size).into_iter().map(place).collect();
        let edge = Edge::of(size, sealing.hashes(&wanted).await?).filter(|edge| edge.root() == checkpoint.root);
        let unstamped = sealing.is_stamped(size - 1).await? == Some(false);
        Ok(SealedTree { edge: edge.ok_or(SealError::Tree)?, through: checkpoint.through, unstamped })
    }

    /// The newest valid checkpoint. Logs those that were skipped.
    async fn newest(&self, sealing: &mut Sealing) -> Result<Newest, Error> {
        let verifiers = self.keys.verifiers();
        let mut search = Search::new(&verifiers);
        while let Some((before, limit)) = search.next() {
            let page = sealing.checkpoints(before, limit).await?;
            search.take(page, limit);
        }
        let newest = search.found();
        let count = u32::try_from(newest.passed_over.len()).unwrap_or(u32::MAX);
        metrics::gauge!("ecg_audit_checkpoints_passed_over").set(f64::from(count));
        if let Some(told) = newest.skipped_message()
            && SAID.may(&told, Instant::now()).is_some()
        {
            tracing::error!(sizes = ?newest.passed_over, signers = ?newest.signers, "{told}");
        }
        Ok(newest)
    }

    fn take(&self, row: &Unsealed, tree: &mut SealedTree, batch: &mut SealedBatch, foreign: &mut Foreign) {
        tree.through = row.position;
        let good = row.record.as_ref().filter(|record| match &record.stamp {
            Some(stamp) => self.keys.stamped(&record.body.stamped_bytes(), stamp),
            None => tree.unstamped && record.txid == 0,
        });
        let Some(record) = good else { return foreign.observe(row) };
        foreign.told |= record.body.action == FOREIGN && record.body.resource == foreign.first;
        tree.unstamped = record.stamp.is_none();
        let hash = leaf_hash(&record.leaf_data());
        batch.leaves.push((tree.edge.size(), row.id, hash));
        let completed = tree.edge.push(hash);
        batch.nodes.extend(completed.into_iter().map(|(subtree, hash)| (subtree.leaf, subtree.level, hash)));
    }

    fn checkpoint(&self, tree: &SealedTree, previous: i64) -> String {
        let checkpoint = Checkpoint {
            origin: self.keys.origin().to_owned(),
            size: tree.edge.size(),
            root: tree.edge.root(),
            previous,
            through: tree.through,
            at: self.base.now(),
        };
        self.keys.sign(&checkpoint.text())
    }

    /// Records that rows were found which no gateway wrote.
    async fn note_foreign(&self, foreign: &Foreign) -> Result<(), Error> {
        let Some(first) = foreign.first.clone().filter(|_| !foreign.told) else { return Ok(()) };
        tracing::error!(
            rows = foreign.count,
            first,
            "found rows in the audit that no gateway with this key wrote; they are not sealed"
        );
        let origin = Origin { door: Door::Worker, request_id: self.base.new_request_id(), address: None };
        let actor = Actor { team: None, subject: "worker:sealer".into(), credential: None, origin };
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), FOREIGN, Outcome::Refused);
        entry.resource = Some(first);
        entry.code = Some("no_good_stamp".to_owned());
        entry.parameters.insert("rows".to_owned(), foreign.count.to_string());
        Ok(self.base.store().append_audit(entry).await?)
    }
}

/// Rows that no gateway wrote.
#[derive(Default)]
struct Foreign {
    first: Option<String>,
    count: u32,
    /// Whether an entry already reports them.
    told: bool,
}

impl Foreign {
    fn observe(&mut self, row: &Unsealed) {
        self.count += 1;
        self.first.get_or_insert_with(|| crate::domain::ids::AuditId::from(row.id).to_string());
    }
}

/// The key under which the store keeps a subtree.
pub(in crate::app) fn place(subtree: Subtree) -> (i64, i16) {
    (subtree.leaf, subtree.level)
}
