//! `migrate`: migrates the database to the schema of this version, as its owner, and grants the runtime role the
//! privileges that it needs: on the audit, only SELECT and INSERT.

use super::{CommandFailure, runtime, startup};
use crate::app::upkeep::startup::may_migrate;
use crate::assembly;
use crate::config::Config;
use crate::store::Stamp;

pub(super) fn run(config: &Config) -> Result<(), CommandFailure> {
    let Some(url) = config.database.migrate_url.as_ref().or(config.database.url.as_ref()) else {
        let text = "ECG_MIGRATE_DATABASE_URL (or ECG_DATABASE_URL) must be set: the database as the role that owns it";
        return Err(CommandFailure::Usage(text.to_owned()));
    };
    runtime()?.block_on(async {
        let store = assembly::store(url, &config.database, Stamp::none());
        startup::patiently(|| may_migrate(&store)).await?;
        store.migrate().await?;
        let role = &config.database.runtime_role;
        if !store.grant_runtime(role).await? {
            tracing::warn!(
                role,
                "the role in ECG_DATABASE_RUNTIME_ROLE does not exist: nothing was granted; see \
                 deploy/postgres/roles.sql"
            );
        }
        store.close().await;
        tracing::info!("the database is up to date");
        Ok(())
    })
}
