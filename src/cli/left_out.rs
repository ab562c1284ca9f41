//! Subcommands that production builds leave out: they report which build has them.

use super::CommandFailure;

/// Whatever is given.
#[derive(Debug, clap::Args)]
pub(super) struct LeftOutArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _any: Vec<String>,
}
pub(super) use self::{LeftOutArgs as DevArgs, LeftOutArgs as ReceiveArgs, LeftOutArgs as SimArgs};

/// The error message for that subcommand.
pub(super) fn refusal(subcommand: &str) -> CommandFailure {
    CommandFailure::Usage(format!(
        "this build leaves `{subcommand}` out: it is for development and needs the cargo feature `dev`, which every build \
         has but one with --no-default-features (docs/compose.md, \"The image\")"
    ))
}
