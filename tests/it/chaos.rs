//! The test of the test: the parts of `tests/chaos` that decide are tried here, because that is a program of its own.
#![cfg(test)]

#[path = "../chaos/check/mod.rs"]
#[expect(dead_code, reason = "what only the report shows is not tried here")]
mod check;
#[path = "../chaos/outages.rs"]
mod outages;
#[path = "../chaos/plan.rs"]
mod plan;
#[path = "../chaos/proxy/mod.rs"]
#[expect(dead_code, reason = "what needs a Postgres is not tried here")]
pub(crate) mod proxy;

mod planned;
mod proxied;
mod trials;
