//! A running gateway process: the API, the workers, or both, until told to stop; then an orderly end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::startup::{DatabaseWatch, Pauses};
use crate::app::Gateway;
use crate::config::ServeConfig;
use crate::http::links::Links;
use crate::http::{self, DoorState, server};
use crate::telemetry::Metrics;
use crate::{shutdown, worker};

/// How often the issuers' keys are fetched until they have all been fetched once: as often as a failed fetch may be
/// repeated.
const ISSUER_KEYS: Duration = Duration::from_secs(5);
/// How often their age is checked.
const FRESH_KEYS: Duration = Duration::from_secs(30);
/// How often the clock is synchronized with the database's.
const CLOCK: Duration = Duration::from_secs(3);
/// How often that is tried, and checked, until it has succeeded once.
const SOON: Duration = Duration::from_millis(100);

/// What one process runs.
pub(super) struct Process {
    /// The gateway.
    pub(super) gateway: Gateway,
    /// The metrics of this process.
    pub(super) metrics: Metrics,
    /// Cancelled when the process is to stop.
    pub(super) stop: CancellationToken,
    /// Why it stopped by itself, and what was logged about the database.
    state: ProcessState,
}

#[derive(Default)]
struct ProcessState {
    failed: Mutex<Option<anyhow::Error>>,
    watch: Mutex<DatabaseWatch>,
}

impl Process {
    /// A process that runs until `stop` is cancelled.
    pub(super) fn new(gateway: Gateway, stop: CancellationToken) -> anyhow::Result<Self> {
        Ok(Self { gateway, metrics: Metrics::install().context("the metrics")?, stop, state: ProcessState::default() })
    }

    /// Runs an essential part of the process: if it dies, the process stops and reports why at the end.
    async fn part(&self, name: &'static str, work: impl Future<Output = ()>) {
        if let Err(dead) = shutdown::essential(name, &self.stop, work).await {
            self.fail(dead.into());
        }
    }

    fn fail(&self, error: anyhow::Error) {
        // The first failure is the cause of the others.
        self.state.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop.cancel();
    }

    /// Serves the API on `listener`, and the operator's pages on a listener of their own if there is one, until told to
    /// stop.
    pub(super) async fn serve(
        &self,
        listener: TcpListener,
        operators: Option<TcpListener>,
        config: &ServeConfig,
        links: Links,
    ) {
        let limits = &config.limits;
        let tasks = TaskTracker::new();
        let settings = http::HttpSettings { metrics_here: operators.is_none(), ..http::HttpSettings::from(limits) };
        let proxies = links.proxies().clone();
        let state =
            DoorState { gateway: self.gateway.clone(), metrics: self.render(), settings, links, tasks: tasks.clone() };
        let drain = shutdown::DRAIN.saturating_sub(limits.grace);
        let limits = server::ConnectionLimits { drain, ..server::ConnectionLimits::from(limits) };
        let api = server::serve_behind(proxies, listener, http::router(state), limits, tasks, self.stop.clone());
        tokio::join!(self.part("the API", api), self.serve_operators(operators));
    }

    /// Health, readiness and metrics, until told to stop.
    pub(super) async fn serve_operators(&self, listener: Option<TcpListener>) {
        if let Some(listener) = listener {
            let router = http::operators_router(self.gateway.clone(), self.render());
            let limits = server::ConnectionLimits { drain: shutdown::DRAIN, ..server::ConnectionLimits::default() };
            let serving = server::serve(listener, router, limits, TaskTracker::new(), self.stop.clone());
            self.part("health and metrics", serving).await;
        }
    }

    fn render(&self) -> http::RenderMetrics {
        let metrics = self.metrics.clone();
        Arc::new(move || metrics.render())
    }

    /// Checks the database, its role and the keys. Fails if only other settings can fix what is found. Otherwise, until
    /// everything is fine, no requests are served and no work is done, and the check is repeated ([`Self::upkeep`]).
    pub(super) async fn begin(&self) -> anyhow::Result<()> {
        self.gateway.upkeep().hold_back();
        self.look().await
    }

    async fn look(&self) -> anyhow::Result<()> {
        let found = self.gateway.upkeep().may_begin().await;
        if found.is_ok()
            && let Err(error) = self.gateway.identity().meet_keys().await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "could not read the existing keys");
        }
        let mut watch = self.state.watch.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(()) => {
                watch.works();
                self.gateway.upkeep().begin();
            }
            Err(unfit) if unfit.is_final() => return Err(unfit.into()),
            Err(unfit) => watch.fails(&unfit),
        }
        Ok(())
    }

    async fn go_on_beginning(&self) {
        let mut pauses = Pauses::default();
        while !self.gateway.base().has_begun() && self.stop.run_until_cancelled(sleep(pauses.next())).await.is_some() {
            if let Err(error) = self.look().await {
                self.fail(error);
            }
        }
    }

    /// Fetches the issuers' keys until they are there, so that the first callers need not wait for them; then keeps
    /// them fresh, so that failures are logged before anybody calls with a token.
    async fn fetch_issuer_keys(&self) {
        loop {
            let pause = if self.gateway.identity().prepare_tokens().await { FRESH_KEYS } else { ISSUER_KEYS };
            if self.stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Runs the workers until told to stop. `name` identifies this process among those on the same database.
    pub(super) async fn work(&self, name: &str) {
        let _stopped = self.stop.run_until_cancelled(self.gateway.base().until_begun()).await;
        // Requests read the clock when they arrive; the workers must not start with an unsynchronized one.
        while !self.gateway.base().clock().is_set() && !self.stop.is_cancelled() {
            let _ran_out = tokio::time::timeout(SOON, self.stop.cancelled()).await;
        }
        // Boxed, because the future with all loops is too large for every caller's stack.
        let working = Box::pin(worker::run(&self.gateway, name, worker::Intervals::default(), &self.stop));
        self.part("the workers", working).await;
    }

    /// Runs `all`, which ends by itself once told to stop; whatever takes longer than [`shutdown::DRAIN`] from then on
    /// is abandoned. Fails if the process stopped by itself.
    pub(super) async fn until_stopped(&self, all: impl Future<Output = ()>) -> anyhow::Result<()> {
        let too_long = async {
            self.stop.cancelled().await;
            self.gateway.base().stop_waiting();
            tokio::time::sleep(shutdown::DRAIN).await;
        };
        tokio::select! {
            () = all => {}
            () = too_long => tracing::warn!("some work did not end in time; another process takes up what is recorded"),
        }
        self.state.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Maintains metrics and clock until told to stop.
    pub(super) async fn upkeep(&self) {
        let upkeep = self.metrics.clone().upkeep(self.stop.clone());
        let all = async {
            tokio::join!(upkeep, self.keep_time(), self.go_on_beginning(), self.fetch_issuer_keys());
        };
        // Boxed, because the future with all its tasks would enlarge every caller's.
        Box::pin(self.part("the upkeep", all)).await;
    }

    async fn keep_time(&self) {
        let _stopped = self.stop.run_until_cancelled(self.gateway.base().until_begun()).await;
        while !self.stop.is_cancelled() {
            self.set_clock().await;
            // Usually the pause ends by the timeout.
            let pause = if self.gateway.base().clock().is_set() { CLOCK } else { SOON };
            let _ran_out = tokio::time::timeout(pause, self.stop.cancelled()).await;
        }
    }

    /// Synchronizes the clock, and logs why if that fails.
    async fn set_clock(&self) {
        let found = match self.gateway.base().supervised("clock", self.gateway.base().keep_time()).await {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "could not read the clock");
                self.gateway.upkeep().reach_database().await
            }
        };
        let mut watch = self.state.watch.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(()) => watch.works(),
            Err(unfit) => watch.fails(&unfit),
        }
    }

    /// Lets the running calls end, then closes the database.
    pub(super) async fn end(&self) {
        self.gateway.base().drain().await;
        self.gateway.close().await;
    }
}

/// A listener on `address`, with a helpful error if the port is in use.
pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is in use by another program: choose a different port, or 0 for a free one")
        }
        _ => anyhow::Error::new(error).context(format!("listening on {address}")),
    })
}

/// The listener of the operator's pages, if it is configured.
pub(super) async fn listen_for_operators(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    match address {
        Some(address) => listen(address).await.map(Some),
        None => Ok(None),
    }
}

/// The name of this process among the workers: its host and process id.
pub(super) fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}
