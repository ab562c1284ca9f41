//! Executes the schedule.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::check::evidence::RecoveryTime;
use crate::client::Clients;
use crate::plan::{FaultLane, FaultSchedule, NetworkLink, PlannedFault, Who};
use crate::probe::Probes;
use crate::proxy::{FaultProxy, Shot, Sky};
use crate::settings;

pub(crate) struct Injector {
    clients: Arc<Clients>,
    begun: Instant,
    clocks: Mutex<[i64; 3]>,
    /// How often each fault happened, by name.
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

    /// Executes the schedule; each lane executes its faults one after another, at times relative to this call.
    pub(crate) async fn run(self: &Arc<Self>, schedule: FaultSchedule) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut lanes = JoinSet::new();
        for lane in FaultLane::ALL {
            let faults: Vec<_> = schedule.iter().filter(|(_, fault)| fault.lane() == lane).cloned().collect();
            lanes.spawn(Arc::clone(self).lane(begun, faults));
        }
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn lane(self: Arc<Self>, start: Instant, faults: FaultSchedule) -> anyhow::Result<()> {
        for (at, fault) in faults {
            sleep_until((start + at).into()).await;
            if !self.clients.testbed.faketime && matches!(fault, PlannedFault::Leap(..) | PlannedFault::Step(..)) {
                continue;
            }
            *self.counts().entry(fault.name()).or_default() += 1;
            let (words, begun) = (fault.to_string(), Instant::now());
            eprintln!("{:>7.1} s  {words}", (begun - self.begun).as_secs_f64());
            let away = away(&fault);
            if let Some(who) = away {
                self.clients.testbed.of(who).away.store(true, Ordering::Relaxed);
            }
            self.inflicted.lock().unwrap_or_else(PoisonError::into_inner).push((words, begun));
            let done = self.inflict(&fault).await;
            if let Some(who) = away {
                self.clients.testbed.of(who).away.store(false, Ordering::Relaxed);
            }
            done?;
        }
        Ok(())
    }

    async fn inflict(&self, fault: &PlannedFault) -> anyhow::Result<()> {
        let testbed = &self.clients.testbed;
        match fault {
            PlannedFault::Kill(who, pause) => {
                let _start = testbed.start().await;
                testbed.of(*who).kill(*pause).await?;
            }
            PlannedFault::Freeze(who, pause) => {
                let _start = testbed.start().await;
                testbed.of(*who).freeze(*pause).await;
            }
            PlannedFault::Partition(who, link, pause) => {
                let _start = testbed.start().await;
                let silent = Sky { silent: true, ..Sky::default() };
                self.under(self.proxy(*who, *link), silent, *pause).await;
            }
            PlannedFault::Slow(who, link, delay, pause) => {
                let slow = Sky { up: *delay, down: *delay, ..Sky::default() };
                self.under(self.proxy(*who, *link), slow, *pause).await;
            }
            PlannedFault::StopPostgres(pause) => testbed.crash_postgres(*pause).await?,
            PlannedFault::ReadOnly(pause) => testbed.read_only(*pause).await?,
            PlannedFault::FailOver(pause) => drop(testbed.fail_over(*pause).await?),
            PlannedFault::LoseCommit(who) => testbed.of(*who).database.shoot(Shot::LoseCommit),
            PlannedFault::LoseStatement(who) => testbed.of(*who).database.shoot(Shot::LoseStatement),
            PlannedFault::Cut(who, link, up, at) => {
                self.proxy(*who, *link).shoot(if *up { Shot::CutUp(*at) } else { Shot::CutDown(*at) });
            }
            PlannedFault::Storm(who, link) => self.proxy(*who, *link).storm(),
            PlannedFault::Step(who, seconds) => {
                let offset = {
                    let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
                    clocks[*who as usize] += seconds;
                    clocks[*who as usize]
                };
                testbed.of(*who).set_clock(offset)?;
            }
            PlannedFault::Setting(setting, pause) => testbed.set(*setting, *pause).await?,
            PlannedFault::Hold(pause) => testbed.hold_transaction(*pause).await?,
            PlannedFault::Cloud(fault) => self.tell_standin(fault.clone()).await?,
            PlannedFault::Pretend => self.tell_standin(PRETEND.to_owned()).await?,
            PlannedFault::Hide(percent, pause) => self.lie(*percent, *pause).await?,
            PlannedFault::Leap(seconds, pause) => testbed.leap(*seconds, *pause).await?,
        }
        Ok(())
    }

    async fn tell_standin(&self, fault: String) -> anyhow::Result<()> {
        let url = format!("{}/_admin/faults", self.clients.testbed.standin);
        let told = settings::http()?.post(url).body(fault.clone()).send().await?;
        anyhow::ensure!(told.status().is_success(), "the stand-in takes {fault}");
        Ok(())
    }

    /// Hides that percentage for this long.
    async fn lie(&self, percent: u8, pause: Duration) -> anyhow::Result<()> {
        let (url, http) = (format!("{}/_admin/lies", self.clients.testbed.standin), settings::http()?);
        let told = http.post(&url).body(format!(r#"{{"hide_percent":{percent}}}"#)).send().await?;
        anyhow::ensure!(told.status().is_success(), "the stand-in hides {percent} in a hundred");
        self.clients.doubt.begins(pause);
        tokio::time::sleep(pause).await;
        http.delete(&url).send().await?;
        Ok(())
    }

    async fn under(&self, proxy: &FaultProxy, sky: Sky, pause: Duration) {
        proxy.set(sky);
        tokio::time::sleep(pause).await;
        proxy.set(Sky::default());
    }

    fn proxy(&self, who: Who, link: NetworkLink) -> &FaultProxy {
        let gateway = self.clients.testbed.of(who);
        match link {
            NetworkLink::Clients => &gateway.door,
            NetworkLink::Cloud => &gateway.cloud,
            NetworkLink::Database => &gateway.database,
            NetworkLink::Receiver => &self.clients.testbed.hooks,
        }
    }

    /// Ends all faults.
    pub(crate) async fn heal(&self) -> anyhow::Result<()> {
        let testbed = &self.clients.testbed;
        for (number, gateway) in testbed.gateways.iter().enumerate() {
            for proxy in [&gateway.door, &gateway.cloud, &gateway.database] {
                proxy.set(Sky::default());
                proxy.disarm();
            }
            self.clocks.lock().unwrap_or_else(PoisonError::into_inner)[number] = 0;
            gateway.set_clock(0)?;
        }
        testbed.hooks.disarm();
        testbed.clocked.set(0)?;
        for what in ["faults", "lies"] {
            settings::http()?.delete(format!("{}/_admin/{what}", testbed.standin)).send().await?;
        }
        Ok(())
    }

    /// Records something that is not in the schedule, and ended at `at`.
    pub(crate) fn note(&self, name: &'static str, at: Instant) {
        *self.counts().entry(name).or_default() += 1;
        self.inflicted.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), at));
    }

    /// How often each fault happened, by name.
    pub(crate) fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the cloud hid anything, or acknowledged a delete without carrying it out.
    pub(crate) fn has_lied(&self) -> bool {
        let lies =
            [PlannedFault::Pretend, PlannedFault::Hide(1, Duration::ZERO), PlannedFault::Hide(100, Duration::ZERO)];
        lies.iter().any(|lie| self.counts().contains_key(lie.name()))
    }

    /// How long each recovery took: until the first successful probe that was sent after the fault, without the time in
    /// which there was no database.
    pub(crate) fn recoveries(&self, probes: &Probes) -> Vec<RecoveryTime> {
        let inflicted = self.inflicted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outages = &self.clients.testbed.outages;
        let recovery = |(fault, at): (String, Instant)| {
            let took = probes.first_after(at).map(|took| took.saturating_sub(outages.between(at, at + took)));
            RecoveryTime { fault, took }
        };
        inflicted.into_iter().map(recovery).collect()
    }
}

/// The next delete is acknowledged but not carried out.
const PRETEND: &str = r#"{"action":"DeleteImageCache","kind":"pretend"}"#;

/// The gateway that a fault makes unreachable for its callers.
fn away(fault: &PlannedFault) -> Option<Who> {
    match fault {
        PlannedFault::Kill(who, _) | PlannedFault::Freeze(who, _) | PlannedFault::Partition(who, ..) => Some(*who),
        _ => None,
    }
}
