//! Everything that needs real sockets, as one binary.

mod jwks;
