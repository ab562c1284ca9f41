//! What the judge reads: the ledgers line by line, the rows of the database, and what the cloud has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The prefix of the names of image caches that were requested through the cloud's own API without a token.
pub(crate) const ASKED: &str = "asked-";

/// A line of the clients' ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum ClientFact {
    /// A request with a key; written before the first attempt.
    Asked {
        /// The `Idempotency-Key`.
        key: String,
        /// `create`, `update` or `delete`.
        action: String,
    },
    /// A response with a status below 500.
    Answered {
        /// The key; `None` for a read.
        key: Option<String>,
        /// `create`, `update`, `delete` or `read`.
        action: String,
        /// The HTTP status.
        status: u16,
        /// `X-Request-Id`.
        request_id: String,
        /// The image cache in the response.
        image_cache: Option<String>,
        /// The cloud's id in the response.
        eci_cache_id: Option<String>,
    },
    /// A client that deletes nothing was told the cloud's id of an image cache, which it owns from then on.
    Told {
        /// The cloud's id as the client was told it.
        eci_cache_id: String,
    },
    /// A client that deletes nothing was told of an image cache, which it owns from then on.
    Yours {
        /// The gateway's id, `ic_…`.
        image_cache: String,
        /// The outcome that it was told: `joined`, `reused` or `created`.
        outcome: String,
    },
    /// An image cache was created directly in the cloud.
    Put {
        /// The cloud's id.
        eci_cache_id: String,
        /// When it is ready at the earliest.
        ready_at: DateTime<Utc>,
    },
    /// A page of the event feed.
    Heard {
        /// The team whose feed was read.
        team: String,
        /// The ids of its events.
        events: Vec<String>,
    },
    /// A reader of the feed was told that its cursor is invalid, and starts again.
    Anew {
        /// The team whose feed was read.
        team: String,
    },
    /// From here on, nothing that is acknowledged is in the dump that is restored.
    LossBegins {
        /// By the machine's clock, which no fault changes.
        at: DateTime<Utc>,
    },
    /// The gateways have stopped; from here on, the database is the restored one.
    LossEnds {
        /// By the machine's clock, which no fault changes.
        at: DateTime<Utc>,
    },
    /// A client got no response within its time limit.
    GaveUp { key: String },
}

/// A line of the stand-in's journal: an action that was carried out.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct JournalAct {
    /// `CreateImageCache`, …
    pub(crate) action: String,
    /// The id of the image cache.
    pub(crate) image_cache_id: String,
    /// The `ClientToken`.
    pub(crate) client_token: Option<String>,
    /// The tag of the operation that created the cache.
    pub(crate) operation_tag: Option<String>,
    /// When the build that it started is done.
    pub(crate) ready_at: Option<DateTime<Utc>>,
}

/// A line of the receiver's ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HookFact {
    pub(crate) at: DateTime<Utc>,
    /// `webhook-id`.
    pub(crate) id: String,
    /// The event's type.
    pub(crate) kind: String,
    /// The image cache.
    pub(crate) image_cache: String,
    pub(crate) generation: i64,
    /// Whether the signature was valid.
    pub(crate) signed: bool,
}

/// A row of `image_caches`.
#[derive(Debug, Clone)]
pub(crate) struct CacheRow {
    /// `ic_…`.
    pub(crate) id: String,
    /// The name given by its client.
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) generation: i64,
    /// The cloud's id.
    pub(crate) eci_cache_id: Option<String>,
    /// Whether the database says that nobody was told of it: its ids are still owed, or its create was given up.
    pub(crate) untold: bool,
}

impl CacheRow {
    /// Whether it was requested without a token.
    pub(crate) fn is_asked(&self) -> bool {
        self.name.starts_with(ASKED)
    }
}

/// A row of `operations`.
#[derive(Debug, Clone)]
pub(crate) struct OperationFact {
    /// `op_…`.
    pub(crate) id: String,
    /// The image cache, `ic_…`.
    pub(crate) image_cache: String,
    /// `create`, `update` or `delete`.
    pub(crate) kind: String,
    pub(crate) state: String,
    /// The error code of a refusal.
    pub(crate) code: Option<String>,
    /// The time from the request to the end, in seconds.
    pub(crate) seconds: Option<f64>,
}

/// A row of `events`.
#[derive(Debug, Clone)]
pub(crate) struct EventFact {
    /// `evt_…`, which is the `webhook-id`.
    pub(crate) id: String,
    /// The team whose feed contains it.
    pub(crate) team: String,
    pub(crate) kind: String,
    pub(crate) image_cache: String,
    /// The cache's generation at that time.
    pub(crate) generation: i64,
    /// The time of the event.
    pub(crate) occurred_at: DateTime<Utc>,
}

/// A row of `transitions`.
#[derive(Debug, Clone)]
pub(crate) struct TransitionFact {
    pub(crate) image_cache: String,
    /// Its number, from 1.
    pub(crate) sequence: i64,
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    pub(crate) reason: String,
}

/// An audit entry about an operation.
#[derive(Debug, Clone)]
pub(crate) struct AuditFact {
    /// `op_…`.
    pub(crate) operation: String,
    /// `create_image_cache`, …
    pub(crate) action: String,
    /// `accepted` for the beginning, anything else for the end.
    pub(crate) outcome: String,
}

/// How long after a fault a create succeeded.
#[derive(Debug, Clone)]
pub(crate) struct RecoveryTime {
    /// A description of the fault.
    pub(crate) fault: String,
    /// The time from the fault to the successful create; `None` if there was none.
    pub(crate) took: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// The clients' requests and responses.
    pub(crate) clients: Vec<ClientFact>,
    /// What the stand-in carried out.
    pub(crate) acts: Vec<JournalAct>,
    /// What the receiver received.
    pub(crate) hooks: Vec<HookFact>,
    pub(crate) caches: Vec<CacheRow>,
    pub(crate) operations: Vec<OperationFact>,
    pub(crate) events: Vec<EventFact>,
    /// The rows, in any order.
    pub(crate) transitions: Vec<TransitionFact>,
    /// The request ids of all audit entries.
    pub(crate) audited: BTreeSet<String>,
    /// The audit entries about operations.
    pub(crate) audit: Vec<AuditFact>,
    /// The findings of `audit verify`.
    pub(crate) audit_findings: Vec<String>,
    /// Deliveries that have not ended.
    pub(crate) waiting_deliveries: i64,
    /// How long recoveries took.
    pub(crate) recoveries: Vec<RecoveryTime>,
    /// The cloud's ids of everything that the cloud has at the end.
    pub(crate) held: BTreeSet<String>,
    /// Those that are open findings in the database.
    pub(crate) findings: BTreeSet<String>,
    /// Whether the cloud ever returned wrong data.
    pub(crate) lied: bool,
    /// The cloud's ids that clients were told for creates, by key, and that were lost with the database.
    pub(crate) lost: Vec<(String, String)>,
}

impl Evidence {
    /// What was created directly in the cloud, by its id, and when it is ready at the earliest.
    pub(crate) fn put(&self) -> BTreeMap<&str, DateTime<Utc>> {
        let put = self.clients.iter().filter_map(|fact| match fact {
            ClientFact::Put { eci_cache_id, ready_at } => Some((eci_cache_id.as_str(), *ready_at)),
            _ => None,
        });
        put.collect()
    }
}
