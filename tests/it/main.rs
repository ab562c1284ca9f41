//! Everything that needs real sockets and a real database, as one binary.

mod jwks;
mod receiver;
mod sender;
mod signing_v1;
mod standin;
