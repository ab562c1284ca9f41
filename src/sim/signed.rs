//! Whose a call is, once it is verified, and by what it is verified.

use super::{Signatory, StandInSettings};

/// What lets in: the settings, and how often all sessions were ended.
pub(super) struct SignatureDoor<'a> {
    pub(super) settings: &'a StandInSettings,
    pub(super) round: u64,
}

/// Whose a verified call is, as [`Signatory`] borrows it.
#[derive(Debug)]
pub(super) struct VerifiedCall {
    pub(super) account: String,
    pub(super) access_key_id: String,
    /// The role of the session that signed, if it was one.
    pub(super) role: Option<String>,
    /// How that session is called.
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
