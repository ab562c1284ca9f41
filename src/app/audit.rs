//! The audit log: entries for requests that changed nothing, checks of who wrote an entry, exports, proofs and sealing.

use crate::app::audit::sealer::SealingWatch;
use crate::app::base::Base;
use crate::crypto::audit_keys::AuditKeys;
use std::sync::Arc;
use std::time::Instant;

use super::input::RequestEnd;
use super::view::AuditEntryView;
use super::view::JudgedEntry;
use super::{Call, Error, access};
use crate::crypto::merkle::leaf_hash;
use crate::domain::audit::Actor;
use crate::domain::audit::record::AuditRecord;
use crate::domain::filter::{AuditFilter, AuditReach};
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::ids::AuditId;
use crate::domain::log_limit::LogLimit;
use crate::store::NumberedEntry;

pub(super) mod checkpoints;
pub(super) mod entries;
pub(super) mod proofs;
mod seal_error;
pub(super) mod sealer;
pub mod verification;

/// The number of entries in one part of an export.
const PART: i64 = 500;

/// An export of audit entries: its scope, its filter, and the last entry that it covers.
#[derive(Debug, Clone)]
pub struct AuditExport {
    reach: AuditReach,
    filter: AuditFilter,
    through: i64,
}

/// Limits how often unverified entries are logged.
static SAID: LogLimit = LogLimit::new();

/// Counts and logs the entries that no gateway of this log wrote.
fn note_foreign(judged: &[JudgedEntry]) {
    let foreign: Vec<String> =
        judged.iter().filter(|one| !one.verified).map(|one| one.found.entry.id.to_string()).collect();
    let Some(first) = foreign.first() else { return };
    metrics::counter!("ecg_audit_unverified_shown_total").increment(foreign.len() as u64);
    if SAID.may(first, Instant::now()).is_some() {
        tracing::error!(
            first,
            entries = foreign.len(),
            "found audit entries that no gateway with this key wrote: run `audit verify`"
        );
    }
}

/// The audit log; cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    base: Base,
    /// The keys that sign, stamp and verify.
    pub(super) keys: Arc<AuditKeys>,
    /// The result of this process's last sealing.
    watch: Arc<SealingWatch>,
}

impl Audit {
    pub(super) fn new(base: &Base, keys: AuditKeys) -> Self {
        Self { base: base.clone(), keys: Arc::new(keys), watch: Arc::default() }
    }
}

impl Audit {
    /// Writes the entry and returns once it is durable. The answer is sent only after that.
    pub async fn audit_request(&self, actor: &Actor, call: &Call, ending: RequestEnd) -> Result<(), Error> {
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), &ending.action, ending.outcome);
        entry.resource = ending.resource;
        entry.http_status = Some(ending.http_status);
        entry.code = ending.code;
        entry.provider_request_id = ending.provider_request_id;
        entry.duration_ms = Some(self.base.milliseconds_since(call));
        entry.parameters = self.base.audit_parameters(call);
        self.base.store().append_audit(entry).await?;
        call.set_audited();
        Ok(())
    }

    /// Starts an export of the team's entries, up to the newest one at this moment.
    pub async fn export_audit_entries(&self, caller: &Caller, filter: AuditFilter) -> Result<AuditExport, Error> {
        access::check(caller, "export_audit_entries")?;
        let reach = audit_reach(caller, &filter)?;
        let through = self.base.store().newest_audit_number(&reach).await?;
        Ok(AuditExport { reach, filter, through })
    }

    /// The entries after number `after`, oldest first, and the number after which the next part starts, if there is
    /// one.
    pub async fn audit_part(
        &self,
        caller: &Caller,
        export: &AuditExport,
        after: i64,
    ) -> Result<(Vec<AuditEntryView>, Option<i64>), Error> {
        access::check(caller, "export_audit_entries")?;
        let range = (after, export.through);
        let found = self.base.store().audit_entries_after(&export.reach, &export.filter, range, PART).await?;
        let full = i64::try_from(found.len()) == Ok(PART);
        let next = found.last().filter(|_| full).map(|last| last.number);
        Ok((self.judged(found).await?.into_iter().map(Into::into).collect(), next))
    }

    /// Adds to each entry whether a gateway of this log wrote it. Counts and logs those that no gateway wrote.
    pub(super) async fn judged(&self, found: Vec<NumberedEntry>) -> Result<Vec<JudgedEntry>, Error> {
        let audit = &self.keys;
        let stamped = |record: &AuditRecord| {
            record.stamp.as_ref().is_some_and(|stamp| audit.stamped(&record.body.stamped_bytes(), stamp))
        };
        let mut judged: Vec<JudgedEntry> =
            found.into_iter().map(|found| JudgedEntry { verified: stamped(&found.record), found }).collect();
        if judged.iter().all(|judged| judged.verified) {
            return Ok(judged);
        }
        self.look_for_leaves(&mut judged).await?;
        note_foreign(&judged);
        Ok(judged)
    }

    /// Verifies entries without a valid stamp (from before stamps existed, or of a key that is no longer configured):
    /// they count as verified if a valid checkpoint covers them unchanged.
    async fn look_for_leaves(&self, judged: &mut [JudgedEntry]) -> Result<(), Error> {
        let open: Vec<AuditId> = judged.iter().filter(|one| !one.verified).map(|one| one.found.entry.id).collect();
        let leaves = self.base.store().audit_leaves_of(&open).await?;
        let covered = checkpoints::newest(self.base.store(), &self.keys.verifiers()).await?.size();
        for one in judged.iter_mut().filter(|one| !one.verified) {
            let leaf = leaves.get(&one.found.entry.id).filter(|(leaf, _)| *leaf < covered);
            one.verified = leaf.is_some_and(|(_, hash)| *hash == leaf_hash(&one.found.record.leaf_data()));
        }
        Ok(())
    }
}

/// Whose entries to list: those of the caller's own team, or those that the platform asks for.
pub(super) fn audit_reach(caller: &Caller, filter: &AuditFilter) -> Result<AuditReach, Error> {
    let own = AuditReach::Team(caller.team.clone());
    let asked = filter.team.clone().unwrap_or_else(|| own.clone());
    let other = asked != own && !caller.may(Scope::PlatformAudit);
    if other { Err(Error::Forbidden(&[Scope::PlatformAudit])) } else { Ok(asked) }
}

/// Whose entries the caller may read by id.
pub(super) fn any_audit(caller: &Caller) -> AuditReach {
    if caller.may(Scope::PlatformAudit) { AuditReach::All } else { AuditReach::Team(caller.team.clone()) }
}
