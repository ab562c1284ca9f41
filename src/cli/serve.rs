//! `serve`: the API, with the workers beside it unless they run elsewhere.

use anyhow::Context as _;

use super::process::{Process, listen, worker_name};
use super::{Failure, assemble, inherited, runtime, wrong};
use crate::config::{Config, ServeConfig};
use crate::shutdown;
use crate::telemetry::Metrics;

/// How to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Leave the workers to processes of their own (`worker`).
    #[arg(long)]
    no_worker: bool,
}

pub(super) fn run(config: Config, arguments: &Arguments) -> Result<(), Failure> {
    let config = config.for_serve().map_err(|errors| wrong(&errors))?;
    Ok(runtime()?.block_on(serve(&config, !arguments.no_worker))?)
}

async fn serve(config: &ServeConfig, with_workers: bool) -> anyhow::Result<()> {
    let listener = inherited::or_listen(config.listen).await?;
    let address = listener.local_addr()?;
    let metrics = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let ours: Vec<_> = [Some(address), config.metrics_listen].into_iter().flatten().collect();
    let links = assemble::links(config)?;
    let process = Process {
        gateway: assemble::gateway(config, &ours)?,
        metrics: Metrics::install().context("the metrics")?,
        stop: shutdown::on_signals()?,
    };
    process.guard_audit().await?;
    tracing::info!(address = %address, workers = with_workers, "serving");
    let work = async {
        if with_workers {
            process.work(&worker_name()).await;
        }
    };
    let all = async {
        tokio::join!(process.serve(listener, metrics, config, links), work, process.upkeep());
        process.end().await;
    };
    process.until_stopped(all).await;
    tracing::info!("stopped");
    Ok(())
}
