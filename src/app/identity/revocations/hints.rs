//! A word to whoever revoked a subject that nobody has: mistyped, or without its issuer's name, it stops no leaver.
//!
//! What must stay true: the revocation holds by then, and holds whatever is found here or not; a team hears of its own
//! subjects only. Who calls it: [`super`], after the revocation.

use chrono::Duration;

use crate::app::Error;
use crate::app::identity::Identity;
use crate::domain::identity::caller::TeamId;
use crate::domain::identity::issuer::DEFAULT;
use crate::domain::identity::revocation::{Revocation, RevocationTarget};
use crate::domain::ids::ApiKeyId;

/// How far back the audit is looked through, in days: no token lives that long.
const LOOKED_BACK_DAYS: i64 = 31;
/// How subjects are written.
const SPELLING: &str = "write subjects as GET /v1/me and the audit show them: <issuer>:<sub>, or sub alone for the \
                        issuer from the gateway's settings";

impl Identity {
    /// What to tell of a revocation that was just made; none where its subject is known, or that cannot be told soon.
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

    /// Which are known here of a subject and of those that it may be meant for.
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
