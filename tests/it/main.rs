//! Everything that needs real sockets and a real database, as one binary: each further one would cost a link.

mod adoption;
mod coverage;
mod door;
mod filters;
mod floors;
mod harness;
mod jwks;
mod life;
mod localpg;
mod matches;
mod never_twice;
mod openapi;
mod receive;
mod receiver;
mod rpc;
mod sender;
mod server;
mod signing_v1;
mod signing_v3;
mod standin;
mod support;
mod webhook_endpoints;
mod webhook_engine;
mod webhook_faults;
mod webhooks;
