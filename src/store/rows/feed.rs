//! The feed as it is read: events in the order of their transactions, up to the oldest one that is still running.

use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::ids::{CacheId, EventId};
use crate::store::database::feed_position::FeedPosition;
use crate::store::{StoreError, unreadable};

/// One event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its id.
    pub id: EventId,
    /// Its position in the feed.
    pub place: FeedPosition,
    /// The name of its type.
    pub kind: String,
    /// The image cache that it is about, if any.
    pub cache: Option<CacheId>,
    /// The exact bytes that webhooks carry.
    pub body: String,
}

impl StoredEvent {
    /// Returns what was parsed from its body. `None`, logged once, if the body has the form of another version.
    pub fn unless_unreadable<T>(&self, made: Result<T, serde_json::Error>) -> Option<T> {
        let detail = |error: serde_json::Error| error.to_string();
        let made =
            made.map_err(detail).map_err(|detail| StoreError::Unreadable { table: "events", column: "body", detail });
        unreadable::read(self.id.to_string(), made)
    }
}

/// A stretch of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Its events, oldest first.
    pub events: Vec<StoredEvent>,
    /// Whether there are more events than were read, or a later life of the database to read.
    pub more: bool,
    /// How far the feed has been read: nothing before this position is unread.
    pub read_to: FeedPosition,
    /// The position up to which the team's events have been removed; the beginning if none were.
    pub removed_to: FeedPosition,
    /// Whether this database has had the life that was asked for. If not, it was restored from another database or an
    /// earlier state.
    pub known: bool,
}

/// An event, or only how far the feed can be read.
#[derive(FromRow)]
pub(in crate::store) struct EventRow {
    horizon: i64,
    life: Option<i64>,
    next_life: Option<i64>,
    id: Option<Uuid>,
    txid: Option<i64>,
    seq: Option<i64>,
    kind: Option<String>,
    image_cache: Option<Uuid>,
    body: Option<String>,
    #[sqlx(default)]
    removed_life: Option<i64>,
    #[sqlx(default)]
    removed_txid: Option<i64>,
    #[sqlx(default)]
    removed_seq: Option<i64>,
}

/// The columns of an [`EventRow`]: `now` has the horizon, `l` the life, `e` the event.
pub(in crate::store) const COLUMNS: &str = "now.horizon::text::bigint AS horizon, l.life, l.next_life, e.id,
     e.txid::text::bigint AS txid, e.seq, e.type AS kind, e.image_cache, e.body";

/// The lives of the database, each with the next one.
pub(in crate::store) const LIVES: &str =
    "(SELECT first_seq AS life, lead(first_seq) OVER (ORDER BY first_seq) AS next_life FROM feed_lives)";

/// An event of the life `l` that is settled: in the last life, one older than every running transaction; in earlier
/// lives, all. The `+ 0` keeps the planner from using an index by number, which has another order.
pub(in crate::store) const SETTLED: &str = "seq + 0 >= l.life AND (l.next_life IS NULL OR seq + 0 < l.next_life)
     AND txid < CASE WHEN l.next_life IS NULL THEN now.horizon ELSE '18446744073709551615'::xid8 END";

/// The oldest transaction that is still running: from there on the feed is not settled.
pub(in crate::store) const NOW: &str =
    "WITH now AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon)";

impl EventRow {
    /// The event, if there is one.
    pub(in crate::store) fn event(self) -> Option<StoredEvent> {
        Some(StoredEvent {
            id: self.id?.into(),
            place: FeedPosition { life: self.life?, transaction: self.txid?.unsigned_abs(), number: self.seq? },
            kind: self.kind?,
            cache: self.image_cache.map(CacheId::from),
            body: self.body?,
        })
    }

    fn removed_to(&self) -> Option<FeedPosition> {
        let (life, transaction) = (self.removed_life?, self.removed_txid?.unsigned_abs());
        Some(FeedPosition { life, transaction, number: self.removed_seq? })
    }
}

impl Stretch {
    /// A stretch from rows that were read with one more than `limit`, starting after `place`.
    pub(in crate::store) fn of(rows: Vec<EventRow>, limit: usize, place: FeedPosition) -> Self {
        let head = rows.first();
        let removed_to = head.and_then(EventRow::removed_to).unwrap_or(FeedPosition::BEGINNING);
        let known = head.is_some_and(|head| head.life.is_some());
        let next_life = head.and_then(|head| head.next_life);
        let horizon = head.map_or(0, |head| head.horizon.unsigned_abs());
        let mut events: Vec<StoredEvent> = rows.into_iter().filter_map(EventRow::event).collect();
        let cut = events.len() > limit;
        events.truncate(limit);
        let last = events.last().map_or(place, |last| last.place);
        let read_to = match next_life {
            _ if cut || !known => last,
            Some(next) => FeedPosition::before(next, 0),
            None => last.max(FeedPosition::before(place.life, horizon)),
        };
        Self { events, more: cut || next_life.is_some(), read_to, removed_to, known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(horizon: i64, place: Option<(i64, i64)>) -> EventRow {
        let text = place.map(|_| String::new());
        let id = place.map(|_| Uuid::nil());
        let (txid, seq) = (place.map(|place| place.0), place.map(|place| place.1));
        EventRow {
            horizon,
            life: Some(0),
            next_life: None,
            id,
            txid,
            seq,
            kind: text.clone(),
            image_cache: None,
            body: text,
            removed_life: None,
            removed_txid: None,
            removed_seq: None,
        }
    }

    fn at(transaction: u64, number: i64) -> FeedPosition {
        FeedPosition { life: 0, transaction, number }
    }

    #[test]
    fn what_was_read_to_its_end_is_read_to_the_horizon() {
        let stretch = Stretch::of(vec![row(9, Some((5, 1))), row(9, Some((7, 2)))], 2, at(1, 1));
        assert_eq!((stretch.events.len(), stretch.more, stretch.read_to), (2, false, at(9, 0)));
        let stretch = Stretch::of(vec![row(9, None)], 2, at(4, 3));
        assert_eq!((stretch.events.len(), stretch.more, stretch.read_to), (0, false, at(9, 0)));
    }

    #[test]
    fn what_was_not_is_read_to_its_last_event() {
        let stretch = Stretch::of(vec![row(9, Some((5, 1))), row(9, Some((7, 2)))], 1, at(1, 1));
        assert_eq!((stretch.events.len(), stretch.more, stretch.read_to), (1, true, at(5, 1)));
    }

    #[test]
    fn a_reader_never_goes_back() {
        assert_eq!(Stretch::of(vec![row(3, None)], 2, at(4, 3)).read_to, at(4, 3));
    }

    #[test]
    fn behind_a_life_that_has_ended_comes_the_next() {
        let of_before = |place| EventRow { next_life: Some(500), ..row(9, place) };
        let stretch = Stretch::of(vec![of_before(Some((90, 1)))], 2, at(80, 1));
        assert_eq!((stretch.events.len(), stretch.more, stretch.read_to), (1, true, FeedPosition::before(500, 0)));
        let cut = Stretch::of(vec![of_before(Some((90, 1))), of_before(Some((90, 2)))], 1, at(80, 1));
        assert_eq!((cut.more, cut.read_to), (true, at(90, 1)));
    }

    #[test]
    fn of_a_life_that_was_not_here_nothing_is_known() {
        let stretch = Stretch::of(vec![EventRow { life: None, ..row(9, None) }], 2, FeedPosition::before(77, 5));
        assert_eq!((stretch.known, stretch.read_to), (false, FeedPosition::before(77, 5)));
    }
}
