//! Between the halves, the database is dumped and restored into another server, on which the gateways continue.
//!
//! What must stay true: cursors and keys stay valid. For half of the seeds, everything that was acknowledged is in the
//! dump. For the other half, some creates are made after it, while everything else is idle, so that the judge knows
//! what was lost (between [`ClientFact::LossBegins`] and [`ClientFact::LossEnds`]); the same creates are repeated
//! afterwards.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use serde_json::json;
use tokio::process::Command;

use crate::check::evidence::ClientFact;
use crate::client::{Clients, TEAMS};
use crate::facts;
use crate::pair::ServerPair;
use crate::plan::Restore;
use crate::proxy::ProxyTarget;
use crate::testbed::Testbed;

/// How many creates are lost.
const LOST: usize = 6;
/// How long their events are delivered before the gateways stop.
const TOLD: Duration = Duration::from_secs(4);
/// The maximum time until everything is idle before it.
const STILL: Duration = Duration::from_mins(4);

/// Moves the database; returns when the gateways were up again.
pub(crate) async fn change_servers(clients: &Clients, restore: Restore) -> anyhow::Result<Instant> {
    let testbed = &clients.testbed;
    match restore {
        Restore::Whole => {
            testbed.stop().await?;
            let dump = testbed.dump().await?;
            testbed.restore(&dump).await?;
            testbed.start_again().await?;
        }
        Restore::Late => {
            // No scenario runs, and none starts until this is dropped.
            let _still = clients.turn.write().await;
            until_still(clients).await?;
            // Readers of the feed continue: what they read while it is dumped may be lost too.
            clients.ledger.note(&ClientFact::LossBegins { at: SystemClock.now() });
            let dump = testbed.dump().await?;
            for number in 0..LOST {
                create(clients, number).await?;
            }
            tokio::time::sleep(TOLD).await;
            testbed.stop().await?;
            // Until then, every client has recorded the responses that it read.
            tokio::time::sleep(Duration::from_secs(1)).await;
            clients.ledger.note(&ClientFact::LossEnds { at: SystemClock.now() });
            testbed.restore(&dump).await?;
            testbed.start_again().await?;
            for number in 0..LOST {
                create(clients, number).await?;
            }
        }
    }
    Ok(Instant::now())
}

async fn until_still(clients: &Clients) -> anyhow::Result<()> {
    let pool = facts::connect(&clients.testbed.database_url().await?).await?;
    let begun = Instant::now();
    loop {
        let unrest = facts::unrest(&pool, None).await?;
        if unrest.is_empty() {
            break;
        }
        anyhow::ensure!(begun.elapsed() < STILL, "before the dump nothing comes to rest: {unrest:?}");
        clients.ask_again().await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    pool.close().await;
    Ok(())
}

/// Sends the same create each time, until it is acknowledged.
async fn create(clients: &Clients, number: usize) -> anyhow::Result<()> {
    let body =
        json!({"name": format!("late-{number}"), "region": "cn-beijing", "images": [format!("nginx:3.{number}")]});
    clients.create(TEAMS[number % TEAMS.len()], &format!("late-{number}"), body).await?;
    Ok(())
}

impl Testbed {
    /// Dumps the database with `pg_dump`.
    async fn dump(&self) -> anyhow::Result<PathBuf> {
        let dump = self.folder.join("dump.sql");
        let mut command = self.client_of(&*self.postgres.lock().await, "pg_dump")?;
        command.arg("-f").arg(&dump).arg("postgres");
        done(command).await?;
        Ok(dump)
    }

    /// Restores the dump into another server, to which all gateways are connected from now on.
    async fn restore(&self, dump: &Path) -> anyhow::Result<()> {
        let [of_primary, of_standby] = self.further_options();
        let fresh = ServerPair::start(of_primary, of_standby).await?;
        crate::testbed::make_role(&fresh.primary()?.database_url()).await?;
        let mut command = self.client_of(&fresh, "psql")?;
        command.args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f"]).arg(dump).stdout(Stdio::null());
        done(command).await?;
        let socket = fresh.socket()?;
        for gateway in &self.gateways {
            gateway.database.lead_to(ProxyTarget::Postgres(socket.clone()));
        }
        let old = std::mem::replace(&mut *self.postgres.lock().await, fresh);
        Ok(tokio::task::spawn_blocking(|| drop(old)).await?)
    }

    async fn start_again(&self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway.start_again().await?;
        }
        Ok(())
    }

    /// One of Postgres's client programs, for the primary.
    fn client_of(&self, pair: &ServerPair, name: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(self.clocked.programs.join(name));
        let server = pair.primary()?;
        command.env_clear().env("LC_ALL", "C").arg("-h").arg(server.socket_dir()).args(["-U", server.user(), "-w"]);
        Ok(command)
    }
}

async fn done(mut command: Command) -> anyhow::Result<()> {
    let output = command.output().await.with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
