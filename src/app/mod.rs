//! Floor 2: what the gateway does, without a word of any transport.
//!
//! Every door (REST today, RPC and the console later, the workers) calls the same methods of [`Gateway`],
//! split by subject into the files of this folder. A method checks the caller's scope first, then decides
//! with `domain`, then writes with `store`: three hops, always.

pub mod access;
pub mod call;
pub mod error;
pub mod input;
pub mod skeleton;
pub mod view;

pub use call::Call;
pub use error::Error;
pub use skeleton::Gateway;
