//! `sim`: runs only the stand-in, for everybody who develops against ECI.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::process::listen;
use super::{CommandFailure, console, runtime};
use crate::domain::clock::SystemClock;
use crate::domain::entropy::Entropy;
use crate::shutdown;
use crate::sim::{StandIn, StandInKey, StandInSettings};
use crate::telemetry::{self, LineFormat};

/// The options of `sim`.
#[derive(Debug, clap::Args)]
pub(super) struct SimArgs {
    /// The address to listen on. Port 0 chooses a free port.
    #[arg(long, default_value = "127.0.0.1:9080")]
    listen: SocketAddr,
    /// The speed of builds. At 1, a cache takes about 10 s.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// The access key id that the stand-in accepts.
    #[arg(long, default_value = "standin")]
    access_key_id: String,
    /// The secret of that key. It protects only test data.
    #[arg(long, default_value = "standin-secret")]
    access_key_secret: SecretString,
    /// The key of an additional account, with its secret: `ID:SECRET`. May be repeated.
    #[arg(long = "further-account", value_name = "ID:SECRET", value_parser = further)]
    further: Vec<StandInKey>,
    /// Keep the caches in this file across restarts.
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Write every create, update and delete that was carried out to this file, one per line.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// Each key has an account of its own.
fn further(text: &str) -> Result<StandInKey, String> {
    let pair = text.split_once(':').filter(|(id, secret)| !id.is_empty() && !secret.is_empty());
    let (id, secret) = pair.ok_or("must be the access key id, a colon and the secret")?;
    Ok(StandInKey { access_key_id: id.to_owned(), access_key_secret: secret.into(), account: id.to_owned() })
}

pub(super) fn run(arguments: &SimArgs) -> Result<(), CommandFailure> {
    telemetry::init_logs("info,sqlx=warn", LineFormat::Text)?;
    Ok(runtime()?.block_on(stand_in(arguments))?)
}

async fn stand_in(arguments: &SimArgs) -> anyhow::Result<()> {
    let stop = shutdown::on_signals(telemetry::flush)?;
    let settings = StandInSettings {
        access_key_id: arguments.access_key_id.clone(),
        access_key_secret: arguments.access_key_secret.clone(),
        further: arguments.further.clone(),
        speed: arguments.speed,
        state_file: arguments.state_file.clone(),
        journal: arguments.journal.clone(),
    };
    let listener = listen(arguments.listen).await?;
    let stand_in = StandIn::start(listener, settings, Arc::new(SystemClock), Arc::new(Entropy::from_os()));
    let (id, secret) = (&arguments.access_key_id, arguments.access_key_secret.expose_secret());
    // It keeps serving even if nobody reads this.
    let _nobody_reads = console::answer(&format!(
        "The stand-in speaks the cloud's API at {}\naccess key {id} with the secret {secret}\n",
        stand_in.url()
    ));
    stop.cancelled().await;
    stand_in.shutdown().await;
    Ok(())
}
