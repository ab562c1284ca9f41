//! Revocations of tokens: created, listed and deleted by the platform for every team or for one, and by callers with a
//! team's scope `keys` for that team only. [`super::authentication`] applies them.
//!
//! What must stay true: keys that were created with a revoked token are revoked in the same transaction, unless they
//! are to stay; a team cannot undo a revocation by the platform.

mod hints;

use super::key_rules::withdraws_from;
use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::identity::Identity;
use crate::app::input::NewRevocation;
use crate::app::view::RevocationView;
use crate::app::{Call, Error, access};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, Findings};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::{Caller, Scope, TeamId};
use crate::domain::identity::revocation::{
    KEPT, MAX_OF_A_TEAM, MAX_REASON_CHARS, MAX_REVOCATIONS, Revocation, RevocationTarget,
};
use crate::domain::ids::RevocationId;
use crate::domain::problem::Code;
use crate::store::once_committed;

const CREATE: &str = "create_revocation";
const DELETE: &str = "delete_revocation";

/// How far ahead of ours an issuer's clock may be. A revocation of all of a subject's tokens may reach that far ahead.
const LEEWAY: chrono::Duration = chrono::Duration::minutes(5);

impl Identity {
    /// Revokes a token, or a subject's tokens. They are refused at once here, and within a second at every other
    /// gateway.
    pub async fn create_revocation(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewRevocation,
    ) -> Result<RevocationView, Error> {
        access::check(caller, CREATE)?;
        let now = self.base.now();
        let made = Revocation {
            id: RevocationId::new(now, self.base.entropy()),
            target: target(caller, &new, now)?,
            team: new.team.or_else(|| withdraws_from(caller).cloned()),
            by_platform: caller.may(Scope::PlatformSecurity),
            reason: new.reason,
            created_by: caller.subject.clone(),
            created_at: now,
            kept_until: now + KEPT,
        };
        let mut entry = self.credential_entry(caller, call, CREATE, &made.id);
        let taken = self.base.store().add_revocation(&made, new.keep_keys, &mut entry).await?;
        let taken = taken.ok_or_else(|| too_many(&made))?;
        call.set_audited();
        let (identity, keys) = (self.clone(), taken.api_keys.clone());
        once_committed(async move {
            identity.ask_for_revocations().await;
            for id in keys {
                identity.ask_for_key(id).await;
            }
        })
        .await;
        // A revocation that revoked keys was about an existing subject.
        let hint = if taken.is_empty() { self.hint_about(&made).await } else { None };
        Ok(RevocationView { hint, ..RevocationView::made(made, &taken) })
    }

    /// The revocations in force, newest first.
    pub async fn list_revocations(&self, caller: &Caller, page: &Page) -> Result<Slice<RevocationView>, Error> {
        access::check(caller, "list_revocations")?;
        let own = withdraws_from(caller);
        let list = CursorList::new(&self.base, caller, "revocations", &own.map(TeamId::as_str));
        let place = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let found = self.base.store().revocations(own, self.base.now(), place, one_more(page)).await?;
        Ok(list.slice(found, page, |revocation| revocation.id.to_string()))
    }

    /// Deletes a revocation.
    pub async fn delete_revocation(&self, caller: &Caller, call: &Call, id: RevocationId) -> Result<(), Error> {
        access::check(caller, DELETE)?;
        let entry = self.credential_entry(caller, call, DELETE, &id);
        if !self.base.store().delete_revocation(withdraws_from(caller), id, &entry).await? {
            return Err(Error::NotFound("revocation"));
        }
        call.set_audited();
        self.ask_for_revocations().await;
        Ok(())
    }

    /// The audit entry for a change of a credential.
    pub(in crate::app) fn credential_entry(
        &self,
        caller: &Caller,
        call: &Call,
        action: &str,
        id: &impl ToString,
    ) -> AuditEntry {
        let mut entry = Actor::caller(caller, &call.origin).entry(
            self.base.audit_id(),
            self.base.now(),
            action,
            Outcome::Succeeded,
        );
        entry.resource = Some(id.to_string());
        entry.duration_ms = Some(self.base.milliseconds_since(call));
        entry.parameters = self.base.audit_parameters(call);
        entry
    }
}

fn too_many(made: &Revocation) -> Error {
    let most = if made.by_platform { MAX_REVOCATIONS } else { MAX_OF_A_TEAM };
    let detail = format!("{most} revocations are in force, which is the maximum; revoke by subject instead");
    Error::Conflict { code: Code::TooManyRevocations, detail }
}

/// What to revoke: exactly one of a token and a subject.
fn target(caller: &Caller, new: &NewRevocation, now: Instant) -> Result<RevocationTarget, Error> {
    let mut findings = Findings::default();
    let own = new.team.is_none() || withdraws_from(caller).is_none_or(|own| new.team.as_ref() == Some(own));
    findings.require(own, "/team", FieldCode::NotAllowed, "must be your own team, without the scope platform:security");
    let plain =
        |text: &str, most: usize| (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control);
    let one = new.jti.is_some() != new.subject.is_some();
    findings.require(one, "", FieldCode::Invalid, "must have either jti or subject");
    let jti = new.jti.as_ref().is_none_or(|jti| plain(jti, 128));
    findings.require(jti, "/jti", FieldCode::OutOfRange, "must be 1 to 128 printable characters");
    let shared = new.jti.as_ref().is_some_and(|jti| jti.starts_with("kid:"));
    findings.require(
        !shared,
        "/jti",
        FieldCode::NotAllowed,
        "must not be kid:…, which all tokens without jti share; revoke the subject instead",
    );
    let subject = new.subject.as_ref().is_none_or(|subject| plain(subject, 256));
    findings.require(subject, "/subject", FieldCode::OutOfRange, "must be 1 to 256 printable characters");
    let reason = new.reason.as_ref().is_none_or(|reason| plain(reason, MAX_REASON_CHARS));
    findings.require(reason, "/reason", FieldCode::OutOfRange, "must be 1 to 256 printable characters");
    let before = new.issued_before.is_none() || new.subject.is_some();
    findings.require(before, "/issued_before", FieldCode::NotAllowed, "must be given together with subject");
    let past = new.issued_before.is_none_or(|before| before <= now + LEEWAY);
    findings.require(past, "/issued_before", FieldCode::OutOfRange, "must be at most 5 minutes in the future");
    findings.into_result()?;
    Ok(match (&new.jti, &new.subject) {
        (Some(jti), _) => RevocationTarget::Token(jti.clone()),
        (None, subject) => RevocationTarget::Subject {
            subject: subject.clone().unwrap_or_default(),
            issued_before: new.issued_before.unwrap_or(now),
        },
    })
}
