//! `doctor`: what the gateway needs of its surroundings, no more than that, and whether it has it.
//!
//! Nothing here changes anything, at the cloud or in the database. Exit codes: 0 everything is there, as far as it can
//! be known; 1 something is missing, is more than it should be, or could not be asked; 2 wrong use or wrong settings.

use super::CommandFailure;
use super::wrong;
use crate::config::Loaded;

mod cloud;
mod database;

/// The subcommands of `doctor`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum DoctorCommand {
    /// Print the RAM policy that each cloud account needs, and check at the cloud, without side effects, whether it
    /// is in place.
    Cloud(cloud::DoctorCloudArgs),
    /// Print the privileges that the runtime role needs in the database, and those that it lacks or does not need.
    Database(database::DoctorDatabaseArgs),
}

pub(super) fn run(arguments: &DoctorCommand, loaded: Loaded) -> Result<(), CommandFailure> {
    match arguments {
        DoctorCommand::Cloud(arguments) => cloud::run(arguments, loaded),
        DoctorCommand::Database(arguments) => database::run(arguments, &loaded.config().map_err(wrong)?),
    }
}
