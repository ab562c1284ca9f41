//! Carries out the schedule, and measures after each fault how long it takes until a create goes through.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::check::evidence::Recovery;
use crate::client::{Clients, TEAMS, Wish};
use crate::plan::{Fault, Lane, Link, Who};
use crate::proxy::{Proxy, Shot, Sky};
use crate::settings;

/// How long a recovery is watched for.
const WATCHED: Duration = Duration::from_mins(1);
/// So long after one probe the next is sent.
const NEXT: Duration = Duration::from_secs(1);

/// Who hurts.
pub(crate) struct Injector {
    clients: Arc<Clients>,
    begun: Instant,
    clocks: Mutex<[i64; 3]>,
    /// What happened, by name.
    counts: Mutex<BTreeMap<&'static str, usize>>,
    recoveries: Mutex<Vec<Recovery>>,
}

impl Injector {
    pub(crate) fn new(clients: Arc<Clients>) -> Self {
        Self {
            clients,
            begun: Instant::now(),
            clocks: Mutex::default(),
            counts: Mutex::default(),
            recoveries: Mutex::default(),
        }
    }

    /// Carries out everything, each lane one fault after the other.
    pub(crate) async fn run(self: &Arc<Self>, schedule: Vec<(Duration, Fault)>) -> anyhow::Result<()> {
        let mut lanes = JoinSet::new();
        for lane in Lane::ALL {
            let faults: Vec<_> = schedule.iter().filter(|(_, fault)| fault.lane() == lane).cloned().collect();
            lanes.spawn(Arc::clone(self).lane(faults));
        }
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn lane(self: Arc<Self>, faults: Vec<(Duration, Fault)>) -> anyhow::Result<()> {
        let mut probes = JoinSet::new();
        for (at, fault) in faults {
            sleep_until((self.begun + at).into()).await;
            *self.counts().entry(fault.name()).or_default() += 1;
            let injector = Arc::clone(&self);
            let (words, begun) = (fault.to_string(), Instant::now());
            eprintln!("{:>7.1} s  {words}", (begun - self.begun).as_secs_f64());
            let away = away(&fault);
            if let Some(who) = away {
                self.clients.house.of(who).away.store(true, Ordering::Relaxed);
            }
            probes.spawn(async move { injector.probe(words, begun).await });
            let done = self.inflict(&fault).await;
            if let Some(who) = away {
                self.clients.house.of(who).away.store(false, Ordering::Relaxed);
            }
            done?;
        }
        while let Some(ended) = probes.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn inflict(&self, fault: &Fault) -> anyhow::Result<()> {
        let house = &self.clients.house;
        match fault {
            Fault::Kill(who, pause) => house.of(*who).kill(*pause).await?,
            Fault::Freeze(who, pause) => house.of(*who).freeze(*pause).await,
            Fault::Partition(who, link, pause) => {
                let silent = Sky { silent: true, ..Sky::default() };
                self.under(self.proxy(*who, *link), silent, *pause).await;
            }
            Fault::Slow(who, link, delay, pause) => {
                let slow = Sky { up: *delay, down: *delay, ..Sky::default() };
                self.under(self.proxy(*who, *link), slow, *pause).await;
            }
            Fault::StopPostgres(pause) => house.crash_postgres(*pause).await?,
            Fault::LoseCommit(who) => house.of(*who).database.shoot(Shot::LoseCommit),
            Fault::LoseStatement(who) => house.of(*who).database.shoot(Shot::LoseStatement),
            Fault::Cut(who, link, up, at) => {
                self.proxy(*who, *link).shoot(if *up { Shot::CutUp(*at) } else { Shot::CutDown(*at) });
            }
            Fault::Storm(who, link) => self.proxy(*who, *link).storm(),
            Fault::Step(who, seconds) => {
                let offset = {
                    let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
                    clocks[*who as usize] += seconds;
                    clocks[*who as usize]
                };
                house.of(*who).set_clock(offset)?;
            }
            Fault::Cloud(fault) => {
                let url = format!("{}/_admin/faults", house.standin);
                let told = settings::http()?.post(url).body(fault.clone()).send().await?;
                anyhow::ensure!(told.status().is_success(), "the stand-in takes {fault}");
            }
        }
        Ok(())
    }

    async fn under(&self, proxy: &Proxy, sky: Sky, pause: Duration) {
        proxy.set(sky);
        tokio::time::sleep(pause).await;
        proxy.set(Sky::default());
    }

    fn proxy(&self, who: Who, link: Link) -> &Proxy {
        let gateway = self.clients.house.of(who);
        match link {
            Link::Clients => &gateway.door,
            Link::Cloud => &gateway.cloud,
            Link::Database => &gateway.database,
            Link::Receiver => &self.clients.house.hooks,
        }
    }

    /// Asks a healthy gateway for a cache, each second for another one, until one create goes through at once. (Those
    /// that did not are operations like any other: they must end, too.)
    async fn probe(self: Arc<Self>, fault: String, begun: Instant) -> anyhow::Result<()> {
        let mut asked = JoinSet::new();
        let mut took = None;
        while took.is_none() && begun.elapsed() < WATCHED {
            asked.spawn(Arc::clone(&self).ask());
            let next = sleep_until((Instant::now() + NEXT).into());
            tokio::pin!(next);
            while took.is_none() {
                tokio::select! {
                    Some(made) = asked.join_next() => took = made??.then(|| begun.elapsed()),
                    () = &mut next => break,
                }
            }
        }
        self.recoveries.lock().unwrap_or_else(PoisonError::into_inner).push(Recovery { fault, took });
        Ok(())
    }

    /// One probe: whether its cache was made.
    async fn ask(self: Arc<Self>) -> anyhow::Result<bool> {
        let number = self.clients.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("probe-{number}");
        let create = Wish {
            method: Method::POST,
            path: "/v1/image-caches".to_owned(),
            body: Some(json!({"name": name, "region": "cn-hangzhou", "images": ["nginx:1.27"]})),
            key: Some(name),
            action: "create",
        };
        let doors = self.clients.house.doors();
        let away = self.clients.house.gateways.iter().any(|gateway| gateway.away.load(Ordering::Relaxed));
        let turn = if away { 0 } else { usize::try_from(number)? % doors.len() };
        let heard = self.clients.ask(TEAMS[0], &create, Some(doors[turn])).await?;
        Ok(heard.is_some_and(|heard| heard.status == 201))
    }

    /// Takes every fault back.
    pub(crate) async fn heal(&self) -> anyhow::Result<()> {
        let house = &self.clients.house;
        for (number, gateway) in house.gateways.iter().enumerate() {
            for proxy in [&gateway.door, &gateway.cloud, &gateway.database] {
                proxy.set(Sky::default());
                proxy.disarm();
            }
            self.clocks.lock().unwrap_or_else(PoisonError::into_inner)[number] = 0;
            gateway.set_clock(0)?;
        }
        house.hooks.disarm();
        settings::http()?.delete(format!("{}/_admin/faults", house.standin)).send().await?;
        Ok(())
    }

    /// What happened, by name.
    pub(crate) fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long recoveries took.
    pub(crate) fn recoveries(&self) -> Vec<Recovery> {
        self.recoveries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whom a fault takes away from its callers.
fn away(fault: &Fault) -> Option<Who> {
    match fault {
        Fault::Kill(who, _) | Fault::Freeze(who, _) | Fault::Partition(who, ..) => Some(*who),
        _ => None,
    }
}
