//! Token issuers: how they are managed, and which ones every gateway trusts.
//!
//! What must stay true: the issuer from the settings can be read but not changed; no two issuers have the same `iss`,
//! and none has ours. The table is read at most once a second, so another gateway's change takes effect here within
//! [`ttl_memo::BOUND`]; while the table cannot be read, the last known issuers count for [`ttl_memo::GRACE`], and after
//! that nobody with a token is admitted (503). An issuer that this version does not fully understand is skipped.
//!
//! The table is the source of truth; whoever writes it makes the next request of its own process read it again. The API
//! calls this module, and [`super::authentication`] calls it for each token.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::cursor::{CursorList, one_more};
use crate::app::identity::Identity;
use crate::app::precondition::Precondition;
use crate::app::precondition::moved;
use crate::app::view::IssuerView;
use crate::app::{Call, Error, access, ttl_memo};
use crate::domain::event::EventType;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::identity::issuer::explanation::TokenExplanation;
use crate::domain::identity::issuer::{Issuer, MAX_ISSUERS};
use crate::domain::log_limit::LogLimit;
use crate::domain::problem::Code;
use crate::store::{IssuerChange, StoredIssuer};

const PUT: &str = "put_issuer";
const DELETE: &str = "delete_issuer";

/// Limits how often unusable issuers are logged: every read of the table finds them.
static UNUSABLE: LogLimit = LogLimit::new();

impl Identity {
    /// All issuers by name, including those from the settings.
    pub async fn list_issuers(&self, caller: &Caller, page: &Page) -> Result<Slice<IssuerView>, Error> {
        access::check(caller, "list_issuers")?;
        let list = CursorList::new(&self.base, caller, "issuers", &());
        let after = list.place(page)?;
        let stored = self.base.store().issuers().await?.into_iter().map(IssuerView::from);
        // Issuers from the settings come before stored ones of the same name.
        let all = stored.chain(self.verifier.of_settings().into_iter().map(IssuerView::of_settings));
        let all: BTreeMap<String, IssuerView> = all.map(|view| (view.name.clone(), view)).collect();
        let rest = all.into_values().filter(|view| after.as_ref().is_none_or(|after| view.name > *after));
        let most = usize::try_from(one_more(page)).unwrap_or(usize::MAX);
        Ok(list.slice(rest.take(most).collect(), page, |view: &IssuerView| view.name.clone()))
    }

    /// One issuer.
    pub async fn get_issuer(&self, caller: &Caller, name: &str) -> Result<IssuerView, Error> {
        access::check(caller, "get_issuer")?;
        if let Some(issuer) = self.of_settings(name) {
            return Ok(IssuerView::of_settings(issuer));
        }
        let stored = self.base.store().issuer(name).await?;
        stored.map(Into::into).ok_or(Error::NotFound("issuer"))
    }

    /// Writes a whole issuer. Applies to tokens from now on; at other gateways, within a second.
    pub async fn put_issuer(
        &self,
        caller: &Caller,
        call: &Call,
        name: &str,
        issuer: Issuer,
        precondition: &Precondition,
    ) -> Result<IssuerView, Error> {
        access::check(caller, PUT)?;
        self.check_added(name)?;
        let current = self.base.store().issuer_version(name).await?;
        precondition.check(current)?;
        self.check_issuer(name, &issuer)?;
        gives_no_more(caller, &issuer)?;
        let now = self.base.now();
        let before = if current == 0 { None } else { self.base.store().issuer(name).await.ok().flatten() };
        let created_at = before.map_or(now, |before| before.created_at);
        let stored = StoredIssuer { issuer, version: current, created_at, updated_at: now };
        let mut entry = self.base.admin_entry(caller, call, PUT, name);
        entry.parameters.insert("iss".to_owned(), stored.issuer.issuer.clone());
        entry.parameters.insert("rules".to_owned(), rules_of(&stored.issuer));
        let told = self.platform_events.platform_events(EventType::IssuerChanged, &entry).await?;
        match self.base.store().put_issuer(&stored, &told, &entry).await? {
            IssuerChange::Done => call.set_audited(),
            IssuerChange::Moved => return Err(moved()),
            IssuerChange::SameIss => return Err(Error::Invalid(vec![same_iss()])),
            IssuerChange::TooMany => {
                let detail = format!("there are {MAX_ISSUERS} issuers, which is the maximum");
                return Err(Error::Conflict { code: Code::TooManyIssuers, detail });
            }
        }
        self.issuers_changed().await;
        Ok(StoredIssuer { version: current + 1, ..stored }.into())
    }

    /// Deletes an issuer. Its tokens are refused, and so are those that were exchanged for them.
    pub async fn delete_issuer(
        &self,
        caller: &Caller,
        call: &Call,
        name: &str,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        access::check(caller, DELETE)?;
        self.check_added(name)?;
        let current = self.base.store().issuer_version(name).await?;
        if current == 0 {
            return Err(Error::NotFound("issuer"));
        }
        precondition.check(current)?;
        let entry = self.base.admin_entry(caller, call, DELETE, name);
        let told = self.platform_events.platform_events(EventType::IssuerChanged, &entry).await?;
        if !self.base.store().delete_issuer(name, current, &told, &entry).await? {
            return Err(moved());
        }
        call.set_audited();
        self.issuers_changed().await;
        Ok(())
    }

    /// Explains what caller a token would become, or why it would be refused. The token is not stored.
    pub async fn explain_token(
        &self,
        caller: &Caller,
        token: &str,
        team: Option<&str>,
    ) -> Result<TokenExplanation, Error> {
        access::check(caller, "explain_token")?;
        self.base.clock_is_set().await?;
        self.know_issuers().await?;
        Ok(self.verifier.explain(token, team).await)
    }

    /// A digest of the issuer and the rule that admitted a caller, as they are now. `None` if one of them no longer
    /// exists.
    pub(in crate::app) async fn seal_of(&self, caller: &Caller) -> Result<Option<String>, Error> {
        let Some(provenance) = &caller.provenance else { return Ok(None) };
        self.know_issuers().await?;
        let issuer = self.verifier.issuer(&provenance.issuer);
        Ok(issuer.and_then(|issuer| issuer.seal(&provenance.rule)))
    }

    /// Makes the verifier use the issuers of the table, at most [`ttl_memo::BOUND`] old.
    pub(in crate::app) async fn know_issuers(&self) -> Result<(), Error> {
        let read = async {
            let stored = self.base.store().issuers().await?;
            let issuers: Vec<Issuer> = stored.into_iter().map(|stored| stored.issuer).collect();
            for (name, errors) in self.verifier.replace(&issuers) {
                tell_unusable(&name, &errors);
            }
            Ok(())
        };
        self.credentials.issuers.get(self.base.clock(), ttl_memo::BOUND, read).await
    }

    /// Invalidates the issuers: the next token is checked against the table as it is then.
    async fn issuers_changed(&self) {
        self.credentials.issuers.forget().await;
    }

    fn of_settings(&self, name: &str) -> Option<Issuer> {
        self.verifier.of_settings().into_iter().find(|issuer| issuer.name == name)
    }

    fn check_added(&self, name: &str) -> Result<(), Error> {
        if self.of_settings(name).is_none() {
            return Ok(());
        }
        let detail = format!("the issuer {name} is defined in the gateway's settings and can be changed only there");
        Err(Error::Conflict { code: Code::IssuerOfSettings, detail })
    }

    fn check_issuer(&self, name: &str, issuer: &Issuer) -> Result<(), Error> {
        let mut errors = issuer.check_added(&[self.own_issuer()]).err().unwrap_or_default();
        if issuer.name != name {
            errors.push(FieldError::new("/name", FieldCode::Invalid, "must be the name in the path"));
        }
        if errors.is_empty() {
            errors.extend(self.verifier.check(issuer).err().into_iter().flatten());
        }
        if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
    }
}

/// Logs, once a minute, that an issuer of the table is skipped.
fn tell_unusable(name: &str, errors: &[FieldError]) {
    metrics::counter!("ecg_issuers_unusable_total", "issuer" => name.to_owned()).increment(1);
    if let Some(left_out) = UNUSABLE.may(name, std::time::Instant::now()) {
        let wrong: Vec<String> = errors.iter().map(|error| format!("{} {}", error.field, error.detail)).collect();
        tracing::error!(
            issuer = name,
            wrong = wrong.join("; "),
            left_out,
            "an issuer is not usable: its tokens are refused"
        );
    }
}

/// The names of the rules, which the audit records in clear text.
fn rules_of(issuer: &Issuer) -> String {
    let names: Vec<&str> = issuer.rules.iter().map(|rule| rule.name.as_str()).collect();
    names.join(" ").chars().take(256).collect()
}

fn same_iss() -> FieldError {
    FieldError::new("/issuer", FieldCode::Taken, "must not be the iss of another issuer, or that of this gateway")
}

/// Refuses rules that grant platform scopes which the caller who writes them does not have: the scopes that they name,
/// or all of them if the issuer's own scopes count after a prefix.
fn gives_no_more(caller: &Caller, issuer: &Issuer) -> Result<(), Error> {
    let mut findings = Findings::default();
    for (place, rule) in issuer.rules.iter().enumerate() {
        let named = rule.scopes.fixed.iter().chain(rule.scopes.table.values().flatten());
        let named = named.filter_map(|word| Scope::from_word(word));
        let all = rule.scopes.prefix.iter().flat_map(|_| Scope::PLATFORM);
        let lacking: BTreeSet<&str> =
            named.chain(all).filter(|scope| scope.is_platforms() && !caller.may(*scope)).map(Scope::as_str).collect();
        let lacking: Vec<&str> = lacking.into_iter().collect();
        let detail = format!("must not give scopes of the platform that you lack: {}", lacking.join(", "));
        findings.require(lacking.is_empty(), format!("/rules/{place}/scopes"), FieldCode::NotAllowed, detail);
    }
    Ok(findings.into_result()?)
}
