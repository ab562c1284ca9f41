//! The test of the test: the parts of `tests/chaos` that decide are tried here, because that is a program of its own.
#![cfg(test)]

#[path = "../chaos/check/mod.rs"]
mod check;
#[path = "../chaos/proxy/mod.rs"]
mod proxy;

mod proxied;
mod trials;
