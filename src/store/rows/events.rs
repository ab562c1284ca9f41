//! `events`: one row for each that was told. How they are read stands in [`crate::store::team::events`].

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::EndpointId;
use crate::store::columns::table;
use crate::store::input::{About, NewEvent};

/// What is written of `events`.
pub(in crate::store) struct EventsTable;

/// What a row is written from.
pub(in crate::store) struct EventToWrite<'a> {
    /// What it is about.
    pub(in crate::store) about: About<'a>,
    /// What happened, as consumers are told.
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
