//! Carries out the schedule.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::check::evidence::Recovery;
use crate::client::Clients;
use crate::plan::{Fault, Lane, Link, Who};
use crate::probe::Probes;
use crate::proxy::{Proxy, Shot, Sky};
use crate::settings;

/// Who hurts.
pub(crate) struct Injector {
    clients: Arc<Clients>,
    begun: Instant,
    clocks: Mutex<[i64; 3]>,
    /// What happened, by name.
    counts: Mutex<BTreeMap<&'static str, usize>>,
    inflicted: Mutex<Vec<(String, Instant)>>,
}

impl Injector {
    pub(crate) fn new(clients: Arc<Clients>) -> Self {
        Self {
            clients,
            begun: Instant::now(),
            clocks: Mutex::default(),
            counts: Mutex::default(),
            inflicted: Mutex::default(),
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
        for (at, fault) in faults {
            sleep_until((self.begun + at).into()).await;
            *self.counts().entry(fault.name()).or_default() += 1;
            let (words, begun) = (fault.to_string(), Instant::now());
            eprintln!("{:>7.1} s  {words}", (begun - self.begun).as_secs_f64());
            let away = away(&fault);
            if let Some(who) = away {
                self.clients.house.of(who).away.store(true, Ordering::Relaxed);
            }
            self.inflicted.lock().unwrap_or_else(PoisonError::into_inner).push((words, begun));
            let done = self.inflict(&fault).await;
            if let Some(who) = away {
                self.clients.house.of(who).away.store(false, Ordering::Relaxed);
            }
            done?;
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
            Fault::ReadOnly(pause) => house.read_only(*pause).await?,
            Fault::FailOver(pause) => drop(house.fail_over(*pause).await?),
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
            Fault::Setting(setting, pause) => house.set(*setting, *pause).await?,
            Fault::Hold(pause) => house.hold_transaction(*pause).await?,
            Fault::Cloud(fault) => self.tell_standin(fault.clone()).await?,
            Fault::Vanish(times) => self.tell_standin(nothing(*times)).await?,
        }
        Ok(())
    }

    async fn tell_standin(&self, fault: String) -> anyhow::Result<()> {
        let url = format!("{}/_admin/faults", self.clients.house.standin);
        let told = settings::http()?.post(url).body(fault.clone()).send().await?;
        anyhow::ensure!(told.status().is_success(), "the stand-in takes {fault}");
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

    /// How long each recovery took: until the first probe that was sent after the fault had gone through.
    pub(crate) fn recoveries(&self, probes: &Probes) -> Vec<Recovery> {
        let inflicted = self.inflicted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let recovery = |(fault, at): (String, Instant)| Recovery { fault, took: probes.first_after(at) };
        inflicted.into_iter().map(recovery).collect()
    }
}

/// So many answers to looks that are well formed, and empty.
fn nothing(times: usize) -> String {
    let body = r#"{\"RequestId\":\"5E5E8A70-9C1F-4A53-8E0B-000000000000\",\"TotalCount\":0,\"ImageCaches\":[]}"#;
    format!(r#"{{"action":"DescribeImageCaches","kind":"status","http":200,"body":"{body}","times":{times}}}"#)
}

/// Whom a fault takes away from its callers.
fn away(fault: &Fault) -> Option<Who> {
    match fault {
        Fault::Kill(who, _) | Fault::Freeze(who, _) | Fault::Partition(who, ..) => Some(*who),
        _ => None,
    }
}
