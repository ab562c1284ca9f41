//! Probes: a create twice a second through a healthy gateway, to distinguish a recovery from an outage.
//!
//! What must stay true: there are few probes, and never more of them if things go badly, because measuring must not add
//! load. (A probe that does not succeed at once is an operation like any other: it must end too.)

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::{Clients, TEAMS, Wish};

/// The interval of probes.
const NEXT: Duration = Duration::from_millis(500);
/// The maximum number of running probes.
const UNDER_WAY: usize = 6;

/// When successful probes were sent and answered.
#[derive(Debug, Default)]
pub(crate) struct Probes(Mutex<Vec<(Instant, Instant)>>);

impl Probes {
    /// Sends probes until dropped.
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

    /// How long after `at` the first probe succeeded that was sent after it.
    pub(crate) fn first_after(&self, at: Instant) -> Option<Duration> {
        let went = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        went.iter().filter(|(sent, _)| *sent >= at).map(|(_, answered)| *answered - at).min()
    }

    async fn probe(self: Arc<Self>, clients: Arc<Clients>) {
        // No probes while everything must be idle.
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
