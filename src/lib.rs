//! The gateway between a company's teams and Alibaba Cloud's ECI image caches.
#![doc = ""]

pub mod config;
pub mod domain;
pub mod localpg;
pub mod shutdown;
pub mod telemetry;
