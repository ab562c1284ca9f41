//! Authentication: turns a token or an API key into a caller, and notices when it stops being valid.
//!
//! What must stay true: a malformed credential costs no query; a revocation, at whichever gateway it was made, takes
//! effect here within [`ttl_memo::BOUND`], also for clients that wait or stream; if the database cannot be read, the
//! last known revocations count for [`ttl_memo::GRACE`] at most, and after that nobody is admitted (503). A key's
//! secret is compared in constant time, and other reasons for a refusal are only told to somebody who has the secret.
//!
//! The REST API calls it for each request, and streams and waits while they last. Signed requests of the cloud's own
//! API belong to [`super::access_keys`]; each of them looks its key up itself.

use std::sync::Arc;

use crate::app::admission::Permit;
use crate::app::identity::Identity;
use crate::app::ttl_memo::{self, TtlMemo};
use crate::app::{Call, Error};
use crate::auth::refusal::TokenRefusal;
use crate::domain::clock::Instant;
use crate::domain::identity::api_key::{KeyDenial, PresentedKey, PresentedSecret};
use crate::domain::identity::caller::{Caller, CredentialKind, Recognized};
use crate::domain::identity::revocation::RevokedTokens;
use crate::domain::problem::Code;
use crate::store::HashedKey;

mod confirmed_keys;
mod credential_watch;
mod known_keys;

use confirmed_keys::ConfirmedKeys;
pub(in crate::app) use credential_watch::CredentialWatch;
use known_keys::KnownKeys;

/// The purpose that hashes of API keys are bound to.
pub(in crate::app) const API_KEY: &str = "api_key";

/// What is known about credentials in this process.
#[derive(Debug, Default)]
pub(in crate::app) struct KnownCredentials {
    revoked: TtlMemo<Arc<RevokedTokens>>,
    /// Whether the verifier has the current issuers of the table ([`super::issuers`]).
    pub(in crate::app) issuers: TtlMemo<()>,
    keys: KnownKeys,
    met: ConfirmedKeys,
}

impl Identity {
    /// Turns the value of `Authorization: Bearer` into a caller. A credential that this process has never seen is
    /// counted against its address before anything is queried about it. If a credential is recognized but refused (a
    /// key with the right secret, or a token that its issuer signed for us), its owner is noted in `call`.
    pub async fn authenticate(
        &self,
        call: &Call,
        place: &Permit,
        token: Option<&str>,
        wanted_team: Option<&str>,
    ) -> Result<Arc<Caller>, Error> {
        let token = token.ok_or(TokenRefusal::Missing).map_err(refused)?;
        let presented = PresentedKey::is_meant(token).then(|| PresentedKey::parse(token)).transpose();
        let presented = presented.map_err(|_| refused(TokenRefusal::KeyMalformed))?;
        self.base.clock_is_set().await?;
        let Some(presented) = presented else {
            if self.verifier.lacks_key_of(token) {
                place.count_unauthenticated()?;
            }
            return self.bearer_of(call, token, wanted_team).await;
        };
        if !self.credentials.met.has_api_key(presented.id) {
            place.count_unauthenticated()?;
        }
        let caller = self.holder_of(call, &presented).await?;
        let other = wanted_team.is_some_and(|wanted| wanted != caller.team.as_str());
        if other {
            Err(refused(TokenRefusal::WrongTeam(
                "an API key can be used only for the team that it was created \
                                            for"
                .to_owned(),
            )))
        } else {
            Ok(caller)
        }
    }

    async fn bearer_of(&self, call: &Call, token: &str, wanted_team: Option<&str>) -> Result<Arc<Caller>, Error> {
        let caller = self.admitted(call, token, wanted_team).await?;
        call.recognize(Recognized::from(&*caller));
        if let CredentialKind::Exchanged(bond) = &caller.kind
            && !self.bond_holds(&caller, bond).await?
        {
            return Err(refused(TokenRefusal::RuleChanged));
        }
        let revoked = self.revoked_tokens().await?.covers(&caller);
        if revoked { Err(refused(TokenRefusal::Revoked)) } else { Ok(caller) }
    }

    /// Who sent the token. If the token was signed for us but is refused, its owner is noted in `call`.
    async fn admitted(&self, call: &Call, token: &str, wanted_team: Option<&str>) -> Result<Arc<Caller>, Error> {
        self.know_issuers().await?;
        let (own, verifier) = (&self.own_tokens, &self.verifier);
        let (admitted, whose) = if own.is_meant(token) {
            let admitted = own.verify(token, wanted_team, self.base.now());
            let whose = if admitted.is_err() { own.recognize(token) } else { None };
            (admitted, whose)
        } else {
            let admitted = verifier.verify(token, wanted_team).await;
            let whose = if admitted.is_err() { verifier.recognize(token).await } else { None };
            (admitted, whose)
        };
        if let Some(whose) = whose {
            call.recognize(whose);
        }
        admitted.map_err(|refusal| self.judged_by_time(refusal))
    }

    /// A refusal because of the time does not count while the clock is in doubt: another clock may disagree.
    fn judged_by_time(&self, refusal: TokenRefusal) -> Error {
        if matches!(refusal, TokenRefusal::Expired | TokenRefusal::NotYetValid) && !self.base.clock().is_sure() {
            let detail = "the clocks of the database and of this machine differ, so the validity of the token cannot \
                          be determined";
            return Error::Unavailable { code: Code::ClockInDoubt, detail, retry_after_seconds: 5 };
        }
        refused(refusal)
    }

    async fn holder_of(&self, call: &Call, presented: &PresentedKey) -> Result<Arc<Caller>, Error> {
        let mut found = self.known_key(presented, ttl_memo::BOUND).await?;
        let mut which = self.which(found.as_deref(), presented);
        if which.is_none() {
            // The key may have just been created or rotated at another gateway.
            found = self.known_key(presented, ttl_memo::DOUBT).await?;
            which = self.which(found.as_deref(), presented);
        }
        let found = found.ok_or(TokenRefusal::KeyUnknown).map_err(refused)?;
        let (subject, credential) = (format!("api_key:{}", presented.id), presented.id.to_string());
        if which.is_some() {
            let team = Some(found.key.team.clone());
            call.recognize(Recognized { team, subject: subject.clone(), credential: credential.clone() });
        }
        let expires_at = found.key.admit(which, self.base.now()).map_err(denied)?;
        self.credentials.met.note_api_key(presented.id);
        self.note_use(&found.key);
        self.rehash(&found, presented);
        Ok(Arc::new(Caller {
            team: found.key.team.clone(),
            subject,
            credential,
            kind: CredentialKind::ApiKey(presented.id),
            scopes: found.key.scopes.clone(),
            expires_at,
            provenance: None,
        }))
    }

    fn which(&self, found: Option<&HashedKey>, presented: &PresentedKey) -> Option<PresentedSecret> {
        let found = found?;
        let is = |hash: &[u8]| self.base.fingerprint().is(API_KEY, presented.bytes(), hash);
        if is(&found.hash) {
            Some(PresentedSecret::Current)
        } else if found.previous_hash.as_deref().is_some_and(is) {
            Some(PresentedSecret::Previous)
        } else {
            found.retired_hashes.iter().any(|hash| is(hash)).then_some(PresentedSecret::Retired)
        }
    }

    /// Everything that is revoked, at most [`ttl_memo::BOUND`] old.
    async fn revoked_tokens(&self) -> Result<Arc<RevokedTokens>, Error> {
        let read = async { Ok(Arc::new(RevokedTokens::new(self.base.store().revoked(self.base.now()).await?))) };
        self.credentials.revoked.get(self.base.clock(), ttl_memo::BOUND, read).await
    }

    /// Invalidates the revocations: the next request reads them again.
    pub(in crate::app) async fn ask_for_revocations(&self) {
        self.credentials.revoked.forget().await;
    }

    /// Whether a caller that was admitted would still be admitted. This includes whether its team was disabled since.
    pub(in crate::app) async fn still_holds(&self, caller: &Caller, since: Instant) -> bool {
        if caller.expires_at.is_some_and(|end| end <= self.base.now()) {
            return false;
        }
        // If the database cannot tell, the caller stays: an outage does not disable a team.
        if let Err(Error::TeamDisabled { .. }) = self.policies.check_team(caller).await {
            return false;
        }
        match &caller.kind {
            CredentialKind::Token { .. } => {
                let revoked = self.revoked_tokens().await;
                revoked.is_ok_and(|revoked| !revoked.covers(caller))
                    // The issuer or the rule may have been deleted.
                    && (caller.provenance.is_none() || self.seal_of(caller).await.is_ok_and(|seal| seal.is_some()))
            }
            CredentialKind::Exchanged(bond) => {
                let revoked = self.revoked_tokens().await;
                revoked.is_ok_and(|revoked| !revoked.covers(caller))
                    && self.bond_holds(caller, bond).await.unwrap_or(false)
            }
            CredentialKind::ApiKey(id) => self.key_holds(*id, since).await,
            CredentialKind::AccessKey | CredentialKind::Own => true,
        }
    }
}

/// The error for a credential that was revoked while a request was using it.
pub(in crate::app) fn revoked() -> Error {
    refused(TokenRefusal::Revoked)
}

fn denied(denied: KeyDenial) -> Error {
    refused(match denied {
        KeyDenial::Unknown => TokenRefusal::KeyUnknown,
        KeyDenial::Revoked => TokenRefusal::KeyRevoked,
        KeyDenial::Expired => TokenRefusal::KeyExpired,
    })
}

fn refused(refusal: TokenRefusal) -> Error {
    let (code, detail) = (refusal.code(), refusal.to_string());
    match refusal {
        TokenRefusal::KeysUnavailable(issuer) => Error::IssuerUnavailable { issuer },
        TokenRefusal::NoRule(_) => Error::NotAdmitted { code, detail },
        _ => Error::Unauthenticated { code, detail },
    }
}
