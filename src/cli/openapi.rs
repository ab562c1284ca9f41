//! `openapi`: prints the document. Needs no database and no secret.

use super::{CommandFailure, console};
use crate::http::openapi::{document_3_0, document_3_1};

/// The options of `openapi`.
#[derive(Debug, clap::Args)]
pub(super) struct OpenApiArgs {
    /// The version of OpenAPI. 3.1 is the source of truth, 3.0 is for generators that need it.
    #[arg(long, value_enum, default_value_t = Spec::V31)]
    spec: Spec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Spec {
    #[value(name = "3.0")]
    V30,
    #[value(name = "3.1")]
    V31,
}

pub(super) fn run(arguments: &OpenApiArgs) -> Result<(), CommandFailure> {
    let document = if arguments.spec == Spec::V30 { document_3_0() } else { document_3_1() };
    console::answer(&document)
}
