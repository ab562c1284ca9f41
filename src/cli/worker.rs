//! `worker`: the workers without the API.

use anyhow::Context as _;

use super::process::{Process, worker_name};
use super::{Failure, assemble, runtime, wrong};
use crate::config::{Config, ServeConfig};
use crate::shutdown;
use crate::telemetry::Metrics;

pub(super) fn run(config: Config) -> Result<(), Failure> {
    let config = config.for_serve().map_err(|errors| wrong(&errors))?;
    Ok(runtime()?.block_on(work(&config))?)
}

async fn work(config: &ServeConfig) -> anyhow::Result<()> {
    let process = Process {
        gateway: assemble::gateway(config, &[config.listen])?,
        metrics: Metrics::install().context("the metrics")?,
        stop: shutdown::on_signals()?,
    };
    let name = worker_name();
    tracing::info!(worker = name, "working");
    let all = async {
        tokio::join!(process.work(&name), process.upkeep());
        process.end().await;
    };
    process.until_stopped(all).await;
    tracing::info!("stopped");
    Ok(())
}
