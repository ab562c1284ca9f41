//! Access keys for the RPC API: created, listed, rotated and revoked by callers with the team's scope `keys`, and
//! listed and revoked by the platform. The rules of API keys apply to them too.

use chrono::Duration;
use secrecy::{ExposeSecret as _, SecretString};

use super::api_keys::check_overlap;
use super::key_rules::{has_all, keys_of, was_added, was_turned, withdraws_from};
use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::identity::Identity;
use crate::app::input::NewAccessKey;
use crate::app::view::AccessKeyView;
use crate::app::{Call, Error, access};
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, Findings};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::access_key::{AccessKey, AccessKeyId, KEY_SCOPES, MAX_ACCESS_KEYS, new_secret};
use crate::domain::identity::caller::{Caller, CredentialKind, Recognized, Scope, TeamId};
use crate::domain::problem::Code;
use crate::eci::incoming::{self, Incoming};
use crate::store::SealedKey;

const CREATE: &str = "create_access_key";
const ROTATE: &str = "rotate_access_key";
const REVOKE: &str = "revoke_access_key";

/// Why a signed request is not admitted.
#[derive(Debug)]
pub enum AccessKeyRejection {
    /// The request is not valid. The cloud has an error code for each reason.
    Refused(incoming::RequestRefusal),
    /// The check itself failed.
    Failed(Error),
}

/// Which secret of its key a request was signed with.
pub(in crate::app) enum SignatureAge {
    /// One that is currently accepted.
    Well,
    /// The previous one, which is no longer accepted, with the refusal.
    TooLate(incoming::RequestRefusal),
}

impl From<incoming::RequestRefusal> for AccessKeyRejection {
    fn from(refusal: incoming::RequestRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<Error>> From<E> for AccessKeyRejection {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Identity {
    /// Turns a signed request into a caller. The nonce is spent last, so that nobody can spend another's. An STS token
    /// is ignored, because our keys have none. If a recognized key is refused, its owner is noted in `call`: the
    /// signature is right, possibly with the secret from before a rotation, as long as that is stored. The secrets of a
    /// revoked key are wiped, so its signature can no longer be checked: its use is noted by its id, whoever sent it.
    pub async fn authenticate_signed(&self, call: &Call, incoming: &Incoming) -> Result<Caller, AccessKeyRejection> {
        let id: AccessKeyId = incoming.access_key_id.parse().map_err(|_| incoming::RequestRefusal::UnknownKey)?;
        let found = self.base.store().access_key(&id).await?.ok_or(incoming::RequestRefusal::UnknownKey)?;
        let (subject, credential) = (format!("access_key:{id}"), id.to_string());
        let team = Some(found.key.team.clone());
        let whose = Recognized { team, subject: subject.clone(), credential: credential.clone() };
        if !found.key.is_active(self.base.now()) {
            self.forget_access_key(&id);
            call.recognize(whose);
            return Err(incoming::RequestRefusal::InactiveKey.into());
        }
        match self.verify_signed(&id, &found, incoming)? {
            SignatureAge::Well => call.recognize(whose),
            SignatureAge::TooLate(wrong) => {
                call.recognize(whose);
                return Err(wrong.into());
            }
        }
        self.note_access_key(&found);
        self.base.clock_is_set().await?;
        incoming.check_time(self.base.now())?;
        if !self.base.store().spend_nonce(&id, &incoming.nonce, self.base.now()).await? {
            return Err(incoming::RequestRefusal::NonceUsed.into());
        }
        let AccessKey { team, scopes, expires_at, .. } = found.key;
        Ok(Caller { team, subject, credential, kind: CredentialKind::AccessKey, scopes, expires_at, provenance: None })
    }

    /// Checks the signature against the key's current secret, or the previous one while it is accepted. An error is
    /// about the current one.
    pub(in crate::app) fn verify_signed(
        &self,
        id: &AccessKeyId,
        found: &SealedKey,
        incoming: &Incoming,
    ) -> Result<SignatureAge, AccessKeyRejection> {
        let wrong = match incoming.verify(&self.open_key(id, &found.secret)?) {
            Ok(()) => return Ok(SignatureAge::Well),
            Err(wrong) => wrong,
        };
        let Some(previous) = &found.previous_secret else { return Err(wrong.into()) };
        let signed = incoming.verify(&self.open_key(id, previous)?).is_ok();
        match (signed, found.key.takes_previous(self.base.now())) {
            (true, true) => Ok(SignatureAge::Well),
            (true, false) => Ok(SignatureAge::TooLate(wrong)),
            (false, _) => Err(wrong.into()),
        }
    }

    /// Creates a key for the caller's team. The secret is in the answer and is never shown again.
    pub async fn create_access_key(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewAccessKey,
    ) -> Result<AccessKeyView, Error> {
        access::check(caller, CREATE)?;
        check(caller, &new, self.base.now())?;
        let expires_at = self.key_end(caller, new.expires_at).await?;
        let key = AccessKey {
            id: AccessKeyId::new(self.base.entropy()),
            team: caller.team.clone(),
            scopes: new.scopes,
            description: new.description,
            created_by: Some(caller.subject.clone()),
            made_with: caller.credentials(),
            created_at: self.base.now(),
            rotated_at: None,
            rotated_by: None,
            expires_at,
            previous_until: None,
            revoked_at: None,
            revoked_with: None,
        };
        let secret = new_secret(self.base.entropy());
        let entry = self.credential_entry(caller, call, CREATE, &key.id);
        let full = || {
            let detail = format!("the team has {MAX_ACCESS_KEYS} access keys, which is the maximum; revoke one first");
            Error::Conflict { code: Code::TooManyAccessKeys, detail }
        };
        let sealed = self.seal_key(&key.id, &secret);
        was_added(self.base.store().add_access_key(&key, caller, &sealed, &entry).await?, full)?;
        call.set_audited();
        self.note_access_key(&SealedKey { key: key.clone(), secret: sealed, previous_secret: None });
        Ok(AccessKeyView { access_key_secret: Some((&secret).into()), ..key.into() })
    }

    /// The keys of a team, newest first, including revoked ones. The caller's own team, unless another is named.
    pub async fn list_access_keys(
        &self,
        caller: &Caller,
        team: Option<&TeamId>,
        page: &Page,
    ) -> Result<Slice<AccessKeyView>, Error> {
        access::check(caller, "list_access_keys")?;
        let team = keys_of(caller, team)?;
        let list = CursorList::new(&self.base, caller, "access_keys", &team.as_str());
        let place = list.place(page)?.map(|place| read_place(&place).ok_or_else(unreadable)).transpose()?;
        let keys = self.base.store().access_keys(team, place, one_more(page)).await?;
        Ok(list.slice(keys, page, |key| format!("{} {}", key.created_at.timestamp_micros(), key.id)))
    }

    /// Gives a key of the team a new secret, which is in the answer. The old one is accepted for `hours` more.
    pub async fn rotate_access_key(
        &self,
        caller: &Caller,
        call: &Call,
        id: AccessKeyId,
        hours: i32,
    ) -> Result<AccessKeyView, Error> {
        access::check(caller, ROTATE)?;
        check_overlap(hours)?;
        let found = self.base.store().access_key_of(&caller.team, &id).await?.ok_or(Error::NotFound("access key"))?;
        has_all(caller, &found.scopes)?;
        let secret = new_secret(self.base.entropy());
        let entry = self.credential_entry(caller, call, ROTATE, &id);
        let until = entry.at + Duration::hours(hours.into());
        let sealed = self.seal_key(&id, &secret);
        let turned = self.base.store().rotate_access_key(caller, &id, &sealed, until, &entry).await?;
        let key = was_turned(turned, "access key")?;
        call.set_audited();
        Ok(AccessKeyView { access_key_secret: Some((&secret).into()), ..key.into() })
    }

    /// Revokes a key of the team, or of any team for the platform: the next request signed with it is refused.
    pub async fn revoke_access_key(&self, caller: &Caller, call: &Call, id: AccessKeyId) -> Result<(), Error> {
        access::check(caller, REVOKE)?;
        let entry = self.credential_entry(caller, call, REVOKE, &id);
        if !self.base.store().revoke_access_key(withdraws_from(caller), &id, &entry).await? {
            return Err(Error::NotFound("access key"));
        }
        call.set_audited();
        Ok(())
    }

    /// Stores the key of `dev`'s env file as the file has it.
    pub async fn ensure_access_key(
        &self,
        team: TeamId,
        id: AccessKeyId,
        secret: &SecretString,
        scopes: &[Scope],
    ) -> Result<(), Error> {
        let sealed = self.seal_key(&id, secret);
        let description = Some("of the env file".to_owned());
        let key = AccessKey {
            id,
            team,
            scopes: scopes.to_vec(),
            description,
            created_by: None,
            made_with: Vec::new(),
            created_at: self.base.now(),
            rotated_at: None,
            rotated_by: None,
            expires_at: None,
            previous_until: None,
            revoked_at: None,
            revoked_with: None,
        };
        Ok(self.base.store().put_access_key(&key, &sealed).await?)
    }

    fn seal_key(&self, id: &AccessKeyId, secret: &SecretString) -> Vec<u8> {
        self.base.sealer().seal(secret.expose_secret().as_bytes(), &context(id), self.base.entropy())
    }

    /// Decrypts a key's secret for verification.
    fn open_key(&self, id: &AccessKeyId, sealed: &[u8]) -> Result<SecretString, Error> {
        let plain = self.base.sealer().open(sealed, &context(id)).map_err(|error| Error::Internal(error.into()))?;
        let text = std::str::from_utf8(plain.expose_secret())
            .map_err(|_| Error::Internal("a sealed secret is no text".into()))?;
        Ok(SecretString::from(text))
    }
}

fn context(id: &AccessKeyId) -> String {
    format!("access_key:{id}")
}

fn check(caller: &Caller, new: &NewAccessKey, now: Instant) -> Result<(), Error> {
    let mut findings = Findings::default();
    let length =
        new.description.as_ref().is_none_or(|text| text.chars().count() <= 256 && !text.contains(char::is_control));
    findings.require(length, "/description", FieldCode::TooLong, "must be at most 256 printable characters");
    findings.require(!new.scopes.is_empty(), "/scopes", FieldCode::OutOfRange, "must have at least one scope");
    for (place, scope) in new.scopes.iter().enumerate() {
        let field = format!("/scopes/{place}");
        findings.require(KEY_SCOPES.contains(scope), field.as_str(), FieldCode::NotAllowed, "must be read or write");
        let has = caller.may(*scope) || !KEY_SCOPES.contains(scope);
        findings.require(has, field, FieldCode::NotAllowed, "must be among your own scopes");
    }
    let future = new.expires_at.is_none_or(|end| end > now);
    findings.require(future, "/expires_at", FieldCode::OutOfRange, "must be in the future");
    Ok(findings.into_result()?)
}

fn read_place(place: &str) -> Option<(Instant, String)> {
    let (at, id) = place.split_once(' ')?;
    Some((Instant::from_timestamp_micros(at.parse().ok()?)?, id.to_owned()))
}
