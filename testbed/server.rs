//! How tests and benchmarks start a private server.

use std::env;
use std::path::{Path, PathBuf};

use eci_cache_gateway::localpg::{Durability, Options};

/// The options of a private server in `folder`.
pub(crate) fn options_for(folder: &Path, durability: Durability) -> Options {
    let install = env::var_os("ECG_PG_INSTALL").is_none_or(|value| value != "never");
    Options {
        folder: folder.to_owned(),
        durability,
        pg_bin: env::var_os("ECG_PG_BIN").map(PathBuf::from),
        search_path: env::var_os("PATH").unwrap_or_default(),
        install: install.then(|| tmp("postgres-from-npm")),
        max_connections: 120,
    }
}

/// A path below `target/tmp`.
pub(crate) fn tmp(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
