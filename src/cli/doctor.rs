//! `doctor`: the permissions that the gateway needs, and whether it has exactly those.
//!
//! Nothing is changed, in the cloud or in the database. Exit codes: 0 everything is in place as far as can be checked;
//! 1 something is missing, is more than needed, or could not be checked; 2 incorrect usage or invalid settings.

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
