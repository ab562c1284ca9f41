//! The gateway between a company's teams and Alibaba Cloud's ECI image caches.
#![doc = ""]

pub mod app;
pub mod auth;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod eci;
pub mod http;
pub mod localpg;
pub mod receiver;
pub mod shutdown;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod webhook;
pub mod worker;
