//! What a team may do, asked before anything is recorded: the rules are read, what a create leaves out is filled in,
//! and the request is judged by `domain::policy`, its quotas within the transaction that records it.
//!
//! What must stay true: every way to come by an image cache passes here, whichever the door (create, update, ensure,
//! adopt). The rules are read anew for each request, so a change of a policy holds from its commit on, at every
//! gateway; only the list of disabled teams, which every request asks, is kept for a second (for five where the
//! database cannot be read, then nobody is let in). A request with a known idempotency key is told what it was told
//! before, whatever the rules are by now.

use crate::app::base::Base;
use crate::app::cloud_accounts::CloudAccounts;
use std::collections::HashSet;
use std::sync::Arc;

use chrono::{Datelike as _, NaiveTime};

use crate::app::Error;
use crate::app::ttl_memo::{self, TtlMemo};
use crate::domain::clock::Instant;
use crate::domain::cloud_account::{CloudAccount, choose};
use crate::domain::field::FieldError;
use crate::domain::identity::caller::{Caller, TeamId};
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::policy::team::{PolicySource, Team, barred, policy_of};
use crate::domain::policy::{ANY, Holdings, Policy, Prices, ProposedChange, Refusal, RegionProfile, fill, judge};
use crate::domain::region::Region;
use crate::store::QuotaCheck;

/// The teams whose requests are refused, as last read.
pub(in crate::app) type DisabledTeams = TtlMemo<Arc<HashSet<TeamId>>>;

/// What holds for one team in one place, and everything that it is judged with.
pub(in crate::app) struct PolicyContext {
    pub(in crate::app) policy: Policy,
    pub(in crate::app) source: PolicySource,
    team: Option<Team>,
    profile: Option<RegionProfile>,
    barred: Option<Refusal>,
    pub(in crate::app) account: String,
    prices: Prices,
    since: Instant,
}

/// In which cloud account.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) enum AccountChoice<'a> {
    /// The one that is asked for, if one is, else the one that the team usually uses.
    Asked(Option<&'a str>),
    /// The one where the image cache is already.
    Of(&'a str),
}

/// One request before its judge. Kept while its transaction runs; what it found is told afterwards.
pub(in crate::app) struct PolicyCase<'a> {
    ruling: &'a PolicyContext,
    asked: ProposedChange<'a>,
    found: Vec<Refusal>,
    counts: bool,
}

/// What teams may do; cheap to clone.
#[derive(Debug, Clone)]
pub struct Policies {
    base: Base,
    cloud_accounts: CloudAccounts,
    /// The teams whose requests are refused, as last read.
    disabled: Arc<DisabledTeams>,
}

impl Policies {
    pub(in crate::app) fn new(base: &Base, cloud_accounts: &CloudAccounts) -> Self {
        Self { base: base.clone(), cloud_accounts: cloud_accounts.clone(), disabled: Arc::default() }
    }
}

impl Policies {
    /// Refuses a caller whose team is disabled; within a second after it was. The platform's own doings go on
    /// ([`access::is_platforms`](crate::app::access::is_platforms)): somebody must be able to undo it.
    pub async fn check_team(&self, caller: &Caller) -> Result<(), Error> {
        if !self.is_disabled(&caller.team).await? {
            return Ok(());
        }
        Err(Error::TeamDisabled { contact: self.base.settings().policy_contact.clone() })
    }

    async fn is_disabled(&self, team: &TeamId) -> Result<bool, Error> {
        let read = async { Ok(Arc::new(self.base.store().disabled_teams().await?.into_iter().collect())) };
        Ok(self.disabled.get(self.base.clock(), ttl_memo::BOUND, read).await?.contains(team))
    }

    /// Reads anew which teams are disabled, the next time somebody asks.
    pub(super) async fn forget_disabled(&self) {
        self.disabled.forget().await;
    }

    /// What holds for the team in the region; without one, everywhere.
    pub(in crate::app) async fn ruling(
        &self,
        team: &TeamId,
        region: Option<&Region>,
        place: AccountChoice<'_>,
    ) -> Result<PolicyContext, Error> {
        let settings = self.base.settings();
        let rules = self.base.store().rules(team, region).await?;
        let (policy, source) = policy_of(rules.team.as_ref(), rules.default.as_ref());
        let account = match place {
            AccountChoice::Of(account) => account.to_owned(),
            AccountChoice::Asked(asked) => self.account_for(asked, policy.accounts.as_deref(), region).await?,
        };
        Ok(PolicyContext {
            barred: barred(rules.team.as_ref(), settings.unknown_teams),
            policy,
            source,
            team: rules.team,
            profile: rules.profiles.into_iter().find(|profile| profile.id.account == account),
            account,
            prices: settings.prices.clone(),
            since: month_of(self.base.now()),
        })
    }

    /// The account that a request is for, which the policy may refuse still.
    async fn account_for(
        &self,
        asked: Option<&str>,
        allowed: Option<&[String]>,
        region: Option<&Region>,
    ) -> Result<String, Error> {
        let own = &self.base.settings().account;
        let other = asked.or(match allowed {
            Some([only]) => Some(only),
            _ => None,
        });
        // The usual case asks nobody.
        let Some(other) = other.filter(|name| name != own || asked.is_some()) else { return Ok(own.clone()) };
        let added = self.cloud_accounts.added_accounts(Some(other)).await?;
        let chosen = choose(asked, allowed, own, added.keys().map(String::as_str)).map_err(|usable| {
            let detail = match usable.as_slice() {
                [] => "the team is not allowed to use any cloud account".to_owned(),
                names => format!("must be one of {}", names.join(", ")),
            };
            Error::Invalid(vec![FieldError::new("/cloud_account", "not_allowed", detail)])
        })?;
        if let Some(known) = added.get(chosen).filter(|_| chosen != own) {
            check_account(known.account(), region)?;
        }
        Ok(chosen.to_owned())
    }

    /// The refusal that a caller is told.
    pub(in crate::app) fn refused(&self, refusals: Vec<Refusal>) -> Error {
        Error::PolicyRefused { refusals, contact: self.base.settings().policy_contact.clone() }
    }
}

impl PolicyContext {
    /// What was asked for with what the region profile and the policy fill in, and which fields those are.
    pub(in crate::app) fn filled(&self, spec: &ImageCacheSpec) -> (ImageCacheSpec, Vec<&'static str>) {
        fill(&self.policy, self.profile.as_ref(), spec)
    }

    /// A create of that spec.
    pub(in crate::app) fn create<'a>(&'a self, spec: &'a ImageCacheSpec) -> PolicyCase<'a> {
        self.case(ProposedChange { account: &self.account, spec, before: None, builds: true })
    }

    /// An update to that spec.
    pub(in crate::app) fn update<'a>(&'a self, before: &'a ImageCacheSpec, spec: &'a ImageCacheSpec) -> PolicyCase<'a> {
        self.case(ProposedChange { account: &self.account, spec, before: Some(before), builds: true })
    }

    /// An adoption of what is in the cloud already.
    pub(in crate::app) fn adoption<'a>(&'a self, spec: &'a ImageCacheSpec) -> PolicyCase<'a> {
        self.case(ProposedChange { account: &self.account, spec, before: None, builds: false })
    }

    fn case<'a>(&'a self, asked: ProposedChange<'a>) -> PolicyCase<'a> {
        let mut found: Vec<Refusal> = self.barred.iter().cloned().collect();
        found.extend(judge(&self.policy, self.profile.as_ref(), &asked, None, &self.prices));
        // What is refused anyway is counted too: everything is told at once.
        let counts = self.policy.has_quota() || !found.is_empty();
        PolicyCase { ruling: self, asked, found, counts }
    }

    /// Refuses what only looks at an account that the team may not use, where nobody judges it.
    pub(in crate::app) fn check_account(&self) -> Result<(), Error> {
        let allowed = self.policy.accounts.as_deref();
        if allowed.is_none_or(|names| names.iter().any(|name| name == ANY || *name == self.account)) {
            return Ok(());
        }
        let detail = "must be given: the team is not allowed to use the default account";
        Err(Error::Invalid(vec![FieldError::new("/cloud_account", "required", detail)]))
    }

    /// The tags that say whose a cache is.
    pub(in crate::app) fn owner_tags(&self) -> Vec<(String, String)> {
        self.team.as_ref().map(Team::tags).unwrap_or_default()
    }

    /// Since when builds count.
    pub(in crate::app) fn since(&self) -> Instant {
        self.since
    }
}

impl<'a> PolicyCase<'a> {
    /// Judges with what the team has; whether the request may go on.
    pub(in crate::app) fn admits(&mut self, holdings: &Holdings) -> bool {
        let ruling = self.ruling;
        let usage = holdings.usage(&ruling.prices);
        let profile = ruling.profile.as_ref();
        self.found = ruling.barred.iter().cloned().collect();
        self.found.extend(judge(&ruling.policy, profile, &self.asked, Some(&usage), &ruling.prices));
        self.found.is_empty()
    }

    /// What was asked, for what else is to be told of it.
    pub(in crate::app) fn proposed_change(&self) -> &ProposedChange<'a> {
        &self.asked
    }

    /// Everything that was refused.
    pub(in crate::app) fn into_refusals(self) -> Vec<Refusal> {
        self.found
    }

    /// Whether it is refused whatever the team has.
    pub(in crate::app) fn is_refused(&self) -> bool {
        !self.found.is_empty()
    }

    /// Whether its transaction must count: for a quota, or to refuse once it is clear that no earlier request with the
    /// same key has been answered.
    pub(in crate::app) fn counts(&self) -> bool {
        self.counts
    }

    /// Since when builds count.
    pub(in crate::app) fn since(&self) -> Instant {
        self.ruling.since
    }
}

/// Refuses an account that takes nothing new, and a region that it is not for.
fn check_account(account: &CloudAccount, region: Option<&Region>) -> Result<(), Error> {
    if account.disabled_at.is_some() {
        return Err(no_account(account.name.as_str()));
    }
    let outside = region.filter(|region| !account.regions.is_empty() && !account.regions.contains(region));
    if outside.is_none() {
        return Ok(());
    }
    let names: Vec<&str> = account.regions.iter().map(Region::as_str).collect();
    let detail = format!("must be one of {} in the cloud account {}", names.join(", "), account.name);
    Err(Error::Invalid(vec![FieldError::new("/region", "not_allowed", detail)]))
}

/// Nothing new comes about in an account that is disabled, or was removed in this moment.
pub(in crate::app) fn no_account(account: &str) -> Error {
    let detail = format!(
        "the cloud account {account} accepts no new image caches: it is disabled, or has just been \
                          deleted"
    );
    Error::Conflict { code: "cloud_account_disabled", detail }
}

/// What a transaction asks, where it must ask at all.
pub(in crate::app) fn quota(
    counts: bool,
    since: Instant,
    admits: &mut (dyn FnMut(&Holdings) -> bool + Send),
) -> Option<QuotaCheck<'_>> {
    counts.then_some(QuotaCheck { since, admits })
}

/// When the month began (UTC).
fn month_of(now: Instant) -> Instant {
    let first = now.date_naive().with_day(1).unwrap_or_else(|| now.date_naive());
    first.and_time(NaiveTime::MIN).and_utc()
}
