//! The audit is complete, whatever was killed: it agrees with the ledgers of clients and cloud, and can be verified.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{ClientFact, Evidence};

/// The action of an adoption.
const ADOPT: &str = "adopt_image_caches";
/// Actions that need not call the cloud: a delete of what was never created or is already gone, a withdrawal, and an
/// adoption.
const QUIET: [&str; 3] = ["delete_image_cache", "withdraw_image_cache", ADOPT];

/// Every request that was answered with a status below 500 is in the audit.
pub(super) fn lost_audit(evidence: &Evidence) -> Vec<String> {
    let missing = |fact: &&ClientFact| match fact {
        ClientFact::Answered { request_id, .. } => !evidence.audited.contains(request_id),
        _ => false,
    };
    evidence.clients.iter().filter(missing).map(|fact| format!("{fact:?}")).collect()
}

/// What the cloud carried out for operations, and what the audit says it carried out, are the same.
pub(super) fn carried_out(evidence: &Evidence) -> Vec<String> {
    let token = |act: &super::evidence::JournalAct| Some(act.client_token.as_ref()?.split_once('.')?.0.to_owned());
    let acted: BTreeSet<String> = evidence.acts.iter().filter_map(token).collect();
    let succeeded = evidence.audit.iter().filter(|entry| entry.outcome == "succeeded");
    let told: BTreeMap<&str, &str> = succeeded.map(|entry| (entry.operation.as_str(), entry.action.as_str())).collect();
    let silent = acted.iter().filter(|operation| !told.contains_key(operation.as_str()));
    let silent = silent.map(|operation| format!("carried out, not in the audit: {operation}"));
    let invented = told.iter().filter(|(operation, action)| !QUIET.contains(action) && !acted.contains(**operation));
    silent.chain(invented.map(|(operation, _)| format!("in the audit, not carried out: {operation}"))).collect()
}

/// Each operation that has ended has one entry for its beginning and one for its end (an adoption ends as it begins),
/// and no operation is only in the audit.
pub(super) fn endings(evidence: &Evidence) -> Vec<String> {
    let mut entries: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let adoptions = evidence.audit.iter().filter(|entry| entry.action == ADOPT);
    let adoptions: BTreeSet<&str> = adoptions.map(|entry| entry.operation.as_str()).collect();
    for entry in &evidence.audit {
        let (accepted, ended) = entries.entry(&entry.operation).or_default();
        *(if entry.outcome == "accepted" { accepted } else { ended }) += 1;
    }
    let mut found = Vec::new();
    for operation in evidence.operations.iter().filter(|operation| operation.state != "running") {
        match entries.remove(operation.id.as_str()) {
            Some((1, 1)) => {}
            Some((0, 1)) if adoptions.contains(operation.id.as_str()) => {}
            other => found.push(format!("{} of {}: (beginnings, ends) {other:?}", operation.kind, operation.id)),
        }
    }
    let running = |id: &str| evidence.operations.iter().any(|operation| operation.id == id);
    let unknown = entries.keys().filter(|id| !running(id)).map(|id| format!("in the audit alone: {id}"));
    found.extend(unknown);
    found
}

/// `audit verify` finds nothing, even compared with the checkpoint that was saved after healing.
pub(super) fn verifies(evidence: &Evidence) -> Vec<String> {
    evidence.audit_findings.clone()
}
