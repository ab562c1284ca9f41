//! `events`: one row for each event. [`crate::store::team::events`] reads them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::EndpointId;
use crate::store::columns::table;
use crate::store::input::{About, NewEvent};

/// The table `events`, which is only written here.
pub(in crate::store) struct EventsTable;

/// The values that a row is written from.
pub(in crate::store) struct EventToWrite<'a> {
    /// What it is about.
    pub(in crate::store) about: About<'a>,
    /// The event, as consumers receive it.
    pub(in crate::store) event: &'a NewEvent,
}

table! {
    impl EventsTable of "events" written from |new: EventToWrite<'a>| {
        id: Uuid = new.event.id.uuid(),
        team: String = new.about.team(),
        type: String = new.event.kind.as_str(),
        image_cache: Uuid = new.about.cache().map(|cache| cache.id.uuid()),
        endpoint: Uuid = new.about.endpoint().map(EndpointId::uuid),
        dedupe_key: String = new.event.dedupe_key.as_str(),
        body: String = new.event.body.as_str(),
        occurred_at: DateTime<Utc> = new.event.at,
    }
}
