<<<<<<< HEAD
mod signing_v1;
=======
//! Everything that needs real sockets, as one binary.

mod jwks;
>>>>>>> guard
