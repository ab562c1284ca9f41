//! Tests of these checks: what must be detected, and what must not.

use std::path::Path;

use super::rules::{faults, module_of};
use super::tokens::{tokens, without_tests};

fn caught(file: &str, source: &str) -> Vec<String> {
    let (kept, _) = without_tests(&tokens(source));
    faults(Path::new(file), &kept)
}

#[test]
fn what_breaks_a_rule_is_caught_with_file_and_line() {
    for (file, source, fault) in [
        (
            "store/rows.rs",
            "\nuse crate::app::Gateway;",
            "src/store/rows.rs:2: store names crate::app; it may name domain, egress, net only",
        ),
        ("domain/ids.rs", "fn a() { crate::eci::b() }", "domain names crate::eci; it may name itself only"),
        ("eci.rs", "use crate::{domain::ids, store as s};", "eci names crate::store"),
        ("app/view.rs", "use super::super::http;", "app names crate::http"),
        ("app.rs", "use super::{domain, worker};", "app names crate::worker"),
        ("app/view.rs", "mod inner { use super::super::super::http::x; }", "app names crate::http"),
        ("app/view.rs", "use super::{super::{cli::x}, y};", "app names crate::cli"),
        ("app/view.rs", "pub(in crate::http) fn a() {}", "app names crate::http"),
        ("app/view.rs", "use crate::*;", "app names the crate's root"),
        ("app/view.rs", "use crate as root;", "app names the crate's root"),
        ("app.rs", "use super::*;", "app names the crate's root"),
        ("http.rs", "use crate::worker::Worker;", "http names crate::worker"),
        ("sim.rs", "use crate::webhook::sign;", "sim names crate::webhook; it may name eci, net, domain only"),
        ("receiver.rs", "use crate::eci;", "it may name webhook, net, domain only"),
        (
            "http/x.rs",
            "use crate::store::Store;",
            "http names crate::store; it may name app, config, eci, webhook, net, domain",
        ),
        ("worker.rs", "use crate::store::Store;", "worker names crate::store; it may name app, domain only"),
        ("telemetry.rs", "use crate::domain::clock;", "telemetry names crate::domain; it may name itself only"),
        ("app/x.rs", "use crate::localpg::Server;", "app names crate::localpg"),
        ("config.rs", "use crate::telemetry::x;", "config names crate::telemetry"),
        (
            "main.rs",
            "fn main() { eci_cache_gateway::config::x() }",
            "names eci_cache_gateway::config::x; the binary may",
        ),
        ("app/x.rs", "use sqlx::PgPool;", "app uses sqlx; only store may"),
        ("app/x.rs", "fn a() -> ::reqwest::Client {}", "app uses reqwest; only eci, auth, egress may"),
        ("app/x.rs", "#[derive(sqlx::FromRow)] struct A;", "app uses sqlx"),
        ("app/x.rs", "use {axum as web, std::sync::Arc};", "app uses axum; only http, sim may"),
        ("app/x.rs", "use axum;", "app uses axum"),
        ("http/x.rs", "fn a() { let b = vec![1, anyhow::Error::c()]; }", "http uses anyhow; only assembly, cli may"),
        ("config/x.rs", "use clap::Parser;", "config uses clap"),
        ("eci/x.rs", "use aws_lc_rs::hmac;", "eci uses aws_lc_rs; only crypto, auth, webhook may"),
        ("domain/x.rs", "use tokio::time;", "domain uses tokio; domain may not"),
        ("cli/x.rs", "use std::{env, fs};", "cli uses std::env; only config may"),
        ("http/x.rs", "let a = b'\"'; std::fs::read(c)", "http uses std::fs; domain, app, http may not"),
        ("app/x.rs", "let a = '\\''; let b: &'static str = c; use sqlx::D;", "app uses sqlx"),
        ("app/x.rs", "r#\"a\" \\\"#; use sqlx::D;", "app uses sqlx"),
        ("app/x.rs", "#[cfg(test)] mod t { fn a() {} } use sqlx::D;", "app uses sqlx"),
        ("app/x.rs", "#[cfg(test)] #[path = \"x\"] mod t; use sqlx::D;", "app uses sqlx"),
        ("app/x.rs", "/* a /* b */ c */ use sqlx::D;", "app uses sqlx"),
    ] {
        let found = caught(file, source);
        assert!(found.len() == 1 && found[0].contains(fault), "{file}: {source}: {found:?}");
    }
}

#[test]
fn what_keeps_the_rules_is_let_through() {
    for (file, source) in [
        ("app/view.rs", "use crate::{app::input, domain::ids, store::{self, rows}};"),
        ("app/view/convert.rs", "use super::super::error; use super::*; pub(in crate::app) fn a() {}"),
        ("app/view.rs", "mod tests { use super::*; use super::super::error; }"),
        ("app/view.rs", "// crate::http\n/* crate::http /* crate::http */ */ /// [`crate::http`]"),
        (
            "app/view.rs",
            "let a = \"crate::http \\\" crate::cli\"; let b = r#\"sqlx::x\" crate::cli\"#; let c = b\"sqlx::x\";",
        ),
        ("app/view.rs", "#[cfg(test)]\nmod tests { use crate::http::x; fn a() { use sqlx::b; } }"),
        ("app/view.rs", "#[cfg(test)] use sqlx::x; #[cfg(test)] fn a() -> [u8; 3] { sqlx::b() }"),
        ("app/view.rs", "#![cfg(test)] use crate::http;"),
        ("cli/serve.rs", "use crate::{config, telemetry, shutdown, http, sim::Settings, domain};"),
        ("worker.rs", "use tokio::time; use crate::app::Gateway; pub(crate) fn a() { self::b(); }"),
        ("localpg/x.rs", "match std::env::consts::OS { _ => std::fs::read(a) }"),
        ("main.rs", "fn main() -> std::process::ExitCode { eci_cache_gateway::cli::main() }"),
        ("eci/x.rs", "a.sqlx::<B>(); let sqlx = 1; b.axum.c();"),
    ] {
        assert_eq!(caught(file, source), <[String; 0]>::default(), "{file}: {source}");
    }
}

#[test]
fn modules_of_tests_are_found_and_files_have_their_modules() {
    let (_, modules) = without_tests(&tokens("mod a; #[cfg(test)] mod b; #[cfg(test)] pub(crate) mod c; mod d {}"));
    assert_eq!(modules, ["b", "c"]);
    for (file, module) in [("lib.rs", ""), ("app.rs", "app"), ("app/view/convert.rs", "app::view::convert")] {
        assert_eq!(module_of(Path::new(file)).join("::"), module, "{file}");
    }
}
