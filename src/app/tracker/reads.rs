//! The reads of a pass: several at a time, lists page by page, and everything that a list did not show by its id.

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

/// How many reads are under way at a time: the cloud takes its time, and a round has some hundred of them.
const AT_ONCE: usize = 8;
/// So many pages are written together.
const PAGES_TOGETHER: usize = 8;
/// How many caches that a list may have missed are asked for by id where a part of the list was read earlier.
const FEW: usize = 20;
/// A list of a bucket that has more pages than this beyond what was expected is no list of a bucket.
const MORE_PAGES: usize = 3;

/// What one read brought.
#[derive(Default)]
struct ReadResult {
    seen: Vec<Observation>,
    /// What the cloud does not have, by its own word about this id.
    absent: Vec<String>,
    fault: Option<CallError>,
}

impl Tracker {
    /// Carries out the reads and writes what changed. A token says where the full list goes on.
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

    /// Any of them: what an earlier part of the list has shown is not known here, and next time others are asked for.
    fn shorten(&self, suspects: &mut Vec<String>) {
        if suspects.len() > FEW {
            let by = suspects.len() * usize::try_from(self.base.entropy().permille()).unwrap_or(0) / 1_000;
            suspects.rotate_left(by);
            suspects.truncate(FEW);
        }
    }

    /// Single gets and bucket lists, several at a time.
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

    /// The full list, up to `pages` pages from `token` on, or until it has shown all that is due.
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
                    // A page that brings nothing and still names a next one would never end.
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

    /// Asks by id for what a list should have shown and did not: pages shift while caches are removed. What the
    /// budget has no calls for waits for the next round.
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

/// One single get, or the list of one bucket.
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

/// Throttling is what others must hear of.
fn worse(one: Option<CallError>, other: Option<CallError>) -> Option<CallError> {
    match (one, other) {
        (Some(CallError::Throttled(error)), _) => Some(CallError::Throttled(error)),
        (one, other) => other.or(one),
    }
}
