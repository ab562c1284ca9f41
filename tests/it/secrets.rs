//! Secrets: none comes out anywhere, and the key that they are kept under can be replaced.
#![cfg(test)]

pub(crate) mod canary;
mod rotation;
