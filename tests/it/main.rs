//! The one integration-test binary: each further one would cost a link.

mod harness;
mod localpg;
mod support;
