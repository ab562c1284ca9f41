//! Checkpoints of the audit tree, and proofs that an entry is in the tree and that the tree only ever grew.
//!
//! What must stay true: a proof of a team's entry reveals only hashes; another team's entry looks as if it did not
//! exist. It does not verify the whole log; [`super::verification`] does.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::any_audit;
use super::checkpoints;
use super::sealer::place;
use crate::app::audit::Audit;
use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::view::{CheckpointView, ConsistencyProofView, InclusionProofView};
use crate::app::{Error, access};
use crate::crypto::merkle::{self, Hash, Subtree, leaf_hash};
use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::AuditId;
use crate::domain::problem::Code;

impl Audit {
    /// The checkpoints, newest first.
    pub async fn list_audit_checkpoints(&self, caller: &Caller, page: &Page) -> Result<Slice<CheckpointView>, Error> {
        access::check(caller, "list_audit_checkpoints")?;
        let list = CursorList::new(&self.base, caller, "audit_checkpoints", &());
        let before = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let views = self.good_checkpoints(before, one_more(page)).await?;
        Ok(list.slice(views, page, |view| view.tree_size.to_string()))
    }

    /// The proof that an entry of the team is in the tree of a checkpoint: the one of size `tree_size`, or the newest.
    pub async fn get_audit_proof(
        &self,
        caller: &Caller,
        id: AuditId,
        tree_size: Option<i64>,
    ) -> Result<InclusionProofView, Error> {
        access::check(caller, "get_audit_proof")?;
        let record =
            self.base.store().audit_record(&any_audit(caller), id).await?.ok_or(Error::NotFound("audit entry"))?;
        let leaf = self.base.store().audit_leaf(id).await?.ok_or_else(not_sealed)?;
        let checkpoint = self.checkpoint_of("tree_size", tree_size).await?;
        let path = merkle::inclusion(leaf, checkpoint.tree_size);
        let path = path.ok_or_else(|| wrong("tree_size", "must be the size of a checkpoint that covers the entry"))?;
        let data = record.leaf_data();
        Ok(InclusionProofView {
            audit_entry_id: id.to_string(),
            leaf_index: leaf,
            leaf_hash: BASE64_STANDARD.encode(leaf_hash(&data)),
            leaf_data: BASE64_STANDARD.encode(data),
            hashes: self.proof(&path).await?,
            checkpoint,
        })
    }

    /// The proof that the tree of one checkpoint extends the tree of an earlier one.
    pub async fn get_audit_consistency(
        &self,
        caller: &Caller,
        first_size: i64,
        second_size: Option<i64>,
    ) -> Result<ConsistencyProofView, Error> {
        access::check(caller, "get_audit_consistency")?;
        let second = self.checkpoint_of("second_size", second_size).await?;
        let path = merkle::consistency(first_size, second.tree_size);
        let path = path.ok_or_else(|| wrong("first_size", "must be at least 1 and no larger than the second size"))?;
        Ok(ConsistencyProofView { first_size, hashes: self.proof(&path).await?, checkpoint: second })
    }

    async fn checkpoint_of(&self, field: &'static str, size: Option<i64>) -> Result<CheckpointView, Error> {
        let verifiers = self.keys.verifiers();
        let Some(size) = size else {
            let newest = checkpoints::newest(self.base.store(), &verifiers).await?;
            return newest.good.map(checkpoint_view).ok_or_else(not_sealed);
        };
        let note = self.base.store().audit_checkpoint(Some(size)).await?;
        let good =
            note.and_then(|note| checkpoints::open(&verifiers, size, &note).map(|good| checkpoint_view((note, good))));
        good.ok_or_else(|| wrong(field, "must be the size of a checkpoint"))
    }

    /// Up to `wanted` checkpoints that our keys signed, newest first.
    async fn good_checkpoints(&self, mut before: Option<i64>, wanted: i64) -> Result<Vec<CheckpointView>, Error> {
        let (verifiers, mut views) = (self.keys.verifiers(), Vec::new());
        loop {
            let missing = wanted - i64::try_from(views.len()).unwrap_or(wanted);
            let found = self.base.store().audit_checkpoints(before, missing).await?;
            let more = missing > 0 && i64::try_from(found.len()) == Ok(missing);
            before = found.last().map(|(size, _)| *size);
            let good = |(size, note): (i64, String)| {
                checkpoints::open(&verifiers, size, &note).map(|checkpoint| checkpoint_view((note, checkpoint)))
            };
            views.extend(found.into_iter().filter_map(good));
            if !more || i64::try_from(views.len()) == Ok(wanted) {
                return Ok(views);
            }
        }
    }

    /// The hashes of a proof. Each is computed from subtrees, which are all read in one query.
    async fn proof(&self, path: &[Vec<Subtree>]) -> Result<Vec<String>, Error> {
        let wanted: Vec<_> = path.iter().flatten().copied().map(place).collect();
        let found = self.base.store().audit_hashes(&wanted).await?;
        if found.len() != wanted.len() {
            return Err(altered("part of the audit's tree is missing"));
        }
        let mut rest: &[Hash] = &found;
        let mut take = |parts: &Vec<Subtree>| {
            let (these, others) = rest.split_at(parts.len());
            rest = others;
            merkle::fold(these).map(|hash| BASE64_STANDARD.encode(hash))
        };
        Ok(path.iter().filter_map(&mut take).collect())
    }
}

fn checkpoint_view((note, checkpoint): (String, Checkpoint)) -> CheckpointView {
    let Checkpoint { origin, size, root, previous, at, .. } = checkpoint;
    let root_hash = BASE64_STANDARD.encode(root);
    CheckpointView { origin, tree_size: size, root_hash, previous_size: previous, recorded_at: at, note }
}

fn not_sealed() -> Error {
    let detail = "the audit entry is not sealed yet; sealing takes a second or two".to_owned();
    Error::Conflict { code: Code::AuditEntryNotSealed, detail }
}

fn wrong(field: &'static str, detail: &'static str) -> Error {
    Error::Invalid(vec![FieldError::new(field, FieldCode::Invalid, detail)])
}

fn altered(what: &'static str) -> Error {
    Error::Internal(what.into())
}
