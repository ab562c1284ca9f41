//! `receive`: a receiver of webhooks for development.

use super::Failure;

/// Where to receive.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 9099)]
    port: u16,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    Err(Failure::Usage(format!("not on port {} yet", arguments.port)))
}
