//! `serve`: the API, with the workers beside it unless they run elsewhere.

use super::process::{Process, listen_for_operators, worker_name};
use super::{Failure, assemble, inherited, runtime, wrong};
use crate::config::{Config, ServeConfig, SettingError};
use crate::{shutdown, telemetry};

/// How to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Leave the workers to processes of their own (`worker`).
    #[arg(long)]
    no_worker: bool,
}

pub(super) fn run(config: Config, arguments: &Arguments) -> Result<(), Failure> {
    let config = config.for_serve().map_err(wrong)?;
    if config.metrics_listen.is_some_and(|metrics| metrics.port() != 0 && metrics == config.listen) {
        let message =
            "is the same as ECG_LISTEN: give it another port, or leave it out, and the API serves /metrics too";
        return Err(wrong(vec![SettingError {
            setting: "ECG_METRICS_LISTEN".to_owned(),
            message: message.to_owned(),
        }]));
    }
    Ok(runtime()?.block_on(serve(&config, !arguments.no_worker))?)
}

async fn serve(config: &ServeConfig, with_workers: bool) -> anyhow::Result<()> {
    let listener = inherited::or_listen(config.listen).await?;
    let address = listener.local_addr()?;
    let operators = listen_for_operators(config.metrics_listen).await?;
    let ours: Vec<_> = [Some(address), config.metrics_listen].into_iter().flatten().collect();
    let links = assemble::links(config)?;
    let process = Process::new(assemble::gateway(config, &ours)?, shutdown::on_signals(telemetry::flush)?)?;
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
