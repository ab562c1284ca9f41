//! The caller of a verified request, and what it is verified with.

use super::{Signatory, StandInSettings};

/// What requests are verified with: the settings, and how often all sessions were ended.
pub(super) struct SignatureDoor<'a> {
    pub(super) settings: &'a StandInSettings,
    pub(super) round: u64,
}

/// The caller of a verified request; [`Signatory`] borrows it.
#[derive(Debug)]
pub(super) struct VerifiedCall {
    pub(super) account: String,
    pub(super) access_key_id: String,
    /// The role, if a session signed.
    pub(super) role: Option<String>,
    /// The name of that session.
    pub(super) session: String,
}

impl VerifiedCall {
    pub(super) fn borrowed(&self) -> Signatory<'_> {
        let session = self.role.as_deref().map(|role| (role, self.session.as_str()));
        Signatory { account: &self.account, access_key_id: &self.access_key_id, session }
    }
}

impl From<Signatory<'_>> for VerifiedCall {
    fn from(of: Signatory<'_>) -> Self {
        Self {
            account: of.account.to_owned(),
            access_key_id: of.access_key_id.to_owned(),
            role: None,
            session: String::new(),
        }
    }
}
