//! `problems`: prints the page of the documentation about the codes of problems, or the same as JSON.

use super::{CommandFailure, console};
use crate::http::problem::catalogue::Catalogue;

/// The options of `problems`.
#[derive(Debug, clap::Args)]
pub(super) struct ProblemsArgs {
    /// The output format: for the documentation, or for programs.
    #[arg(long, value_enum, default_value_t = ProblemsFormat::Markdown)]
    format: ProblemsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ProblemsFormat {
    Markdown,
    Json,
}

pub(super) fn run(arguments: &ProblemsArgs) -> Result<(), CommandFailure> {
    let catalogue = Catalogue::whole();
    let text = match arguments.format {
        ProblemsFormat::Markdown => catalogue.markdown(),
        ProblemsFormat::Json => serde_json::to_string_pretty(&catalogue).map_err(anyhow::Error::from)? + "\n",
    };
    console::answer(&text)
}
