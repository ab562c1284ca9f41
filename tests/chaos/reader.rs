//! Readers of the feed: one for each team, whose cursor survives everything.
//!
//! What must stay true: a page is recorded before its cursor is used; a cursor is given up only if the gateway says
//! that it is invalid.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::check::evidence::ClientFact;
use crate::client::{Clients, Wish};

/// The long-poll timeout of a page in seconds.
const WAIT: u32 = 5;
/// This many empty pages in a row are the end: an event may be held up by a running transaction.
const EMPTY: usize = 3;
/// The maximum time for reading to the end.
const LONGEST: Duration = Duration::from_mins(1);

/// Reads one team's feed to its end again and again, with the cursor that it has.
#[derive(Debug)]
pub(crate) struct FeedReader {
    team: &'static str,
    cursor: Mutex<Option<String>>,
}

impl FeedReader {
    /// A reader of a team's feed, from its beginning.
    pub(crate) fn of(team: &'static str) -> Self {
        Self { team, cursor: Mutex::default() }
    }

    /// Reads until told to stop.
    pub(crate) async fn run(&self, clients: &Clients) -> anyhow::Result<()> {
        while !clients.stop.load(Ordering::Relaxed) {
            if self.page(clients, WAIT).await?.is_none() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
        Ok(())
    }

    /// Reads the rest, once nothing happens any more.
    pub(crate) async fn read_to_the_end(&self, clients: &Clients) -> anyhow::Result<()> {
        let (begun, mut empty) = (Instant::now(), 0);
        while empty < EMPTY && begun.elapsed() < LONGEST {
            match self.page(clients, 1).await? {
                Some(0) => empty += 1,
                _ => empty = 0,
            }
        }
        Ok(())
    }

    /// The number of events on the next page; `None` if there was no page.
    async fn page(&self, clients: &Clients, wait: u32) -> anyhow::Result<Option<usize>> {
        let cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let behind = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let wish = Wish::read(format!("/v1/events?limit=100&wait_seconds={wait}{behind}"));
        let Some(heard) = clients.ask(self.team, &wish, None).await? else { return Ok(None) };
        let team = self.team.to_owned();
        if heard.status == 410 {
            clients.ledger.note(&ClientFact::Anew { team });
            *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return Ok(None);
        }
        let Some(next) = heard.json["next_cursor"].as_str().filter(|_| heard.status == 200) else { return Ok(None) };
        let ids = heard.json["items"].as_array().into_iter().flatten().filter_map(|event: &Value| event["id"].as_str());
        let events: Vec<String> = ids.map(str::to_owned).collect();
        let count = events.len();
        if count > 0 {
            clients.ledger.note(&ClientFact::Heard { team, events });
        }
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = Some(next.to_owned());
        Ok(Some(count))
    }
}
