//! Verifies the audit log: finds everything that is missing, altered, added or moved, and names it.
//!
//! A [`Verification`] is fed the audit log in tree order, from the database or from a file. It needs no keys except the
//! verifier keys, and holds little more than the tree's right edge in memory.
//!
//! It compares each row with its leaf's hash; each stored subtree with its two halves; each checkpoint's root with the
//! tree of that size, its signature and its predecessor; rows without a leaf with how far the sealer has got; and a
//! saved checkpoint with the tree of its size. Where a hash is wrong, verification continues with the stored hash above
//! it, so that each fault is reported once, at the place where it is.
//!
//! The command line calls it. It does no reading itself.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use crate::crypto::merkle::{Hash, leaf_hash, node_hash};
use crate::crypto::note::NoteVerifier;
use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::retention::Leaves;
use crate::domain::ids::AuditId;
use crate::store::{AuditPage, CheckedRow, FoundLeaf};

mod checkpoints;
mod reads;

pub use reads::{VerificationSubject, newest_checkpoint, verify};

/// The most findings that a report lists; further ones are only counted.
const MOST: usize = 1_000;
/// How many consecutive leaves may be missing before the leaf after them counts as added.
const LARGEST_GAP: i64 = 100_000;

/// One difference between the audit log and what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable code: `entry_altered`, `entry_missing`, `entry_added`, `leaf_missing`, …
    pub kind: &'static str,
    /// The entry's id, `ae_…`, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The leaf's index, if the finding is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<i64>,
    /// A sentence for people.
    pub detail: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerificationReport {
    /// The number of leaves in the tree.
    pub leaves: i64,
    /// The number of rows that were compared with their leaf.
    pub entries: i64,
    /// The number of leaves whose entries retention has dropped.
    pub dropped: i64,
    /// The number of valid checkpoints.
    pub checkpoints: i64,
    /// The number of rows that are not sealed yet.
    pub unsealed: i64,
    /// The tree size in the newest valid checkpoint.
    pub size: i64,
    /// The note of the newest valid checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// What is wrong; empty if everything is as it was sealed.
    pub findings: Vec<Finding>,
    /// The number of findings that are not in `findings`, because there are too many.
    pub more_findings: usize,
}

/// A subtree's hash while the tree is built up.
#[derive(Debug, Clone, Copy)]
struct Peak {
    /// `None` if part of the subtree is unknown.
    hash: Option<Hash>,
    /// Whether something below it is already known to be wrong, so that a different hash is expected.
    faulty: bool,
}

/// A verification in progress.
#[derive(Debug)]
pub struct Verification {
    keys: Vec<NoteVerifier>,
    saved: Option<Checkpoint>,
    dropped: Leaves,
    peaks: Vec<Peak>,
    next: i64,
    stamped: bool,
    newest: Option<Checkpoint>,
    /// Entries of the leaves since the last good checkpoint.
    recent: Vec<Uuid>,
    /// Sizes of checkpoints that were found altered since the last good one.
    altered: Vec<i64>,
    /// Whether a root was found to be wrong: all later ones will be wrong too.
    broken: bool,
    report: VerificationReport,
}

impl Verification {
    /// Starts a verification with the keys that may have signed, a checkpoint that was saved earlier, and the leaves
    /// whose entries retention has dropped.
    pub fn new(keys: Vec<NoteVerifier>, saved: Option<Checkpoint>, dropped: Leaves) -> Self {
        Self {
            keys,
            saved,
            dropped,
            peaks: Vec::new(),
            next: 0,
            stamped: false,
            newest: None,
            recent: Vec::new(),
            altered: Vec::new(),
            broken: false,
            report: VerificationReport::default(),
        }
    }

    /// Checks the next page, with every subtree and checkpoint that ends in it. Returns whether there is another page;
    /// the last one has no leaves.
    pub fn feed(&mut self, page: AuditPage) -> bool {
        let mut nodes = page.nodes;
        let mut checkpoints = page.checkpoints.iter().peekable();
        for leaf in &page.leaves {
            if leaf.leaf - self.next > LARGEST_GAP {
                self.far(leaf);
                return false;
            }
            while self.next <= leaf.leaf {
                let peak = self.leaf(Some(leaf).filter(|leaf| leaf.leaf == self.next));
                self.push(peak, nodes.as_mut());
                while let Some((size, note)) = checkpoints.next_if(|(size, _)| *size <= self.next) {
                    self.checkpoint(*size, note);
                }
                self.compare_saved();
            }
        }
        for (size, note) in checkpoints {
            self.beyond(*size, note);
        }
        for (leaf, level) in nodes.into_iter().flatten().map(|(place, _)| place) {
            let detail = format!("a subtree of level {level} ends with leaf {leaf}, where the tree has none");
            self.found("subtree_added", None, Some(leaf), detail);
        }
        !page.leaves.is_empty()
    }

    /// The leaf at which the next page begins.
    pub fn next(&self) -> i64 {
        self.next
    }

    fn far(&mut self, leaf: &FoundLeaf) {
        let (at, name) = (leaf.leaf, name(leaf.entry));
        let detail =
            format!("leaf {at}, of the entry {name}, is far beyond leaf {}: nothing after that is checked", self.next);
        self.found("leaf_added", Some(&name), Some(at), detail);
    }

    /// Compares a leaf with its row, and returns the leaf's hash.
    fn leaf(&mut self, leaf: Option<&FoundLeaf>) -> Peak {
        let at = self.next;
        self.report.leaves += 1;
        let Some(leaf) = leaf else {
            self.found("leaf_missing", None, Some(at), format!("leaf {at} is missing"));
            return Peak { hash: None, faulty: true };
        };
        self.recent.push(leaf.entry);
        let name = name(leaf.entry);
        let stored: Option<Hash> = leaf.hash.as_slice().try_into().ok();
        let Some((row, others)) = leaf.rows.split_first() else {
            return Peak { hash: stored, faulty: !self.may_be_absent(at, &name) };
        };
        for _ in others {
            self.found("entry_added", Some(&name), Some(at), format!("there is more than one row of the entry {name}"));
        }
        self.report.entries += 1;
        let made = row.record.as_ref().map(|record| leaf_hash(&record.leaf_data()));
        if made.is_none() || made != stored {
            let detail = format!("the entry {name} is not what leaf {at} was made of: the row or the leaf was altered");
            self.found("entry_altered", Some(&name), Some(at), detail);
            return Peak { hash: stored, faulty: true };
        }
        self.stamp(row, &name);
        Peak { hash: stored, faulty: !others.is_empty() }
    }

    /// Whether retention explains a missing row. If not, records a finding.
    fn may_be_absent(&mut self, leaf: i64, name: &str) -> bool {
        let accounted = self.dropped.contains(leaf);
        if accounted {
            self.report.dropped += 1;
        } else {
            let detail = format!("the entry {name} is missing: leaf {leaf} was made of it");
            self.found("entry_missing", Some(name), Some(leaf), detail);
        }
        accounted
    }

    /// Entries without a stamp were written before stamps existed, so none may follow a stamped entry.
    fn stamp(&mut self, row: &CheckedRow, name: &str) {
        let stamped = row.record.as_ref().is_some_and(|record| record.stamp.is_some());
        if self.stamped && !stamped {
            let detail = format!("the entry {name} has no stamp, although stamped ones were sealed before it");
            self.found("entry_added", Some(name), Some(self.next), detail);
        }
        self.stamped |= stamped;
    }

    /// Adds a leaf to the right edge, and compares every subtree that it completes with the stored one.
    fn push(&mut self, leaf: Peak, mut nodes: Option<&mut BTreeMap<(i64, i16), Vec<u8>>>) {
        let (index, mut peak, mut level) = (self.next, leaf, 0_i16);
        while index >> level & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            level += 1;
            let hash = left.hash.zip(peak.hash).map(|(left, right)| node_hash(&left, &right));
            peak = Peak { hash, faulty: left.faulty || peak.faulty };
            if let Some(nodes) = nodes.as_deref_mut() {
                peak = self.compare_node(peak, (index, level), nodes.remove(&(index, level)));
            }
        }
        self.peaks.push(peak);
        self.next += 1;
    }

    fn compare_node(&mut self, made: Peak, (leaf, level): (i64, i16), stored: Option<Vec<u8>>) -> Peak {
        let Some(stored) = stored else {
            let detail = format!("the subtree of level {level} that ends with leaf {leaf} is missing");
            self.found("subtree_missing", None, Some(leaf), detail);
            return made;
        };
        let stored: Option<Hash> = stored.try_into().ok();
        if made.hash.is_some() && made.hash == stored {
            return Peak { faulty: false, ..made };
        }
        if made.faulty && stored.is_some() {
            // A fault below explains the difference: continue with the stored hash.
            return Peak { hash: stored, faulty: false };
        }
        let detail = format!("the subtree of level {level} that ends with leaf {leaf} was altered");
        self.found("subtree_altered", None, Some(leaf), detail);
        Peak { faulty: true, ..made }
    }

    /// The root of the tree so far; `None` if part of it is unknown.
    fn root(&self) -> Option<Hash> {
        let (last, others) = self.peaks.split_last()?;
        others.iter().rev().try_fold(last.hash?, |right, left| Some(node_hash(&left.hash?, &right)))
    }

    /// Checks rows that have no leaf. No gateway wrote the ones that the sealer has already passed; the others are
    /// waiting for it. Returns the ids of those that are waiting. An id in `waited` was waiting before and should be
    /// sealed by now, so it becomes a finding instead.
    pub fn unsealed(&mut self, rows: &[CheckedRow], waited: &HashSet<Uuid>) -> HashSet<Uuid> {
        let through = self.newest.as_ref().map_or((0, 0), |checkpoint| checkpoint.through);
        let mut waiting = HashSet::new();
        for row in rows {
            let name = name(row.id);
            if self.newest.is_some() && row.position <= through {
                let detail =
                    format!("the entry {name} is not sealed, although later ones are: no gateway wrote it as it is");
                self.found("entry_added", Some(&name), None, detail);
            } else if waited.contains(&row.id) || row.record.is_none() {
                let detail =
                    format!("the entry {name} does not get sealed: no gateway wrote it as it is, or none is running");
                self.found("entry_added", Some(&name), None, detail);
            } else {
                waiting.insert(row.id);
            }
        }
        self.report.unsealed = i64::try_from(waiting.len()).unwrap_or(i64::MAX);
        waiting
    }

    fn found(&mut self, kind: &'static str, entry: Option<&str>, leaf: Option<i64>, detail: String) {
        if self.report.findings.len() < MOST {
            self.report.findings.push(Finding { kind, entry: entry.map(str::to_owned), leaf, detail });
        } else {
            self.report.more_findings += 1;
        }
    }
}

fn name(id: Uuid) -> String {
    AuditId::from(id).to_string()
}

impl VerificationReport {
    /// Whether everything is as it was sealed.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}
