//! Decides whether to believe that image caches which the cloud no longer shows are gone.
//!
//! A list that is empty for a minute, or the key of another account, looks like an account from which everything was
//! deleted. If too much is missing at once, nothing in that account and region is evaluated: no cache becomes `lost` or
//! `deleted`, and nothing is offered for adoption. `/readyz` and a metric report it. It ends when the cloud shows the
//! caches again (in a list, or, if lookups of a few raised it, by lookups of as many), when an operator confirms that
//! they are gone, or, if they are few, after an hour during which the clock was not in doubt.
//!
//! What must stay true: before the tracker declares a cache gone, other caches of the same account and region were
//! looked up and found; an operator's confirmation covers no more than what was missing when it was given.
//!
//! The tracker, the reconciler, the lookups of operations and the command line call it. `domain::reconcile::census`
//! decides how much is too much.

use super::{Call, Error, access};
use crate::app::base::Base;
use crate::app::cloud_accounts::CloudAccounts;
use crate::app::webhooks::platform_events::PlatformEvents;
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::failure::CallError;
use crate::domain::identity::caller::{Caller, Door, Origin};
use crate::domain::reconcile::Census;
use crate::domain::reconcile::census::{is_absence_believed, sample_that_ends};
use crate::domain::region::Region;
use crate::eci::{Client, DescribeQuery};
use crate::store::{MassVanishing, TrackerGroup};

const NOTE: &str = "note_mass_vanishing";
const END: &str = "end_mass_vanishing";
const ACCEPT: &str = "accept_mass_vanishing";
/// How many other caches are looked up by id.
const WITNESSES: i64 = 3;

/// Caches that were looked up and not found.
pub(super) struct MissingCaches<'a> {
    /// The account and region where they should be.
    pub(super) group: &'a TrackerGroup,
    /// The account's client, for looking up other caches.
    pub(super) cloud: &'a Client,
    /// Their ids at the cloud.
    pub(super) ids: &'a [&'a str],
    /// Whether to doubt the answer even if we have no other caches there; the list must then show something.
    pub(super) strict: bool,
}

/// The result of looking up other caches.
#[derive(Default)]
struct ControlSample {
    asked: usize,
    found: usize,
}

/// Decides whether missing caches are gone; cheap to clone.
#[derive(Debug, Clone)]
pub struct Vanishings {
    base: Base,
    cloud_accounts: CloudAccounts,
    platform_events: PlatformEvents,
}

impl Vanishings {
    pub(super) fn new(base: &Base, cloud_accounts: &CloudAccounts, platform_events: &PlatformEvents) -> Self {
        Self { base: base.clone(), cloud_accounts: cloud_accounts.clone(), platform_events: platform_events.clone() }
    }
}

impl Vanishings {
    /// Whether to believe a lookup by id that found nothing. If not, although the cloud answers, that is recorded, and
    /// the whole list is read next.
    pub(super) async fn is_absence_believed(&self, absence: &MissingCaches<'_>) -> Result<bool, Error> {
        let group = absence.group;
        if let Some(noted) = self.base.store().mass_vanishing(group).await? {
            return Ok(noted.accepted_missing.is_some() || self.is_sample_shown(absence, &noted).await?);
        }
        let Some(others) = self.look_at_others(absence).await? else { return Ok(false) };
        let believed = is_absence_believed(others.asked, others.found);
        if !believed {
            let missing = i64::try_from(others.asked.max(absence.ids.len())).unwrap_or(i64::MAX);
            self.note_vanishing(group, (Census { known: missing, missing, listed: 0 }, true)).await?;
        }
        Ok(believed)
    }

    /// Whether an alarm that lookups raised ends, because as many caches as were missing are all found: most likely the
    /// same ones, as both times the first ones by id are looked up. The first one that is not found ends the looking.
    async fn is_sample_shown(&self, absence: &MissingCaches<'_>, noted: &MassVanishing) -> Result<bool, Error> {
        let MissingCaches { group, cloud, ids, .. } = absence;
        let Some(size) = sample_that_ends(noted.sampled, noted.missing) else { return Ok(false) };
        let lag = self.base.settings().rule.list_lag;
        let sample = self.base.store().witnesses(group, ids, lag, self.base.now(), size).await?;
        let (found, region) = (i64::try_from(sample.len()).unwrap_or(0), region_of(group)?);
        if found < size {
            return Ok(false);
        }
        for id in sample {
            let query = DescribeQuery { eci_cache_id: Some(id), ..DescribeQuery::default() };
            if self.shows_any(group, cloud, &region, &query).await? != Some(true) {
                return Ok(false);
            }
        }
        self.end(group, Census { known: found, missing: 0, listed: found }).await?;
        Ok(true)
    }

    /// Looks up other caches of the group. `None` if the cloud could not be asked.
    async fn look_at_others(&self, absence: &MissingCaches<'_>) -> Result<Option<ControlSample>, Error> {
        let MissingCaches { group, cloud, ids, strict } = absence;
        let lag = self.base.settings().rule.list_lag;
        let witnesses = self.base.store().witnesses(group, ids, lag, self.base.now(), WITNESSES).await?;
        let mut queries: Vec<DescribeQuery> = witnesses
            .into_iter()
            .map(|id| DescribeQuery { eci_cache_id: Some(id), ..DescribeQuery::default() })
            .collect();
        if queries.is_empty() && *strict {
            queries.push(DescribeQuery::default());
        }
        let (mut others, region) = (ControlSample::default(), region_of(group)?);
        for query in queries {
            match self.shows_any(group, cloud, &region, &query).await? {
                Some(true) => return Ok(Some(ControlSample { asked: others.asked + 1, found: 1 })),
                Some(false) => others.asked += 1,
                None => return Ok(None),
            }
        }
        Ok(Some(others))
    }

    async fn shows_any(
        &self,
        group: &TrackerGroup,
        cloud: &Client,
        region: &Region,
        query: &DescribeQuery,
    ) -> Result<Option<bool>, Error> {
        if self.cloud_accounts.draw_looks(&group.account, 1).await?.granted == 0 {
            return Ok(None);
        }
        metrics::counter!("ecg_cloud_looks_total", "way" => "witness").increment(1);
        match cloud.describe(region, query).await {
            Ok(page) => Ok(Some(!page.caches.is_empty())),
            Err(fault) => {
                self.unwitnessed(&group.account, &fault).await?;
                Ok(None)
            }
        }
    }

    async fn unwitnessed(&self, account: &str, fault: &CallError) -> Result<(), Error> {
        tracing::warn!(account, fault = %fault, "could not check whether other image caches exist");
        self.cloud_accounts.note_fault(account, fault).await
    }

    /// Whether to believe a whole list. If not, records what it shows; if so, ends what was recorded.
    pub(super) async fn is_list_believed(&self, group: &TrackerGroup, census: Census) -> Result<bool, Error> {
        let noted = self.base.store().mass_vanishing(group).await?;
        if !census.is_believed(noted.as_ref().and_then(|noted| noted.accepted_missing)) {
            self.note_vanishing(group, (census, false)).await?;
            return self.has_lasted(noted.as_ref(), census).await;
        }
        if noted.is_some() && !census.is_doubtful() {
            self.end(group, census).await?;
        }
        Ok(true)
    }

    async fn end(&self, group: &TrackerGroup, census: Census) -> Result<(), Error> {
        let entry = self.vanishing_entry(END, group, Some(census));
        if self.base.store().end_mass_vanishing(group, &entry).await? {
            tracing::warn!(
                account = group.account,
                region = group.region,
                "image caches that were missing are shown again or gone: evaluating again"
            );
        }
        Ok(())
    }

    /// Whether so few have been missing for so long that they count as gone from now on.
    async fn has_lasted(&self, noted: Option<&MassVanishing>, census: Census) -> Result<bool, Error> {
        let (Some(noted), Some(after), None) = (noted, census.believed_after(), self.base.clock().doubt()) else {
            return Ok(false);
        };
        if self.base.now() - noted.since < after {
            return Ok(false);
        }
        let entry = self.vanishing_entry(ACCEPT, &noted.group, Some(census));
        Ok(self.base.store().accept_mass_vanishing(&noted.group, self.base.now(), &entry).await?.is_some())
    }

    /// Since when the group has not been evaluated; `None` if it is.
    pub(super) async fn doubted_since(&self, group: &TrackerGroup) -> Result<Option<Instant>, Error> {
        let noted = self.base.store().mass_vanishing(group).await?;
        Ok(noted.filter(|noted| noted.accepted_missing.is_none()).map(|noted| noted.since))
    }

    /// Whether the group is not evaluated at the moment.
    pub(super) async fn is_doubted(&self, group: &TrackerGroup) -> Result<bool, Error> {
        Ok(self.doubted_since(group).await?.is_some())
    }

    /// Records an alarm; `sampled`: lookups of a few caches raised it, and no list.
    async fn note_vanishing(&self, group: &TrackerGroup, (census, sampled): (Census, bool)) -> Result<(), Error> {
        let entry = self.vanishing_entry(NOTE, group, Some(census));
        let told = self.platform_events.platform_events(EventType::MassVanishing, &entry).await?;
        if self.base.store().note_mass_vanishing(group, (census, sampled), self.base.now(), &told, &entry).await? {
            metrics::counter!("ecg_reconcile_findings_total", "kind" => "mass_vanishing").increment(1);
            let Census { known, missing, listed } = census;
            tracing::error!(
                account = group.account,
                region = group.region,
                known,
                missing,
                listed,
                "too many image caches are missing from the cloud at the same time: none of them is declared gone"
            );
        }
        Ok(())
    }

    /// What is not evaluated at the moment, in sentences for an operator.
    pub(super) async fn vanishings(&self) -> Result<Vec<String>, Error> {
        Ok(self.base.store().mass_vanishings().await?.iter().map(alarm_message).collect())
    }

    /// An operator confirms that the missing image caches of an account and region are gone: they are then evaluated as
    /// if they had vanished one by one. Returns a sentence about what was accepted.
    pub async fn accept_vanished(
        &self,
        caller: &Caller,
        call: &Call,
        account: &str,
        region: &Region,
    ) -> Result<String, Error> {
        if !caller.may_one(access::POLICY) {
            return Err(Error::Forbidden(access::POLICY));
        }
        let group = TrackerGroup { account: account.to_owned(), region: region.to_string() };
        let mut entry = self.base.admin_entry(caller, call, ACCEPT, &format!("{account}:{region}"));
        entry.team = None;
        entry.parameters.extend(self.vanishing_entry(ACCEPT, &group, None).parameters);
        let accepted = self.base.store().accept_mass_vanishing(&group, self.base.now(), &entry).await?;
        let MassVanishing { known, missing, .. } = accepted.ok_or(Error::NotFound("mass vanishing"))?;
        Ok(format!("{missing} of {known} image caches of {account} in {region} are considered gone"))
    }

    /// The audit entry. It names no team, because all teams share the account.
    fn vanishing_entry(&self, action: &str, group: &TrackerGroup, census: Option<Census>) -> AuditEntry {
        let origin = Origin { door: Door::Worker, request_id: self.base.new_request_id(), address: None };
        let actor = Actor { team: None, subject: "worker:reconciler".to_owned(), credential: None, origin };
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), action, Outcome::Succeeded);
        let mut keep = |name: &str, value: String| entry.parameters.insert(name.to_owned(), value);
        keep("cloud_account", group.account.clone());
        keep("region", group.region.clone());
        if let Some(Census { known, missing, listed }) = census {
            keep("known", known.to_string());
            keep("missing", missing.to_string());
            keep("listed", listed.to_string());
        }
        entry
    }
}

/// A sentence for the operator: what was seen, what was expected, and how it ends.
fn alarm_message(vanishing: &MassVanishing) -> String {
    let MassVanishing { group: TrackerGroup { account, region }, since, known, missing, listed, .. } = vanishing;
    let census = Census { known: *known, missing: *missing, listed: *listed };
    let written = |time: Instant| time.format("%Y-%m-%dT%H:%M:%SZ");
    let lasts = census
        .believed_after()
        .map_or(String::new(), |after| format!(", or it lasts until {}", written(*since + after)));
    format!(
        "cloud account {account}, {region}: since {} the cloud has not shown {missing} of the {known} expected image \
         caches; none of them is declared gone until it shows them again, `accept-vanished --account {account} \
         --region {region}` confirms that they are gone{lasts}",
        written(*since)
    )
}

fn region_of(group: &TrackerGroup) -> Result<Region, Error> {
    group.region.parse().map_err(|_| Error::Internal("a group whose region is none".into()))
}
