//! API keys of a team: created, read, rotated and revoked by callers with its scope `keys`; listed and revoked by the
//! platform, which also creates a team's first key. [`super::authentication`] authenticates with them.
//!
//! What must stay true: nobody gives a key more than they have, or takes over a key that has more; a key is valid no
//! longer than the credential that created it, unless a policy says so; a secret is in one answer and nowhere else.

use chrono::Duration;

use super::authentication::API_KEY;
use super::key_rules::{has_all, keys_of, was_added, was_turned, withdraws_from};
use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::identity::Identity;
use crate::app::input::NewApiKey;
use crate::app::view::ApiKeyView;
use crate::app::{Call, Error, access};
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, Findings};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::api_key::{ApiKey, MAX_API_KEYS, MAX_OVERLAP_HOURS, PresentedKey};
use crate::domain::identity::caller::{Caller, TeamId};
use crate::domain::ids::ApiKeyId;
use crate::domain::problem::Code;
use crate::store::once_committed;

const CREATE: &str = "create_api_key";
const ROTATE: &str = "rotate_api_key";
const REVOKE: &str = "revoke_api_key";

impl Identity {
    /// Creates a key for the caller's team, or for the team that the platform's security names. The key is in the
    /// answer and is never shown again.
    pub async fn create_api_key(&self, caller: &Caller, call: &Call, new: NewApiKey) -> Result<ApiKeyView, Error> {
        access::check(caller, CREATE)?;
        check(caller, &new, self.base.now())?;
        let expires_at = self.key_end(caller, new.expires_at).await?;
        let key = ApiKey {
            id: ApiKeyId::new(self.base.now(), self.base.entropy()),
            team: new.team.unwrap_or_else(|| caller.team.clone()),
            name: new.name,
            scopes: new.scopes,
            created_by: caller.subject.clone(),
            made_with: caller.credentials(),
            created_at: self.base.now(),
            rotated_at: None,
            rotated_by: None,
            previous_until: None,
            expires_at,
            last_used_at: None,
            revoked_at: None,
            revoked_with: None,
        };
        let secret = PresentedKey::fresh(key.id, self.base.entropy());
        let hash = self.base.fingerprint().of(API_KEY, secret.bytes());
        let entry = self.credential_entry(caller, call, CREATE, &key.id);
        let full = || {
            let detail = format!("the team has {MAX_API_KEYS} API keys, which is the maximum; revoke one first");
            Error::Conflict { code: Code::TooManyApiKeys, detail }
        };
        was_added(self.base.store().add_api_key(&key, caller, &hash, &entry).await?, full)?;
        call.set_audited();
        Ok(view_with_secret(key, &secret))
    }

    /// The keys of a team, newest first, including revoked ones. The caller's own team, unless another is named.
    pub async fn list_api_keys(
        &self,
        caller: &Caller,
        team: Option<&TeamId>,
        page: &Page,
    ) -> Result<Slice<ApiKeyView>, Error> {
        access::check(caller, "list_api_keys")?;
        let team = keys_of(caller, team)?;
        let list = CursorList::new(&self.base, caller, "api_keys", &team.as_str());
        let place = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let keys = self.base.store().api_keys(team, place, one_more(page)).await?;
        Ok(list.slice(keys, page, |key| key.id.to_string()))
    }

    /// A key of the team, or of any team for the platform.
    pub async fn get_api_key(&self, caller: &Caller, id: ApiKeyId) -> Result<ApiKeyView, Error> {
        access::check(caller, "get_api_key")?;
        let found = self.base.store().api_key(withdraws_from(caller), id).await?;
        found.map(Into::into).ok_or(Error::NotFound("API key"))
    }

    /// Gives a key a new secret, which is in the answer. The old one is accepted for `hours` more.
    pub async fn rotate_api_key(
        &self,
        caller: &Caller,
        call: &Call,
        id: ApiKeyId,
        hours: i32,
    ) -> Result<ApiKeyView, Error> {
        access::check(caller, ROTATE)?;
        check_overlap(hours)?;
        let found = self.base.store().api_key(Some(&caller.team), id).await?.ok_or(Error::NotFound("API key"))?;
        has_all(caller, &found.scopes)?;
        let secret = PresentedKey::fresh(id, self.base.entropy());
        let hash = self.base.fingerprint().of(API_KEY, secret.bytes());
        let entry = self.credential_entry(caller, call, ROTATE, &id);
        let until = entry.at + Duration::hours(hours.into());
        let turned = self.base.store().rotate_api_key(caller, id, &hash, until, &entry).await?;
        let key = was_turned(turned, "API key")?;
        call.set_audited();
        let identity = self.clone();
        once_committed(async move { identity.ask_for_key(id).await }).await;
        Ok(view_with_secret(key, &secret))
    }

    /// Revokes a key of the team, or of any team for the platform. It is refused at once here, and within a second at
    /// every other gateway.
    pub async fn revoke_api_key(&self, caller: &Caller, call: &Call, id: ApiKeyId) -> Result<(), Error> {
        access::check(caller, REVOKE)?;
        let entry = self.credential_entry(caller, call, REVOKE, &id);
        if !self.base.store().revoke_api_key(withdraws_from(caller), id, &entry).await? {
            return Err(Error::NotFound("API key"));
        }
        call.set_audited();
        self.ask_for_key(id).await;
        Ok(())
    }
}

fn view_with_secret(key: ApiKey, secret: &PresentedKey) -> ApiKeyView {
    ApiKeyView { key: Some((&secret.text).into()), ..key.into() }
}

/// Checks how long the old secret may be accepted beside the new one.
pub(in crate::app) fn check_overlap(hours: i32) -> Result<(), Error> {
    let mut findings = Findings::default();
    let sane = (0..=MAX_OVERLAP_HOURS).contains(&hours);
    findings.require(sane, "/keep_old_hours", FieldCode::OutOfRange, "must be 0 to 168");
    Ok(findings.into_result()?)
}

fn check(caller: &Caller, new: &NewApiKey, now: Instant) -> Result<(), Error> {
    let mut findings = Findings::default();
    let own = new.team.as_ref().is_none_or(|team| keys_of(caller, Some(team)).is_ok());
    findings.require(own, "/team", FieldCode::NotAllowed, "must be your own team, without the scope platform:security");
    let name = (1..=128).contains(&new.name.chars().count()) && !new.name.contains(char::is_control);
    findings.require(name, "/name", FieldCode::OutOfRange, "must be 1 to 128 printable characters");
    findings.require(!new.scopes.is_empty(), "/scopes", FieldCode::OutOfRange, "must have at least one scope");
    for (place, scope) in new.scopes.iter().enumerate() {
        let field = format!("/scopes/{place}");
        findings.require(caller.may(*scope), field, FieldCode::NotAllowed, "must be among your own scopes");
    }
    let future = new.expires_at.is_none_or(|end| end > now);
    findings.require(future, "/expires_at", FieldCode::OutOfRange, "must be in the future");
    Ok(findings.into_result()?)
}
