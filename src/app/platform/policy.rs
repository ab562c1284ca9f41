//! Applies a team's policy before anything is recorded: reads the rules, fills in what a create leaves out, and has
//! `domain::policy` judge the request. Quotas are checked inside the transaction that records it.
//!
//! What must stay true: every way to get an image cache (create, update, ensure, adopt) passes through here, whichever
//! API it came through. The rules are read for each request, so a policy change applies from its commit on, at every
//! gateway. Only the list of disabled teams, which every request needs, is cached for a second (five seconds if the
//! database cannot be read; after that nobody is admitted); whoever changes a team here calls `forget_disabled`. A
//! request with a known idempotency key gets the earlier answer, whatever the rules say now.

use crate::app::base::Base;
use crate::app::cloud_accounts::CloudAccounts;
use std::collections::HashSet;
use std::sync::Arc;

use chrono::{Datelike as _, NaiveTime};

use crate::app::Error;
use crate::app::ttl_memo::{self, TtlMemo};
use crate::domain::clock::Instant;
use crate::domain::cloud_account::{CloudAccount, choose};
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::identity::caller::{Caller, TeamId};
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::policy::team::{PolicySource, Team, barred, policy_of};
use crate::domain::policy::{ANY, Holdings, Policy, Prices, ProposedChange, Refusal, RegionProfile, fill, judge};
use crate::domain::problem::Code;
use crate::domain::region::Region;
use crate::store::QuotaCheck;

/// The teams whose requests are refused, as last read.
pub(in crate::app) type DisabledTeams = TtlMemo<Arc<HashSet<TeamId>>>;

/// The rules that apply to one team in one region and account, with everything needed to judge a request.
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

/// Which cloud account a request is for.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) enum AccountChoice<'a> {
    /// The account in the request or, if it names none, the one that the team normally uses.
    Asked(Option<&'a str>),
    /// The account that already holds the image cache.
    Of(&'a str),
}

/// One request being judged. It lives as long as the request's transaction; its refusals are read afterwards.
pub(in crate::app) struct PolicyCase<'a> {
    ruling: &'a PolicyContext,
    asked: ProposedChange<'a>,
    found: Vec<Refusal>,
    counts: bool,
}

/// The policies of all teams; cheap to clone.
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
    /// Refuses a caller whose team is disabled, at most a second after it was disabled. The platform's own operations
    /// are still allowed ([`access::is_platforms`](crate::app::access::is_platforms)), because somebody must be able to
    /// undo it.
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

    /// Invalidates the list of disabled teams: the next caller reads it again.
    pub(super) async fn forget_disabled(&self) {
        self.disabled.forget().await;
    }

    /// The rules that apply to the team in the region; without a region, those that apply everywhere.
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
            AccountChoice::Asked(asked) => self.account_for(asked, policy.cloud_accounts.as_deref(), region).await?,
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

    /// The account that a request is for. The policy may still refuse it.
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
        // The usual case needs no list of accounts.
        let Some(other) = other.filter(|name| name != own || asked.is_some()) else { return Ok(own.clone()) };
        let added = self.cloud_accounts.added_accounts(Some(other)).await?;
        let chosen = choose(asked, allowed, own, added.keys().map(String::as_str)).map_err(|usable| {
            let detail = match usable.as_slice() {
                [] => "the team is not allowed to use any cloud account".to_owned(),
                names => format!("must be one of {}", names.join(", ")),
            };
            Error::Invalid(vec![FieldError::new("/cloud_account", FieldCode::NotAllowed, detail)])
        })?;
        if let Some(known) = added.get(chosen).filter(|_| chosen != own) {
            check_account(known.account(), region)?;
        }
        Ok(chosen.to_owned())
    }

    /// The error for a request that the policy refuses.
    pub(in crate::app) fn refused(&self, refusals: Vec<Refusal>) -> Error {
        Error::PolicyRefused { refusals, contact: self.base.settings().policy_contact.clone() }
    }
}

impl PolicyContext {
    /// The spec with the defaults of the region profile and the policy filled in, and the names of the fields that were
    /// filled in.
    pub(in crate::app) fn filled(&self, spec: &ImageCacheSpec) -> (ImageCacheSpec, Vec<&'static str>) {
        fill(&self.policy, self.profile.as_ref(), spec)
    }

    /// Starts judging a create with this spec.
    pub(in crate::app) fn create<'a>(&'a self, spec: &'a ImageCacheSpec) -> PolicyCase<'a> {
        self.case(ProposedChange { account: &self.account, spec, before: None, builds: true })
    }

    /// Starts judging an update to this spec.
    pub(in crate::app) fn update<'a>(&'a self, before: &'a ImageCacheSpec, spec: &'a ImageCacheSpec) -> PolicyCase<'a> {
        self.case(ProposedChange { account: &self.account, spec, before: Some(before), builds: true })
    }

    /// Starts judging the adoption of a cache that is already in the cloud.
    pub(in crate::app) fn adoption<'a>(&'a self, spec: &'a ImageCacheSpec) -> PolicyCase<'a> {
        self.case(ProposedChange { account: &self.account, spec, before: None, builds: false })
    }

    fn case<'a>(&'a self, asked: ProposedChange<'a>) -> PolicyCase<'a> {
        let mut found: Vec<Refusal> = self.barred.iter().cloned().collect();
        found.extend(judge(&self.policy, self.profile.as_ref(), &asked, None, &self.prices));
        // A request that is refused anyway is counted too, so that all refusals are reported at once.
        let counts = self.policy.has_quota() || !found.is_empty();
        PolicyCase { ruling: self, asked, found, counts }
    }

    /// Refuses a request that only reads from an account which the team may not use, for requests that are not judged.
    pub(in crate::app) fn check_account(&self) -> Result<(), Error> {
        let allowed = self.policy.cloud_accounts.as_deref();
        if allowed.is_none_or(|names| names.iter().any(|name| name == ANY || *name == self.account)) {
            return Ok(());
        }
        let detail = "must be given: the team is not allowed to use the default account";
        Err(Error::Invalid(vec![FieldError::new("/cloud_account", FieldCode::Required, detail)]))
    }

    /// The tags that name the owner of a cache.
    pub(in crate::app) fn owner_tags(&self) -> Vec<(String, String)> {
        self.team.as_ref().map(Team::tags).unwrap_or_default()
    }

    /// The time from which builds count towards the monthly quota.
    pub(in crate::app) fn since(&self) -> Instant {
        self.since
    }
}

impl<'a> PolicyCase<'a> {
    /// Judges the request together with what the team already has. Returns whether it is allowed.
    pub(in crate::app) fn admits(&mut self, holdings: &Holdings) -> bool {
        let ruling = self.ruling;
        let usage = holdings.usage(&ruling.prices);
        let profile = ruling.profile.as_ref();
        self.found = ruling.barred.iter().cloned().collect();
        self.found.extend(judge(&ruling.policy, profile, &self.asked, Some(&usage), &ruling.prices));
        self.found.is_empty()
    }

    /// The requested change.
    pub(in crate::app) fn proposed_change(&self) -> &ProposedChange<'a> {
        &self.asked
    }

    /// Everything that the policy refuses, not only the first.
    pub(in crate::app) fn into_refusals(self) -> Vec<Refusal> {
        self.found
    }

    /// Whether the request is refused regardless of what the team already has.
    pub(in crate::app) fn is_refused(&self) -> bool {
        !self.found.is_empty()
    }

    /// Whether the transaction has to count what the team has: either a quota applies, or the request is to be refused
    /// once it is clear that no earlier request with the same key was answered.
    pub(in crate::app) fn counts(&self) -> bool {
        self.counts
    }

    /// The time from which builds count towards the monthly quota.
    pub(in crate::app) fn since(&self) -> Instant {
        self.ruling.since
    }
}

/// Refuses an account that accepts nothing new, or that is not for this region.
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
    Err(Error::Invalid(vec![FieldError::new("/region", FieldCode::NotAllowed, detail)]))
}

/// The error for an account that accepts nothing new: it is disabled, or was just deleted.
pub(in crate::app) fn no_account(account: &str) -> Error {
    let detail = format!(
        "the cloud account {account} accepts no new image caches: it is disabled, or has just been \
                          deleted"
    );
    Error::Conflict { code: Code::CloudAccountDisabled, detail }
}

/// The quota check for a transaction, if one is needed.
pub(in crate::app) fn quota(
    counts: bool,
    since: Instant,
    admits: &mut (dyn FnMut(&Holdings) -> bool + Send),
) -> Option<QuotaCheck<'_>> {
    counts.then_some(QuotaCheck { since, admits })
}

/// The start of the current month (UTC).
fn month_of(now: Instant) -> Instant {
    let first = now.date_naive().with_day(1).unwrap_or_else(|| now.date_naive());
    first.and_time(NaiveTime::MIN).and_utc()
}
