//! Webhooks: endpoints and their URLs, deliveries, misbehaving receivers, and the worker that sends.
#![cfg(test)]

mod challenge;
mod deliverer;
mod destinations;
mod development_receiver;
mod endpoints;
mod failures;
pub(crate) mod faults;
mod interventions;
mod processes;
pub(crate) mod sender;
