//! Secrets: none is ever disclosed, and the key that encrypts them can be replaced.
#![cfg(test)]

pub(crate) mod canary;
mod rotation;
