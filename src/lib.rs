//! The gateway between a company's teams and Alibaba Cloud's ECI image caches.
#![doc = ""]

pub mod app;
pub mod domain;
pub mod http;
