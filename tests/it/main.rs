//! Integration tests, in one binary.

mod openapi;
mod server;
