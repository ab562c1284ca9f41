//! Deliveries as people handle them: read one by one, sent again, and returned to the queue in bulk.

use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::view::{AttemptView, DeliveryView, RequeuedView};
use crate::app::webhooks::Webhooks;
use crate::app::{Call, Error, access};
use crate::domain::clock::Instant;
use crate::domain::filter::{DeliveryFilter, Page, Slice};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::domain::problem::Code;
use crate::store::{ReplaySpan, Resent};

const RESEND: &str = "resend_delivery";
const RECOVER: &str = "recover_webhook_endpoint";
const REPLAY: &str = "replay_webhook_endpoint";
/// The most deliveries that one call puts into the queue.
const MOST: i64 = 10_000;

impl Webhooks {
    /// The team's deliveries, newest event first.
    pub async fn list_deliveries(
        &self,
        caller: &Caller,
        filter: &DeliveryFilter,
        page: &Page,
    ) -> Result<Slice<DeliveryView>, Error> {
        access::check(caller, "list_deliveries")?;
        let list = CursorList::new(&self.base, caller, "deliveries", filter);
        let place = list.place(page)?.map(|place| delivery_place(&place).ok_or_else(unreadable)).transpose()?;
        let deliveries = self.base.store().deliveries(&caller.team, filter, place, one_more(page)).await?;
        Ok(list.slice(deliveries, page, |placed| format!("{} {}", placed.place.0, placed.place.1)))
    }

    /// One delivery of the team.
    pub async fn get_delivery(&self, caller: &Caller, id: DeliveryId) -> Result<DeliveryView, Error> {
        access::check(caller, "get_delivery")?;
        self.own_delivery(caller, id).await
    }

    async fn own_delivery(&self, caller: &Caller, id: DeliveryId) -> Result<DeliveryView, Error> {
        let delivery = self.base.store().delivery(&caller.team, id).await?;
        delivery.map(Into::into).ok_or(Error::NotFound("delivery"))
    }

    /// The attempts of one delivery, oldest first. They are kept as long as the operator's retention says.
    pub async fn list_delivery_attempts(
        &self,
        caller: &Caller,
        id: DeliveryId,
        page: &Page,
    ) -> Result<Slice<AttemptView>, Error> {
        access::check(caller, "list_delivery_attempts")?;
        self.own_delivery(caller, id).await?;
        let list = CursorList::new(&self.base, caller, "delivery_attempts", &id);
        let from: i64 = list.place(page)?.map_or(Ok(0), |place| place.parse()).map_err(|_| unreadable())?;
        let attempts = self.base.store().delivery_attempts(&caller.team, id, from, one_more(page)).await?;
        let numbered: Vec<_> =
            (from + 1..).zip(attempts).map(|(place, attempt)| NumberedAttempt(place, attempt)).collect();
        Ok(list.slice(numbered, page, |numbered| numbered.0.to_string()))
    }

    /// Sends one delivery again, starting with a first attempt, whatever its outcome was.
    pub async fn resend_delivery(&self, caller: &Caller, call: &Call, id: DeliveryId) -> Result<DeliveryView, Error> {
        access::check(caller, RESEND)?;
        let entry = self.endpoint_entry(caller, call, RESEND, &id);
        let conflict = |code, detail: &str| Err(Error::Conflict { code, detail: detail.to_owned() });
        match self.base.store().resend(&caller.team, id, self.base.now(), &entry).await? {
            Resent::Done => {}
            Resent::Absent => return Err(Error::NotFound("delivery")),
            Resent::InFlight => return conflict(Code::DeliveryInFlight, "the delivery is currently being sent"),
            Resent::EndpointGone => return conflict(Code::WebhookEndpointGone, "its webhook endpoint was deleted"),
        }
        call.set_audited();
        self.base.outlet().look.notify_one();
        self.own_delivery(caller, id).await
    }

    /// Returns to the queue the deliveries that were given up, for events since `since`.
    pub async fn recover_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
        since: Instant,
    ) -> Result<RequeuedView, Error> {
        access::check(caller, RECOVER)?;
        self.verified_endpoint(caller, id).await?;
        let entry = self.endpoint_entry(caller, call, RECOVER, &id);
        let count = self.base.store().recover(&caller.team, id, since, self.base.now(), MOST, &entry).await?;
        Ok(self.requeued(call, count, MOST))
    }

    /// Puts into the queue the events from `since` until `until` that this endpoint wants and never received: for an
    /// endpoint that is new, or wants more than before.
    pub async fn replay_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
        span: (Instant, Option<Instant>),
    ) -> Result<RequeuedView, Error> {
        access::check(caller, REPLAY)?;
        self.verified_endpoint(caller, id).await?;
        let entry = self.endpoint_entry(caller, call, REPLAY, &id);
        // For an endpoint that is not enabled, no more than may wait for it.
        let room = self.base.store().backlog_room(id, self.base.settings().webhook.waiting_while_off).await?;
        let most = room.map_or(MOST, |room| room.min(MOST));
        let span = ReplaySpan { since: span.0, until: span.1, most };
        let count = self.base.store().replay(&caller.team, id, &span, self.base.now(), &entry).await?;
        Ok(self.requeued(call, count, most))
    }

    fn requeued(&self, call: &Call, count: u64, most: i64) -> RequeuedView {
        call.set_audited();
        self.base.outlet().look.notify_one();
        let deliveries = i64::try_from(count).unwrap_or(i64::MAX);
        RequeuedView { deliveries, has_more: deliveries >= most }
    }
}

/// An attempt and its position in the list.
struct NumberedAttempt(i64, crate::domain::webhooks::DeliveryAttempt);

impl From<NumberedAttempt> for AttemptView {
    fn from(numbered: NumberedAttempt) -> Self {
        numbered.1.into()
    }
}

fn delivery_place(place: &str) -> Option<(i64, uuid::Uuid)> {
    let (event, id) = place.split_once(' ')?;
    Some((event.parse().ok()?, id.parse().ok()?))
}
