//! `worker`: the workers without the API. `/healthz`, `/readyz` and `/metrics` are served at `ECG_METRICS_LISTEN`.

use super::process::{Process, listen_for_operators, worker_name};
use super::{CommandFailure, runtime, wrong};
use crate::assembly;
use crate::config::{Loaded, ServeConfig};
use crate::{shutdown, telemetry};

pub(super) fn run(loaded: Loaded) -> Result<(), CommandFailure> {
    let config = loaded.for_worker().map_err(wrong)?;
    Ok(runtime()?.block_on(work(&config))?)
}

async fn work(config: &ServeConfig) -> anyhow::Result<()> {
    let operators = listen_for_operators(config.server.metrics_listen).await?;
    let ours: Vec<_> = [Some(config.server.listen), config.server.metrics_listen].into_iter().flatten().collect();
    let process = Process::new(assembly::gateway(config, &ours)?, shutdown::on_signals(telemetry::flush)?)?;
    process.begin().await?;
    let name = worker_name();
    let address = operators.as_ref().map(|listener| listener.local_addr().map(|address| address.to_string()));
    tracing::info!(worker = name, health = address.transpose()?, "working");
    let all = async {
        tokio::join!(process.work(&name), process.upkeep(), process.serve_operators(operators));
        process.end().await;
    };
    Box::pin(process.until_stopped(all)).await?;
    tracing::info!("stopped");
    Ok(())
}
