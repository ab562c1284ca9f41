//! One attempt: recorded, signed, sent, judged; and the search for a create whose answer was lost.

use super::{Answer, Gateway};
use crate::app::Error;
use crate::domain::clock::Instant;
use crate::domain::failure::Fault;
use crate::domain::image_cache::ImageCache;
use crate::domain::observation::Seen;
use crate::domain::operation::{Operation, OperationKind, Verdict, client_token, judge};
use crate::domain::spec::MAX_TAGS;
use crate::eci::{self, Attempt, Created, DescribeQuery};
use crate::store::{LeasedOperation, Postponed};

/// What the cloud did: the create's answer, or nothing but a request id.
pub(super) struct Done {
    pub(super) created: Option<(String, Option<String>)>,
    pub(super) request_id: String,
}

impl From<Created> for Done {
    fn from(created: Created) -> Self {
        Self { created: Some((created.eci_cache_id, created.container_group_id)), request_id: created.request_id }
    }
}

impl Gateway {
    pub(super) async fn attempt(&self, leased: &LeasedOperation, cache: ImageCache) -> Result<Option<Answer>, Error> {
        let operation = &leased.operation;
        let signed_at = self.now();
        let Some(number) = self.note_attempt(leased, signed_at).await? else {
            tracing::warn!(operation = %operation.id, "the lease was lost before the attempt");
            return Ok(None);
        };
        let sent = self.send(leased, &cache, signed_at).await?;
        let outcome = sent.as_ref().err().map_or("succeeded", word);
        metrics::counter!("ecg_cloud_attempts_total", "kind" => operation.progress.kind.as_str(), "outcome" => outcome)
            .increment(1);
        match sent {
            Ok(done) => self.settle_done(leased, cache, Some(done)).await,
            Err(fault) => self.judge(leased, cache, number, &fault).await,
        }
    }

    /// Signs with the time that was recorded, never a later one: the look-up counts on it.
    async fn send(
        &self,
        leased: &LeasedOperation,
        cache: &ImageCache,
        signed_at: Instant,
    ) -> Result<Result<Done, Fault>, Error> {
        let operation = &leased.operation;
        let client_token = client_token(operation.id, operation.generation);
        let attempt = Attempt { operation: operation.id, client_token, signed_at };
        let (cloud, spec) = (&self.parts().cloud, &operation.spec);
        let logins = self.open_logins(operation.id, leased.credentials.as_deref())?;
        Ok(match operation.progress.kind {
            OperationKind::Create => cloud.create(spec, &logins, &attempt).await.map(Done::from),
            OperationKind::Update => {
                let changes = operation.changes.clone().unwrap_or_default();
                let updated = cloud.update(&spec.region, Self::target(cache)?, &changes, &logins, &attempt);
                updated.await.map(done)
            }
            OperationKind::Delete => {
                let deleted = cloud.delete(&spec.region, Self::target(cache)?, &attempt).await.map(done);
                deleted.or_else(gone_already)
            }
        })
    }

    async fn judge(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
        number: i32,
        fault: &Fault,
    ) -> Result<Option<Answer>, Error> {
        let operation = &leased.operation;
        tracing::warn!(operation = %operation.id, attempt = number, fault = %fault, "the cloud did not accept");
        match judge(fault, operation.progress.kind, number, self.now()) {
            Verdict::Refused(error) => self.settle_refused(leased, cache, &error).await,
            Verdict::Again { at, in_doubt } => {
                // An earlier attempt's doubt is not lifted by a later one that was not even sent.
                let in_doubt = in_doubt || operation.progress.in_doubt;
                let how = Postponed { outcome: word(fault), detail: fault.to_string(), in_doubt, due_at: at };
                self.postpone(leased, Some(number), &how).await?;
                self.signals().operations.notify_one();
                Ok(None)
            }
        }
    }

    /// Searches for what an earlier attempt may have made. What is found is adopted; if nothing is, nothing happened.
    pub(super) async fn look_up(&self, leased: &LeasedOperation, cache: ImageCache) -> Result<Option<Answer>, Error> {
        match self.find(&leased.operation).await {
            Ok((Some(found), request_id)) => {
                let created = Some((found.eci_cache_id, found.container_group_id));
                self.settle_done(leased, cache, Some(Done { created, request_id })).await
            }
            Ok((None, _)) => self.put_back(leased, false, self.now()).await,
            Err(fault) => {
                tracing::warn!(operation = %leased.operation.id, fault = %fault, "the look-up failed");
                self.put_back(leased, true, self.now() + chrono::Duration::seconds(30)).await
            }
        }
    }

    /// By the operation's tag; where the team's own tags left no room for it, by the name with exactly those
    /// tags, made since the first attempt.
    async fn find(&self, operation: &Operation) -> Result<(Option<Seen>, String), Fault> {
        let spec = &operation.spec;
        let tagged = spec.tags.len() < MAX_TAGS;
        let mut query = DescribeQuery {
            operation_tag: tagged.then_some(operation.id),
            name: (!tagged).then(|| spec.name.clone()),
            ..DescribeQuery::default()
        };
        loop {
            let page = self.parts().cloud.describe(&spec.region, &query).await?;
            let found = page.caches.into_iter().find(|seen| tagged || is_of(operation, seen));
            if found.is_some() || page.next_token.is_none() {
                return Ok((found, page.request_id));
            }
            query.next_token = page.next_token;
        }
    }

    pub(super) async fn wait_until(&self, leased: &LeasedOperation, until: Instant) -> Result<Option<Answer>, Error> {
        self.put_back(leased, true, until).await
    }

    async fn put_back(
        &self,
        leased: &LeasedOperation,
        in_doubt: bool,
        due_at: Instant,
    ) -> Result<Option<Answer>, Error> {
        let how = Postponed { outcome: "unknown", detail: String::new(), in_doubt, due_at };
        self.postpone(leased, None, &how).await?;
        self.signals().operations.notify_one();
        Ok(None)
    }
}

fn done(done: eci::Done) -> Done {
    Done { created: None, request_id: done.request_id }
}

/// Whether what the cloud shows can only be this operation's: its clock may be a minute behind ours.
fn is_of(operation: &Operation, seen: &Seen) -> bool {
    let since = operation.created_at - chrono::Duration::minutes(1);
    let tags = seen.tags.iter().cloned().collect();
    seen.name == operation.spec.name && operation.spec.tags == tags && seen.created_at.is_some_and(|made| made >= since)
}

/// A delete of what the cloud no longer has is done.
fn gone_already(fault: Fault) -> Result<Done, Fault> {
    match fault {
        Fault::Refused(error) if error.code.contains("NotFound") && !error.code.starts_with("InvalidAccessKeyId") => {
            Ok(Done { created: None, request_id: error.request_id.unwrap_or_default() })
        }
        other => Err(other),
    }
}

fn word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Refused(_) => "refused",
        Fault::Throttled(_) => "throttled",
        Fault::NotSent(_) => "not_sent",
        Fault::Unknown(_) => "unknown",
    }
}
