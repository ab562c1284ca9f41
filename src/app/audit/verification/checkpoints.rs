//! Verification of checkpoints: signature, position, predecessor, root, the saved checkpoint, and the end of the tree.

use super::{Verification, VerificationReport, name};
use crate::domain::audit::checkpoint::Checkpoint;

/// How many entries of a rewritten range a finding names.
const NAMED: usize = 100;

impl Verification {
    /// Checks a checkpoint whose size is no larger than the tree so far.
    pub(super) fn checkpoint(&mut self, size: i64, note: &str) {
        let signed =
            self.keys.iter().find_map(|key| Checkpoint::parse(key.open(note)?).filter(|c| c.origin == key.name()));
        let Some(checkpoint) = signed.filter(|checkpoint| checkpoint.size == size) else {
            let detail =
                format!("the checkpoint of size {size} was altered: its signature does not hold, or is another's");
            self.found("checkpoint_altered", None, None, detail);
            // The next checkpoint covers the same entries, and must not be reported for a missing predecessor.
            return self.altered.push(size);
        };
        let before = self.newest.as_ref().map_or(0, |newest| newest.size);
        if checkpoint.previous != before && !self.altered.contains(&checkpoint.previous) {
            let detail = format!("a checkpoint of size {} is missing before that of size {size}", checkpoint.previous);
            self.found("checkpoint_missing", None, None, detail);
        }
        self.altered.clear();
        if self.root() != Some(checkpoint.root) {
            self.rewritten(before, size);
        }
        self.recent.clear();
        self.report.checkpoints += 1;
        self.report.size = size;
        self.report.checkpoint = Some(note.to_owned());
        self.newest = Some(checkpoint);
    }

    /// Checks a checkpoint beyond the last leaf. If it is valid, the leaves in between are missing, and those before
    /// are covered.
    pub(super) fn beyond(&mut self, size: i64, note: &str) {
        let (next, last) = (self.next, size - 1);
        let read = self.keys.iter().find_map(|key| Checkpoint::parse(key.open(note)?));
        let Some(checkpoint) = read.filter(|checkpoint| checkpoint.size == size) else {
            let detail = format!("the checkpoint of size {size} was altered: its signature does not hold");
            return self.found("checkpoint_altered", None, Some(next), detail);
        };
        let which = if last == next { format!("leaf {last} is") } else { format!("leaves {next} to {last} are") };
        let detail = format!("{which} missing, which the checkpoint of size {size} covers");
        self.found("leaf_missing", None, Some(next), detail);
        self.recent.clear();
        self.newest = Some(checkpoint);
    }

    /// The tree of this size has a different root than the signed one. A fault below it may already explain that.
    fn rewritten(&mut self, before: i64, size: i64) {
        let explained = self.peaks.iter().any(|peak| peak.faulty || peak.hash.is_none());
        if self.broken || explained {
            return;
        }
        self.broken = true;
        let names: Vec<String> = self.recent.iter().take(NAMED).map(|id| name(*id)).collect();
        let detail = format!(
            "the tree of size {size} is not the one that was signed: leaves {before} to {} were rewritten, with everything \
             above them; among {}",
            size - 1,
            names.join(", ")
        );
        self.found("history_rewritten", names.first().cloned().as_deref(), Some(before), detail);
    }

    /// Compares the saved checkpoint with the tree once the tree has its size.
    pub(super) fn compare_saved(&mut self) {
        let Some(saved) = self.saved.take_if(|saved| saved.size == self.next) else { return };
        let explained = self.peaks.iter().any(|peak| peak.faulty || peak.hash.is_none());
        if self.root() != Some(saved.root) && !explained {
            let detail = format!("the first {} leaves are not those of the saved checkpoint", saved.size);
            self.found("history_rewritten", None, Some(saved.size - 1), detail);
        }
    }

    /// Checks the end of the tree, where everything must be covered.
    pub fn end(&mut self) {
        let covered = self.newest.as_ref().map_or(0, |newest| newest.size);
        for (place, id) in std::mem::take(&mut self.recent).into_iter().enumerate() {
            let leaf = covered + i64::try_from(place).unwrap_or(0);
            let name = name(id);
            let detail = format!(
                "no good checkpoint covers leaf {leaf}, of the entry {name}: it was added, or the checkpoint removed"
            );
            self.found("leaf_uncovered", Some(&name), Some(leaf), detail);
        }
        if let Some(saved) = self.saved.take() {
            let detail = format!(
                "the saved checkpoint covers {} leaves, and there are {}: leaves {} to {} were removed",
                saved.size,
                self.next,
                self.next,
                saved.size - 1
            );
            self.found("rolled_back", None, Some(self.next), detail);
        }
    }

    /// Returns the report.
    pub fn report(self) -> VerificationReport {
        self.report
    }
}
