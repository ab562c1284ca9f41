//! Batches: many items in one request. Each item ends as it would have ended as a request of its own, with a status and
//! an audit entry under the name of the single operation; the request as a whole has its entry as well.
//!
//! What must stay true: nothing is done before the request as a whole is known to be valid; an item that fails stops no
//! other; neither a client that leaves nor a deadline that passes stops any; the request counts as all its items for
//! the team's rate.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::app::Call;
use crate::app::admission::{in_place, reacquire_permit};
use crate::app::base::supervision::words_of;
use crate::app::input::RequestEnd;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::identity::caller::Caller;
use crate::domain::limits::bucket::MAX_ITEMS;
use crate::http::audit::{outcome_of, write_entry};
use crate::http::exchange::Exchange;
use crate::http::extract::Authorized;
use crate::http::problem::{Occasion, ProblemResponse};
use crate::http::{DoorState, headers::Wait};

/// How many changes of one batch are under way at once: each waits for the cloud.
pub(super) const CHANGES_AT_ONCE: usize = 16;
/// How many reads: the database is asked for all that wait at the same moment together.
pub(super) const READS_AT_ONCE: usize = MAX_ITEMS as usize;

/// A batch that is valid as a whole.
pub(super) struct Batch {
    pub(super) door: DoorState,
    pub(super) caller: Arc<Caller>,
    exchange: Arc<Exchange>,
    call: Call,
    /// The operation that each item would be as a request of its own.
    operation: &'static str,
    /// When the items that begin later no longer wait for the cloud.
    until: Instant,
}

/// One item: what its audit entry says of it.
#[derive(Debug, Clone, Default)]
pub(super) struct ItemFacts {
    /// The id of the image cache, where it is known before.
    pub(super) resource: Option<String>,
    /// What it asks for.
    pub(super) parameters: Vec<(String, String)>,
}

impl Batch {
    /// Counts the items of the list `member`, and refuses too few and too many.
    pub(super) fn begin(
        door: DoorState,
        who: Authorized,
        exchange: Arc<Exchange>,
        operation: &'static str,
        (member, count): (&str, usize),
    ) -> Result<Self, ProblemResponse> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if !(1..=MAX_ITEMS).contains(&count) {
            let detail = format!("must have 1 to {MAX_ITEMS} items");
            return Err(ProblemResponse::invalid(vec![FieldError::new(member, FieldCode::OutOfRange, detail)]));
        }
        exchange.place.charge(count - 1);
        Ok(Self { door, caller: who.caller, exchange, call: who.call, operation, until: Instant::now() })
    }

    /// All items together wait so long for the cloud.
    pub(super) fn waiting(self, wait: Wait) -> Self {
        Self { until: self.until + wait.time, ..self }
    }

    /// How long an item that begins now waits for the cloud.
    pub(super) fn wait(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// The request, as its problems name it.
    pub(super) fn occasion(&self) -> Occasion<'_> {
        self.exchange.occasion()
    }

    /// What became of each item, in their order. `work` does one, with a call of its own, and says what status it has.
    pub(super) async fn run<T, D, W>(
        self: Arc<Self>,
        at_once: usize,
        items: Vec<(ItemFacts, T)>,
        work: impl Fn(Arc<Self>, Call, T) -> W + Send + 'static,
    ) -> Result<Vec<Result<(StatusCode, D), ProblemResponse>>, ProblemResponse>
    where
        T: Send + 'static,
        D: Send + 'static,
        W: Future<Output = Result<(StatusCode, D), ProblemResponse>> + Send + 'static,
    {
        let (tasks, place) = (self.door.tasks.clone(), Arc::clone(&self.exchange.place));
        let begun = items.into_iter().map(move |(facts, item)| {
            let call = self.call.item(facts.parameters);
            let done = work(Arc::clone(&self), call.clone(), item);
            Arc::clone(&self).settled(facts.resource, call, done)
        });
        let all = stream::iter(begun).buffered(at_once).collect::<Vec<_>>();
        tasks.spawn(in_place(place, all).in_current_span()).await.map_err(ProblemResponse::internal)
    }

    /// Does one item, and writes its entry unless it was written with the change.
    async fn settled<D>(
        self: Arc<Self>,
        resource: Option<String>,
        call: Call,
        work: impl Future<Output = Result<(StatusCode, D), ProblemResponse>>,
    ) -> Result<(StatusCode, D), ProblemResponse> {
        let work = async {
            reacquire_permit().await?;
            work.await
        };
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let done = done.unwrap_or_else(|panic| Err(ProblemResponse::internal(format!("panic: {}", words_of(&*panic)))));
        if let Some(cause) = done.as_ref().err().and_then(ProblemResponse::cause) {
            tracing::error!(
                error = cause as &(dyn std::error::Error + 'static),
                "internal error in an item of a batch"
            );
        }
        if self.exchange.audited && !call.is_audited() {
            write_entry(&self.door, &self.exchange, &call, self.ending(resource, &done)).await?;
        }
        done
    }

    fn ending<D>(&self, resource: Option<String>, done: &Result<(StatusCode, D), ProblemResponse>) -> RequestEnd {
        let status = done.as_ref().map_or_else(ProblemResponse::status, |(status, _)| *status);
        let refusal = done.as_ref().err();
        RequestEnd {
            action: self.operation.to_owned(),
            resource,
            outcome: outcome_of(status),
            http_status: i32::from(status.as_u16()),
            code: refusal.map(|refusal| refusal.code().to_owned()),
            provider_request_id: refusal.and_then(ProblemResponse::provider_request_id).map(str::to_owned),
        }
    }
}
