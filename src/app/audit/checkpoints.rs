//! Finds the newest valid checkpoint: signed with one of our keys, for the size under which it is stored.
//!
//! What must stay true: a checkpoint that none of our keys signed must not stop anything. The database's runtime role
//! can add such a checkpoint, so the sealer and all readers skip it and report it.
//!
//! [`super::sealer`], [`super::proofs`], [`crate::app::upkeep::startup`] and readiness call it. It does not verify the
//! log; [`super::verification`] does.

use super::seal_error::SealError;
use crate::app::Error;
use crate::crypto::note::{self, NoteVerifier};
use crate::domain::audit::checkpoint::Checkpoint;
use crate::store::{self, Store};

/// The most checkpoints to look at. If none of them is ours, the log belongs to somebody else.
const MOST: usize = 1_000;
/// How many checkpoints to read at once after the newest one turned out not to be valid.
const PAGE: i64 = 100;
/// How many skipped checkpoints a message names.
const NAMED: usize = 3;

/// A search backwards from the newest checkpoint: it is given pages and finds the newest valid checkpoint.
#[derive(Debug)]
pub(in crate::app) struct Search<'a> {
    verifiers: &'a [NoteVerifier],
    /// The next page has checkpoints smaller than this size.
    before: i64,
    ended: bool,
    found: Newest,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(in crate::app) struct Newest {
    /// The newest valid checkpoint and its note.
    pub(in crate::app) good: Option<(String, Checkpoint)>,
    /// The sizes of newer checkpoints that are not valid, newest first.
    pub(in crate::app) passed_over: Vec<i64>,
    /// The names and key hashes of the signers that the newest invalid checkpoint claims.
    pub(in crate::app) signers: Vec<String>,
}

/// Opens a note: returns the checkpoint if one of these keys signed it and it is for this size.
pub(in crate::app) fn open(verifiers: &[NoteVerifier], size: i64, note: &str) -> Option<Checkpoint> {
    let text = verifiers.iter().find_map(|key| key.open(note))?;
    Checkpoint::parse(text).filter(|checkpoint| checkpoint.size == size)
}

/// The newest valid checkpoint in the database.
pub(in crate::app) async fn newest(store: &Store, verifiers: &[NoteVerifier]) -> Result<Newest, store::StoreError> {
    let mut search = Search::new(verifiers);
    while let Some((before, limit)) = search.next() {
        let page = store.audit_checkpoints(Some(before), limit).await?;
        search.take(page, limit);
    }
    Ok(search.found())
}

/// The problems with the audit tree, for readiness: skipped checkpoints, and a tree that cannot grow.
pub(in crate::app) async fn ailments(store: &Store, verifiers: &[NoteVerifier]) -> Result<Vec<String>, Error> {
    let newest = newest(store, verifiers).await?;
    let mut told: Vec<String> = newest.skipped_message().into_iter().collect();
    let size = newest.size();
    if newest.is_foreign() {
        told.push(SealError::Checkpoint.to_string());
    } else if store.is_audit_leaf_stray(size, &newest.passed_over).await? {
        told.push(SealError::Stray(size).to_string());
    }
    Ok(told)
}

impl<'a> Search<'a> {
    pub(in crate::app) fn new(verifiers: &'a [NoteVerifier]) -> Self {
        Self { verifiers, before: i64::MAX, ended: false, found: Newest::default() }
    }

    /// Which checkpoints to read next: those below this size, and how many. `None` at the end.
    pub(in crate::app) fn next(&self) -> Option<(i64, i64)> {
        let limit = if self.found.passed_over.is_empty() { 1 } else { PAGE };
        (!self.ended && self.found.passed_over.len() < MOST).then_some((self.before, limit))
    }

    /// Takes the page that was read: sizes and notes, newest first.
    pub(in crate::app) fn take(&mut self, page: Vec<(i64, String)>, limit: i64) {
        self.ended = i64::try_from(page.len()) != Ok(limit);
        for (size, note) in page {
            self.before = size;
            if let Some(checkpoint) = open(self.verifiers, size, &note) {
                self.found.good = Some((note, checkpoint));
                self.ended = true;
                return;
            }
            if self.found.passed_over.is_empty() {
                self.found.signers = note::signers(&note);
            }
            self.found.passed_over.push(size);
        }
    }

    pub(in crate::app) fn found(self) -> Newest {
        self.found
    }
}

impl Newest {
    /// The number of leaves that the valid checkpoint covers.
    pub(in crate::app) fn size(&self) -> i64 {
        self.good.as_ref().map_or(0, |(_, checkpoint)| checkpoint.size)
    }

    /// Whether there are checkpoints but none of them is ours.
    pub(in crate::app) fn is_foreign(&self) -> bool {
        self.good.is_none() && !self.passed_over.is_empty()
    }

    /// A sentence about the skipped checkpoints, if there are any.
    pub(in crate::app) fn skipped_message(&self) -> Option<String> {
        if self.passed_over.is_empty() || self.good.is_none() {
            return None;
        }
        let sizes: Vec<String> = self.passed_over.iter().take(NAMED).map(ToString::to_string).collect();
        let more = self.passed_over.len() - sizes.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(format!(
            "skipping audit checkpoints that no key of this gateway signed (of size {}{more}): the log continues \
             from size {}; run `audit verify`, and if the key was changed, set ECG_KEYS_AUDIT_PREVIOUS",
            sizes.join(", "),
            self.size()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::audit_keys::AuditKeys;
    use crate::crypto::master::MasterKey;

    fn keys(byte: u8) -> AuditKeys {
        AuditKeys::new("log", &MasterKey::new([byte; 32]), None).unwrap()
    }

    fn note(keys: &AuditKeys, size: i64) -> (i64, String) {
        let at = chrono::DateTime::UNIX_EPOCH;
        let checkpoint = Checkpoint { origin: "log".into(), size, root: [0; 32], previous: 0, through: (0, 0), at };
        (size, keys.sign(&checkpoint.text()))
    }

    /// Runs a search over these checkpoints, given newest first.
    fn search(kept: &[(i64, String)]) -> Newest {
        let verifiers = keys(1).verifiers();
        let mut search = Search::new(&verifiers);
        while let Some((before, limit)) = search.next() {
            let page = kept.iter().filter(|(size, _)| *size < before).take(usize::try_from(limit).unwrap());
            search.take(page.cloned().collect(), limit);
        }
        search.found()
    }

    #[test]
    fn the_newest_that_verifies_is_the_newest() {
        let (ours, theirs) = (keys(1), keys(2));
        let good = note(&ours, 7);
        for bad in [(9, "x".to_owned()), note(&theirs, 9), (9, note(&ours, 8).1), (i64::MAX - 1, String::new())] {
            let found = search(&[bad.clone(), good.clone(), note(&ours, 3)]);
            assert_eq!((found.size(), found.passed_over.as_slice()), (7, [bad.0].as_slice()));
            assert!(found.skipped_message().unwrap().contains(&bad.0.to_string()) && !found.is_foreign());
        }
        assert_eq!((search(&[good]).skipped_message(), search(&[]).skipped_message()), (None, None));
    }

    #[test]
    fn a_log_without_one_of_ours_is_anothers() {
        let theirs = keys(2);
        let kept: Vec<_> = (1..=5_000).rev().map(|size| note(&theirs, size)).take(1_300).collect();
        let found = search(&kept);
        assert!(found.is_foreign() && found.skipped_message().is_none());
        assert_eq!(found.signers, [theirs.verifiers()[0].short()]);
    }
}
