//! Outgoing connections: signatures, credentials, proxies, connection reuse.
#![cfg(test)]

mod assumed_role;
mod connections;
mod egress;
mod own_key;
mod signing_v1;
mod signing_v3;
