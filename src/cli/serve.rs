//! `serve`: the API, and the workers too unless they run in other processes.

use super::process::{Process, listen_for_operators, worker_name};
use super::{CommandFailure, inherited, runtime, wrong};
use crate::assembly;
use crate::config::{Loaded, ServeConfig};
use crate::{shutdown, telemetry};

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Do not run the workers; separate processes run them (`worker`).
    #[arg(long)]
    no_worker: bool,
}

pub(super) fn run(loaded: Loaded, arguments: &ServeArgs) -> Result<(), CommandFailure> {
    let config = loaded.for_serve().map_err(wrong)?;
    Ok(runtime()?.block_on(serve(&config, !arguments.no_worker))?)
}

async fn serve(config: &ServeConfig, with_workers: bool) -> anyhow::Result<()> {
    let listener = inherited::or_listen(config.server.listen).await?;
    let address = listener.local_addr()?;
    let operators = listen_for_operators(config.server.metrics_listen).await?;
    let ours: Vec<_> = [Some(address), config.server.metrics_listen].into_iter().flatten().collect();
    let links = assembly::links(config);
    let process = Process::new(assembly::gateway(config, &ours)?, shutdown::on_signals(telemetry::flush)?)?;
    process.begin().await?;
    tracing::info!(address = %address, workers = with_workers, "serving");
    let work = async {
        if with_workers {
            process.work(&worker_name()).await;
        }
    };
    let all = async {
        tokio::join!(process.serve(listener, operators, config, links), work, process.upkeep());
        process.end().await;
    };
    Box::pin(process.until_stopped(all)).await?;
    tracing::info!("stopped");
    Ok(())
}
