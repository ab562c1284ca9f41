//! The reads of a pass: several at a time, lists page by page, and a lookup by id for everything that a list did not
//! show.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};

use super::Pass;
use crate::app::Error;
use crate::app::tracker::Tracker;
use crate::domain::failure::CallError;
use crate::domain::image_cache::observation::Observation;
use crate::domain::poll::planner::Read;
use crate::domain::region::Region;
use crate::eci::{Client, DescribeQuery};

/// How many reads run at once: the cloud is slow, and a round has a hundred or more reads.
const AT_ONCE: usize = 8;
/// How many pages are written together.
const PAGES_TOGETHER: usize = 8;
/// If part of the list was read in an earlier pass, how many caches that it may have missed are looked up by id.
const FEW: usize = 20;
/// How many pages more than expected the list of a bucket may have; beyond that it is not the list of a bucket.
const MORE_PAGES: usize = 3;

/// The result of one read.
#[derive(Default)]
struct ReadResult {
    seen: Vec<Observation>,
    /// The ids that the cloud says it does not have.
    absent: Vec<String>,
    fault: Option<CallError>,
}

impl Tracker {
    /// Carries out the reads and writes what changed. Returns the token at which the full list continues, if it does.
    pub(super) async fn read(
        &self,
        pass: &mut Pass,
        reads: Vec<Read>,
    ) -> Result<Result<Option<String>, CallError>, Error> {
        let (mut all, mut buckets, mut rest) = (None, BTreeSet::new(), None);
        let mut few = Vec::new();
        for read in reads {
            match read {
                Read::All { pages, next_token } => all = Some((pages, next_token)),
                read => {
                    if let Read::Bucket { bucket, .. } = &read {
                        buckets.insert(bucket.clone());
                    }
                    few.push(read);
                }
            }
        }
        let mut fault = self.read_apart(pass, few).await?;
        let goes_on = all.as_ref().is_some_and(|(_, token)| token.is_some());
        let whole = all.is_some();
        if let Some((pages, token)) = all.filter(|_| fault.is_none()) {
            match self.read_all(pass, pages, token).await? {
                Ok(next) => rest = next,
                Err(met) => fault = Some(met),
            }
        }
        if fault.is_none() {
            let complete = whole && rest.is_none();
            let mut suspects =
                pass.round.suspects(|bucket| complete || bucket.is_some_and(|name| buckets.contains(name)));
            if goes_on {
                self.shorten(&mut suspects);
            }
            fault = self.confirm(pass, suspects).await?;
        }
        self.keep_histories(pass).await?;
        Ok(fault.map_or(Ok(rest), Err))
    }

    /// Picks some at random: what earlier parts of the list showed is not known here, and the next pass picks others.
    fn shorten(&self, suspects: &mut Vec<String>) {
        if suspects.len() > FEW {
            let by = suspects.len() * usize::try_from(self.base.entropy().permille()).unwrap_or(0) / 1_000;
            suspects.rotate_left(by);
            suspects.truncate(FEW);
        }
    }

    /// Lookups by id and bucket lists, several at a time.
    async fn read_apart(&self, pass: &mut Pass, reads: Vec<Read>) -> Result<Option<CallError>, Error> {
        let (cloud, region) = (pass.cloud.clone(), pass.region.clone());
        let mut brought =
            stream::iter(reads).map(|read| one(&cloud, &region, read)).buffer_unordered(AT_ONCE).ready_chunks(AT_ONCE);
        let mut fault = None;
        while let Some(chunk) = brought.next().await {
            let mut together = ReadResult::default();
            for one in chunk {
                together.seen.extend(one.seen);
                together.absent.extend(one.absent);
                fault = worse(fault, one.fault);
            }
            self.apply(pass, &together.seen, &together.absent).await?;
        }
        Ok(fault)
    }

    /// The full list from `token` on: at most `pages` pages, or until it has shown everything that is due.
    async fn read_all(
        &self,
        pass: &mut Pass,
        pages: usize,
        token: Option<String>,
    ) -> Result<Result<Option<String>, CallError>, Error> {
        let mut query = DescribeQuery { next_token: token, ..DescribeQuery::default() };
        let mut seen: Vec<Observation> = Vec::new();
        for page in 1..=pages {
            let met = match read_page(&pass.cloud, &pass.region, &query, "by_list").await {
                Ok((shown, next)) => {
                    // A page without caches that still names a next page would never end.
                    query.next_token = next.filter(|_| !shown.is_empty());
                    seen.extend(shown);
                    None
                }
                Err(fault) => Some(fault),
            };
            if page % PAGES_TOGETHER == 0 || page == pages || query.next_token.is_none() || met.is_some() {
                self.apply(pass, &seen, &[]).await?;
                seen.clear();
            }
            if let Some(fault) = met {
                return Ok(Err(fault));
            }
            if query.next_token.is_none() || pass.round.is_shown() {
                return Ok(Ok(None));
            }
        }
        Ok(Ok(query.next_token))
    }

    /// Looks up by id what a list should have shown and did not, because pages shift while caches are deleted. If the
    /// budget lacks calls, the rest waits for the next round.
    async fn confirm(&self, pass: &mut Pass, mut suspects: Vec<String>) -> Result<Option<CallError>, Error> {
        if suspects.is_empty() {
            return Ok(None);
        }
        metrics::counter!("ecg_tracker_suspects_total").increment(suspects.len() as u64);
        let drawn = self.cloud_accounts.draw_looks(&pass.group.account, suspects.len()).await?;
        suspects.truncate(usize::try_from(drawn.granted).unwrap_or(usize::MAX));
        self.read_apart(pass, suspects.into_iter().map(|eci_cache_id| Read::Get { eci_cache_id }).collect()).await
    }
}

/// One lookup by id, or the list of one bucket.
async fn one(cloud: &Client, region: &Region, read: Read) -> ReadResult {
    let most = read.calls() + MORE_PAGES;
    let (mut query, id) = match read {
        Read::Get { eci_cache_id } => {
            (DescribeQuery { eci_cache_id: Some(eci_cache_id.clone()), ..DescribeQuery::default() }, Some(eci_cache_id))
        }
        Read::Bucket { bucket, .. } => (DescribeQuery { bucket: Some(bucket), ..DescribeQuery::default() }, None),
        Read::All { .. } => return ReadResult::default(),
    };
    let mut brought = ReadResult::default();
    for _ in 0..most {
        match read_page(cloud, region, &query, if id.is_some() { "by_id" } else { "by_bucket" }).await {
            Ok((seen, next)) => {
                brought.seen.extend(seen);
                query.next_token = next.filter(|_| id.is_none());
            }
            Err(fault) => return ReadResult { fault: Some(fault), ..brought },
        }
        if query.next_token.is_none() {
            break;
        }
    }
    brought.absent = id.into_iter().filter(|id| brought.seen.iter().all(|seen| seen.eci_cache_id != *id)).collect();
    brought
}

async fn read_page(
    cloud: &Client,
    region: &Region,
    query: &DescribeQuery,
    way: &'static str,
) -> Result<(Vec<Observation>, Option<String>), CallError> {
    metrics::counter!("ecg_cloud_looks_total", "way" => way).increment(1);
    let page = cloud.describe(region, query).await?;
    Ok((page.caches, page.next_token))
}

/// Prefers throttling, because other gateways must learn of it.
fn worse(one: Option<CallError>, other: Option<CallError>) -> Option<CallError> {
    match (one, other) {
        (Some(CallError::Throttled(error)), _) => Some(CallError::Throttled(error)),
        (one, other) => other.or(one),
    }
}
