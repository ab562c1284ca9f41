//! Which modules may refer to which, and which crates each may use.

use std::path::{Component, Path};

use super::paths::{self, from_root};
use super::tokens::Token;

/// The floors, from the bottom up.
const FLOORS: [&[&str]; 8] = [
    &["domain"],
    &["egress", "net"],
    &["store", "eci", "auth", "webhook", "crypto"],
    &["config"],
    &["app"],
    &["http", "worker", "sim", "receiver"],
    &["assembly"],
    &["cli", "telemetry", "shutdown", "localpg"],
];

/// Who may use a crate or a part of it.
enum Users {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

use Users::{AllBut, Only};

/// Crates that are not listed are unrestricted. The longest matching path applies.
const CRATES: [(&str, Users); 27] = [
    ("sqlx", Only(&["store"])),
    ("reqwest", Only(&["eci", "auth", "egress"])),
    ("axum", Only(&["http", "sim"])),
    ("axum_extra", Only(&["http"])),
    ("hyper", Only(&["net", "http", "sim", "receiver", "webhook"])),
    ("hyper_util", Only(&["net", "webhook"])),
    ("hyper_rustls", Only(&["webhook"])),
    ("httpdate", Only(&["eci", "webhook"])),
    ("ipnet", Only(&["webhook"])),
    ("rustls_platform_verifier", Only(&["webhook"])),
    ("tower", Only(&["http", "sim", "webhook"])),
    ("tower_http", Only(&["http", "sim"])),
    ("jsonwebtoken", Only(&["auth"])),
    ("clap", Only(&["cli"])),
    ("strsim", Only(&["config"])),
    ("listenfd", Only(&["cli"])),
    // The clock that continues while the machine is suspended.
    ("nix", Only(&["domain"])),
    ("anyhow", Only(&["assembly", "cli"])),
    // In auth for verifying with key sets, in webhook for signing: both need more than a keyed hash.
    ("aws_lc_rs", Only(&["crypto", "auth", "webhook"])),
    ("tokio", AllBut(&["domain"])),
    ("tokio_util", AllBut(&["domain"])),
    ("futures_util", AllBut(&["domain"])),
    ("std::env", Only(&["config"])),
    // Neither reads the environment.
    ("std::env::consts", AllBut(&[])),
    ("std::env::split_paths", AllBut(&[])),
    ("std::fs", AllBut(&["domain", "app", "http"])),
    ("eci_cache_gateway", Only(&[])),
];

/// The module of a file below `src`: `app/view/convert.rs` is `app::view::convert`.
pub(super) fn module_of(file: &Path) -> Vec<String> {
    let parts = file.with_extension("");
    let names = parts.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    });
    names.filter(|name| !["mod", "lib"].contains(&name.as_str())).collect()
}

/// The violations in a file below `src`, each with its line. `tokens` is its code without tests.
pub(super) fn faults(file: &Path, tokens: &[Token]) -> Vec<String> {
    let home = module_of(file);
    let mut faults = Vec::new();
    for path in paths::paths(tokens) {
        let fault = match home.first().map(String::as_str) {
            // The crate root declares the modules and refers to nothing in them.
            None => None,
            Some("main") => binary(&path.parts),
            Some(module) => {
                from_root(&path, &home).map_or_else(|| of_crate(module, &path.parts), |to| named(module, &to))
            }
        };
        faults.extend(fault.map(|fault| format!("src/{}:{}: {fault}", file.display(), path.line)));
    }
    faults
}

/// The binary may only refer to the library's `cli`.
fn binary(parts: &[String]) -> Option<String> {
    let good = parts.starts_with(&["eci_cache_gateway".to_owned(), "cli".to_owned()])
        || parts.first().is_some_and(|first| first == "std");
    (!good).then(|| format!("names {}; the binary may name eci_cache_gateway::cli and std only", parts.join("::")))
}

/// What is wrong with a reference from `module` to `target`, both from the root.
fn named(module: &str, target: &[String]) -> Option<String> {
    let target = target.first().map_or("", String::as_str);
    if target == module {
        return None;
    }
    let allowed = allowed(module);
    if allowed.contains(&target) {
        return None;
    }
    let what = match target {
        "" | "*" => "the crate's root".to_owned(),
        name => format!("crate::{name}"),
    };
    let itself = if allowed.is_empty() { "itself only".to_owned() } else { format!("{} only", allowed.join(", ")) };
    Some(format!("{module} names {what}; it may name {itself}"))
}

/// The modules that `module` may refer to, besides itself.
fn allowed(module: &str) -> Vec<&'static str> {
    let floor = FLOORS.iter().position(|floor| floor.contains(&module)).unwrap_or_default();
    let reach = match module {
        "sim" => return vec!["eci", "net", "domain"],
        "receiver" => return vec!["webhook", "net", "domain"],
        // Doors reach the store and the cloud through `app`; they parse and write wire formats themselves.
        "http" => return vec!["app", "config", "eci", "webhook", "net", "domain"],
        "worker" => return vec!["app", "domain"],
        // Only for the command line, which passes in what they need.
        "telemetry" | "shutdown" | "localpg" => return Vec::new(),
        "cli" => &FLOORS[..],
        _ => &FLOORS[..floor],
    };
    reach.iter().flat_map(|floor| floor.iter().copied()).filter(|name| *name != module).collect()
}

/// Whether the module has a floor.
pub(super) fn has_a_floor(module: &str) -> bool {
    ["lib", "main"].contains(&module) || FLOORS.iter().any(|floor| floor.contains(&module))
}

/// What is wrong with `module` using this path of a crate.
fn of_crate(module: &str, parts: &[String]) -> Option<String> {
    let fits = |known: &&(&str, Users)| {
        known.0.split("::").zip(parts).filter(|(a, b)| a == b).count() == known.0.split("::").count()
    };
    let (name, users) = CRATES.iter().filter(fits).max_by_key(|(name, _)| name.len())?;
    match users {
        Only(users) if users.contains(&module) => None,
        AllBut(others) if !others.contains(&module) => None,
        Only([]) => Some(format!("{module} uses {name}, which nothing below src may")),
        Only(users) => Some(format!("{module} uses {name}; only {} may", users.join(", "))),
        AllBut(others) => Some(format!("{module} uses {name}; {} may not", others.join(", "))),
    }
}
