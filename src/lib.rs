//! The gateway between a company's teams and Alibaba Cloud's ECI image caches.
#![doc = ""]

pub mod app;
pub mod auth;
pub mod crypto;
pub mod domain;
pub mod eci;
pub mod sim;
pub mod store;
pub mod webhook;
pub mod worker;
