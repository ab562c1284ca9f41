//! `webhook_endpoints`: one row for each endpoint of a team.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::event::EventType;
use crate::domain::webhooks::endpoint::Endpoint;
use crate::store::columns::{ColumnSet, table};

/// The values that a row is written from. Encrypted values are `None` if they stay as they are.
pub(in crate::store) struct EndpointToWrite<'a> {
    /// Everything except its URL and its secrets, which are encrypted.
    pub(in crate::store) endpoint: &'a Endpoint,
    /// Its URL, encrypted.
    pub(in crate::store) url: Option<&'a [u8]>,
    /// Its signing keys, encrypted.
    pub(in crate::store) secret: Option<&'a [u8]>,
    /// Its custom headers, encrypted.
    pub(in crate::store) headers: Option<&'a [u8]>,
}

table! {
    /// A row of `webhook_endpoints`, without the encrypted values except the URL.
    #[derive(FromRow)]
    pub(in crate::store) struct EndpointRow of "webhook_endpoints" {
        pub(in crate::store) id: Uuid = new.endpoint.id.uuid(),
        pub(in crate::store) team: String = new.endpoint.team.as_str(),
        pub(in crate::store) url: String = new.endpoint.url.expose()
            => "CASE WHEN (SELECT plain_beside FROM webhook_url_storage) THEN n.url ELSE n.placeholder END",
        pub(in crate::store) url_sealed: Option<Vec<u8>> = new.url,
        pub(in crate::store) verified_networks: Option<Vec<String>> = new.endpoint.verified_networks.as_ref(),
        pub(in crate::store) description: Option<String> = new.endpoint.description.as_deref(),
        pub(in crate::store) event_types: Vec<String> = names(&new.endpoint.options.event_types),
        pub(in crate::store) name_pattern: Option<String> = new.endpoint.options.name_pattern.as_deref(),
        pub(in crate::store) tags: Json<BTreeMap<String, String>> = Json(&new.endpoint.options.tags),
        pub(in crate::store) rate_per_second: Option<i32> = new.endpoint.options.rate_per_second,
        pub(in crate::store) ordered: bool = new.endpoint.options.ordered,
        pub(in crate::store) format: String = new.endpoint.options.format.as_str(),
        pub(in crate::store) header_names: Vec<String> = &new.endpoint.header_names,
        pub(in crate::store) timeout_seconds: Option<i32> = new.endpoint.options.timeout_seconds,
        pub(in crate::store) retry_schedule: Option<Vec<i32>> = new.endpoint.options.retry_schedule.as_ref(),
        pub(in crate::store) public_key: Option<String> = new.endpoint.public_key.as_deref(),
        pub(in crate::store) old_secret_until: Option<DateTime<Utc>> = new.endpoint.old_secret_until,
        pub(in crate::store) enabled: bool = new.endpoint.enabled,
        pub(in crate::store) disabled_reason: Option<String> = new.endpoint.disabled_reason.as_deref(),
        pub(in crate::store) created_at: DateTime<Utc> = new.endpoint.created_at,
        pub(in crate::store) version: i64 = new.endpoint.version,
        pub(in crate::store) platform: bool = new.endpoint.platform,
    }
    written one by one from |new: EndpointToWrite<'a>| {
        placeholder: String = new.endpoint.url.placeholder(),
        name_like: String = new.endpoint.options.name_like(),
        secret: Vec<u8> = new.secret,
        headers: Vec<u8> = new.headers,
    }
}

impl EndpointRow {
    /// The columns of a new row: its version is the table's default, and the placeholder is not a column.
    pub(in crate::store) const NEW: ColumnSet = ColumnSet::But(&["placeholder", "version"]);
    /// The columns that find the row in the version that was read.
    pub(in crate::store) const FOUND_BY: &'static [&'static str] = &["id", "team", "version"];
    /// The columns that a change writes just as given.
    pub(in crate::store) const PLAIN: ColumnSet = ColumnSet::But(&[
        "placeholder",
        "url",
        "url_sealed",
        "verified_networks",
        "secret",
        "headers",
        "platform",
        "enabled",
        "disabled_reason",
        "created_at",
    ]);

    /// Its position in its team's list.
    pub(in crate::store) fn id(&self) -> Uuid {
        self.id
    }
}

/// The names of the types.
fn names(types: &[EventType]) -> Vec<&'static str> {
    types.iter().map(|kind| kind.as_str()).collect()
}
