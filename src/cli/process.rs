//! A running gateway process: the API, the workers, or both, until told to stop; then a clean end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Gateway;
use crate::config::ServeConfig;
use crate::http::links::Links;
use crate::http::{self, DoorState, server};
use crate::telemetry::Metrics;
use crate::{shutdown, worker};

/// How often the database is asked for the role's rights while it does not answer.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);
/// How often the clock is set by the database's.
const CLOCK: Duration = Duration::from_secs(3);
/// How often that is tried, and looked for, until it was set once.
const SOON: Duration = Duration::from_millis(100);

/// What one process runs.
pub(super) struct Process {
    /// The gateway.
    pub(super) gateway: Gateway,
    /// The metrics of this process.
    pub(super) metrics: Metrics,
    /// When to stop.
    pub(super) stop: CancellationToken,
}

impl Process {
    /// Serves the API on `listener`, and the metrics on one of their own if there is one, until told to stop.
    pub(super) async fn serve(
        &self,
        listener: TcpListener,
        metrics: Option<TcpListener>,
        config: &ServeConfig,
        links: Links,
    ) {
        let limits = &config.limits;
        let tasks = TaskTracker::new();
        let settings = http::Settings {
            request_deadline: limits.request,
            body_deadline: limits.body,
            max_body_bytes: limits.body_bytes,
            max_url_bytes: limits.url_bytes,
            metrics_here: metrics.is_none(),
            ..http::Settings::default()
        };
        let state =
            DoorState { gateway: self.gateway.clone(), metrics: self.render(), settings, links, tasks: tasks.clone() };
        let limits = server::Limits {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            header_deadline: limits.header,
            keep_idle: limits.keep_idle,
            grace: limits.grace,
            write_deadline: limits.write,
            headers: limits.headers,
            head_bytes: limits.head_bytes,
            drain: shutdown::DRAIN.saturating_sub(limits.grace),
        };
        let api = server::serve(listener, http::router(state), limits, tasks, self.stop.clone());
        tokio::join!(api, self.serve_metrics(metrics, limits));
    }

    async fn serve_metrics(&self, listener: Option<TcpListener>, limits: server::Limits) {
        if let Some(listener) = listener {
            let router = http::metrics_router(self.render());
            server::serve(listener, router, limits, TaskTracker::new(), self.stop.clone()).await;
        }
    }

    fn render(&self) -> http::RenderMetrics {
        let metrics = self.metrics.clone();
        Arc::new(move || metrics.render())
    }

    /// Refuses a database role that could alter the audit. Fails if it is known to; while the database is away, or not
    /// migrated yet, it goes on asking, and stops the process when it turns out so.
    pub(super) async fn guard_audit(&self) -> anyhow::Result<()> {
        if let Ok(Some(powers)) = self.gateway.powers_over_audit().await {
            return too_strong(&powers);
        }
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(ASK_AGAIN)).await.is_some() {
                let Ok(Some(powers)) = gateway.powers_over_audit().await else { continue };
                if let Err(error) = too_strong(&powers) {
                    tracing::error!("{error}");
                    stop.cancel();
                }
                return;
            }
        });
        Ok(())
    }

    /// Runs the workers until told to stop. `name` tells this process from others on the same database.
    pub(super) async fn work(&self, name: &str) {
        // A request reads the clock when it comes; the workers must not begin by another one.
        while !self.gateway.clock().is_set() && !self.stop.is_cancelled() {
            let _ran_out = tokio::time::timeout(SOON, self.stop.cancelled()).await;
        }
        // The loops in one future: kept on the heap, off every caller's stack.
        Box::pin(worker::run(&self.gateway, name, worker::Intervals::default(), &self.stop)).await;
    }

    /// Runs `all`, which ends by itself once told to stop; what takes longer than [`shutdown::DRAIN`] from then on is left.
    pub(super) async fn until_stopped(&self, all: impl Future<Output = ()>) {
        let too_long = async {
            self.stop.cancelled().await;
            self.gateway.stop_waiting();
            tokio::time::sleep(shutdown::DRAIN).await;
        };
        tokio::select! {
            () = all => {}
            () = too_long => tracing::warn!("some work did not end in time; what is recorded is taken up by another process"),
        }
    }

    /// Keeps the metrics small and the clock right until told to stop.
    pub(super) async fn upkeep(&self) {
        let upkeep = self.metrics.clone().upkeep(self.stop.clone());
        tokio::join!(upkeep, self.keep_time());
    }

    async fn keep_time(&self) {
        while !self.stop.is_cancelled() {
            self.set_clock().await;
            // Running out is the usual end of a rest.
            let pause = if self.gateway.clock().is_set() { CLOCK } else { SOON };
            let _ran_out = tokio::time::timeout(pause, self.stop.cancelled()).await;
        }
    }

    async fn set_clock(&self) {
        if let Err(error) = self.gateway.keep_time().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the clock could not be read");
        }
    }

    /// Lets the calls in hand end, then closes the database.
    pub(super) async fn end(&self) {
        self.gateway.drain().await;
        self.gateway.close().await;
    }
}

fn too_strong(powers: &[String]) -> anyhow::Result<()> {
    if powers.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "this database role could alter the audit: {}. Use one that owns nothing and can only read and add audit entries, \
         as deploy/postgres/roles.sql makes it; `migrate` alone runs as the owner",
        powers.join("; ")
    )
}

/// A listener on `address`, with a sentence for the person whose port is taken.
pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is taken by another program: choose another port, or 0 for a free one")
        }
        _ => anyhow::Error::new(error).context(format!("listening on {address}")),
    })
}

/// This process's name among the workers: its host and process id.
pub(super) fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}
