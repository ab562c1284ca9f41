//! The binary: see [`eci_cache_gateway::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    eci_cache_gateway::cli::main()
}
