//! Everything that needs real sockets, as one binary.

mod jwks;
mod receiver;
mod sender;
