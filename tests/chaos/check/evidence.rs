//! What the judge looks at: the ledgers, line by line, the rows of the database, and what the cloud has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How the names of image caches begin that were asked for through the cloud's own API, without a token.
pub(crate) const ASKED: &str = "asked-";

/// A line of a client's ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum ClientFact {
    /// Something was asked for, under a key; written before the first try.
    Asked {
        /// The `Idempotency-Key`.
        key: String,
        /// `create`, `update` or `delete`.
        action: String,
    },
    /// An answer below 500.
    Answered {
        /// The key; none for a read.
        key: Option<String>,
        /// `create`, `update`, `delete` or `read`.
        action: String,
        /// The HTTP status.
        status: u16,
        /// `X-Request-Id`.
        request_id: String,
        /// The image cache that it names.
        image_cache: Option<String>,
        /// The cloud's id that it tells.
        eci_cache_id: Option<String>,
    },
    /// Somebody who deletes nothing was told the cloud's id of an image cache: it is theirs.
    Told {
        /// The cloud's id, as it was told.
        eci_cache_id: String,
    },
    /// Somebody who deletes nothing was told of an image cache: it is theirs.
    Yours {
        /// Our id of it, `ic_…`.
        image_cache: String,
        /// What was said of it: `joined`, `reused` or `created`.
        outcome: String,
    },
    /// An image cache was put into the cloud behind the gateway's back.
    Put {
        /// The cloud's id.
        eci_cache_id: String,
        /// It is not ready before.
        ready_at: DateTime<Utc>,
    },
    /// A page of the feed.
    Heard {
        /// The team whose feed was read.
        team: String,
        /// The ids of its events.
        events: Vec<String>,
    },
    /// A reader of the feed was told that its cursor leads nowhere, and begins anew.
    Anew {
        /// The team whose feed was read.
        team: String,
    },
    /// From here on nothing that is acknowledged is in the dump that everybody goes on with.
    LossBegins {
        /// By the machine's own clock, which no fault moves.
        at: DateTime<Utc>,
    },
    /// The gateways have ended; from here on the database is the one from the dump.
    LossEnds {
        /// By the machine's own clock, which no fault moves.
        at: DateTime<Utc>,
    },
    /// No answer came in all the time that a client was willing to wait.
    GaveUp { key: String },
}

/// A line of the stand-in's journal: an act that was carried out.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct JournalAct {
    /// `CreateImageCache`, …
    pub(crate) action: String,
    /// On which cache.
    pub(crate) image_cache_id: String,
    /// The `ClientToken`.
    pub(crate) client_token: Option<String>,
    /// The tag of the operation that made the cache.
    pub(crate) operation_tag: Option<String>,
    /// When the build that it began is done.
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
    /// Whether the signature was good.
    pub(crate) signed: bool,
}

/// A row of `image_caches`.
#[derive(Debug, Clone)]
pub(crate) struct CacheRow {
    /// `ic_…`.
    pub(crate) id: String,
    /// The name that its client gave it.
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) generation: i64,
    /// The cloud's id.
    pub(crate) eci_cache_id: Option<String>,
    /// Whether nobody was told of it, as the database knows: its ids are owed, or its create was given up.
    pub(crate) untold: bool,
}

impl CacheRow {
    /// Whether it was asked for without a token.
    pub(crate) fn is_asked(&self) -> bool {
        self.name.starts_with(ASKED)
    }
}

/// A row of `operations`.
#[derive(Debug, Clone)]
pub(crate) struct OperationFact {
    /// `op_…`.
    pub(crate) id: String,
    /// `ic_…`: on which cache.
    pub(crate) image_cache: String,
    /// `create`, `update` or `delete`.
    pub(crate) kind: String,
    pub(crate) state: String,
    /// The code of its refusal.
    pub(crate) code: Option<String>,
    /// From request to end, in seconds.
    pub(crate) seconds: Option<f64>,
}

/// A row of `events`.
#[derive(Debug, Clone)]
pub(crate) struct EventFact {
    /// `evt_…`: the `webhook-id`.
    pub(crate) id: String,
    /// Whose feed it is in.
    pub(crate) team: String,
    pub(crate) kind: String,
    pub(crate) image_cache: String,
    /// The cache's generation then.
    pub(crate) generation: i64,
    /// When it is said to have happened.
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

/// An audit entry that tells of an operation.
#[derive(Debug, Clone)]
pub(crate) struct AuditFact {
    /// `op_…`.
    pub(crate) operation: String,
    /// `create_image_cache`, …
    pub(crate) action: String,
    /// `accepted` is the beginning, all else the end.
    pub(crate) outcome: String,
}

/// How long it took, after a fault, until a create went through.
#[derive(Debug, Clone)]
pub(crate) struct RecoveryTime {
    /// The fault, in words.
    pub(crate) fault: String,
    /// From the fault to the create's success; none if it never came.
    pub(crate) took: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// What clients asked and heard.
    pub(crate) clients: Vec<ClientFact>,
    /// What the stand-in did.
    pub(crate) acts: Vec<JournalAct>,
    /// What the receiver heard.
    pub(crate) hooks: Vec<HookFact>,
    pub(crate) caches: Vec<CacheRow>,
    pub(crate) operations: Vec<OperationFact>,
    pub(crate) events: Vec<EventFact>,
    /// The rows, in any order.
    pub(crate) transitions: Vec<TransitionFact>,
    /// The request ids of all audit entries.
    pub(crate) audited: BTreeSet<String>,
    /// The audit entries that tell of operations.
    pub(crate) audit: Vec<AuditFact>,
    /// What `audit verify` found.
    pub(crate) audit_findings: Vec<String>,
    /// Deliveries that have not ended.
    pub(crate) waiting_deliveries: i64,
    /// How long recoveries took.
    pub(crate) recoveries: Vec<RecoveryTime>,
    /// What the cloud has at the end, by its ids.
    pub(crate) held: BTreeSet<String>,
    /// Of those, what is found and not ended, as the database says.
    pub(crate) findings: BTreeSet<String>,
    /// Whether the cloud lied at any time.
    pub(crate) lied: bool,
    /// The cloud's ids that were told for creates, by key, and lost with the database that had told them.
    pub(crate) lost: Vec<(String, String)>,
}

impl Evidence {
    /// What was put into the cloud behind the gateway's back, by its id; and when it is ready at the earliest.
    pub(crate) fn put(&self) -> BTreeMap<&str, DateTime<Utc>> {
        let put = self.clients.iter().filter_map(|fact| match fact {
            ClientFact::Put { eci_cache_id, ready_at } => Some((eci_cache_id.as_str(), *ready_at)),
            _ => None,
        });
        put.collect()
    }
}
