//! A hint for somebody who revoked a subject that does not exist: mistyped, or without its issuer's name, it has no
//! effect.
//!
//! What must stay true: the revocation is already in force, whatever is found here; a team learns only of its own
//! subjects. [`super`] calls it after the revocation.

use chrono::Duration;

use crate::app::Error;
use crate::app::identity::Identity;
use crate::domain::identity::caller::TeamId;
use crate::domain::identity::issuer::DEFAULT;
use crate::domain::identity::revocation::{Revocation, RevocationTarget};
use crate::domain::ids::ApiKeyId;

/// How many days of the audit log to search: no token lives that long.
const LOOKED_BACK_DAYS: i64 = 31;
/// How to write subjects.
const SPELLING: &str = "write subjects as GET /v1/me and the audit show them: <issuer>:<sub>, or sub alone for the \
                        issuer from the gateway's settings";

impl Identity {
    /// The hint for a revocation that was just made. `None` if its subject is known, or if that takes too long to find
    /// out.
    pub(super) async fn hint_about(&self, made: &Revocation) -> Option<String> {
        let RevocationTarget::Subject { subject, .. } = &made.target else { return None };
        let known = self.known_of(subject, made.team.as_ref()).await.ok()?;
        if known.contains(subject) {
            return None;
        }
        let meant = if known.is_empty() { String::new() } else { format!("; known is {}", known.join(", ")) };
        let nobody =
            format!("no key, and no audit entry of the last {LOOKED_BACK_DAYS} days, has the subject {subject}");
        Some(format!("{nobody}{meant}; {SPELLING}"))
    }

    /// Which of these are known here: the subject, and those that it may stand for.
    async fn known_of(&self, subject: &str, team: Option<&TeamId>) -> Result<Vec<String>, Error> {
        let issuers = self.verifier.names();
        let named = issuers.iter().filter(|name| *name != DEFAULT).map(|name| format!("{name}:{subject}"));
        let mut asked: Vec<String> = named.collect();
        asked.extend([subject.to_owned(), format!("access_key:{subject}")]);
        let mut known =
            self.base.store().known_subjects(team, &asked, self.base.now() - Duration::days(LOOKED_BACK_DAYS)).await?;
        let key = subject.strip_prefix("api_key:").unwrap_or(subject).parse::<ApiKeyId>().ok();
        if let Some(key) = key
            && self.base.store().api_key(team, key).await?.is_some()
        {
            known.push(format!("api_key:{key}"));
        }
        Ok(known)
    }
}
