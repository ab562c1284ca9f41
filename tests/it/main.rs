//! Everything that needs real sockets and a real database, as one binary: each further one would cost a link.

mod floors;
mod harness;
mod jwks;
mod localpg;
mod receive;
mod receiver;
mod sender;
mod signing_v1;
mod standin;
mod support;
