//! Our side of the way to the cloud: signatures, credentials, proxies, connections that are used again.
#![cfg(test)]

mod assumed_role;
mod connections;
mod egress;
mod own_key;
mod signing_v1;
mod signing_v3;
