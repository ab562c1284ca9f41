//! Probes: twice a second a create through a healthy gateway, so that a recovery can be told from an outage.
//!
//! What must stay true: the probes are few, and no more of them when things go badly: what measures must not weigh.
//! (A probe that did not go through at once is an operation like any other: it must end, too.)

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::{Clients, TEAMS, Wish};

/// From one probe to the next.
const NEXT: Duration = Duration::from_millis(500);
/// At most so many are under way.
const UNDER_WAY: usize = 6;

/// When probes that went through were sent, and when they were answered.
#[derive(Debug, Default)]
pub(crate) struct Probes(Mutex<Vec<(Instant, Instant)>>);

impl Probes {
    /// Probes for ever.
    pub(crate) async fn run(self: Arc<Self>, clients: Arc<Clients>) {
        let mut under_way = JoinSet::new();
        loop {
            if under_way.len() < UNDER_WAY {
                under_way.spawn(Arc::clone(&self).probe(Arc::clone(&clients)));
            }
            tokio::time::sleep(NEXT).await;
            while under_way.try_join_next().is_some() {}
        }
    }

    /// How long after `at` the first probe had gone through that was sent after it.
    pub(crate) fn first_after(&self, at: Instant) -> Option<Duration> {
        let went = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        went.iter().filter(|(sent, _)| *sent >= at).map(|(_, answered)| *answered - at).min()
    }

    async fn probe(self: Arc<Self>, clients: Arc<Clients>) {
        // None while everything is to stand still.
        let Ok(_turn) = clients.turn.try_read() else { return };
        let number = clients.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("probe-{number}");
        let create = Wish {
            method: Method::POST,
            path: "/v1/image-caches".to_owned(),
            body: Some(json!({"name": name, "region": "cn-hangzhou", "images": ["nginx:1.27"]})),
            key: Some(name),
            action: "create",
        };
        let doors = clients.testbed.doors();
        let away = clients.testbed.gateways.iter().any(|gateway| gateway.away.load(Ordering::Relaxed));
        let turn = if away { 0 } else { usize::try_from(number).unwrap_or_default() % doors.len() };
        let sent = Instant::now();
        if let Ok(Some(heard)) = clients.ask(TEAMS[0], &create, Some(doors[turn])).await
            && heard.status == 201
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((sent, Instant::now()));
        }
    }
}
