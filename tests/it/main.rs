//! Everything that needs real sockets and a real database, as one binary: each further one would need another link.
//!
//! Each folder is a subject, and the first line of each file describes its purpose.

// What the gateway does.
mod events;
mod image_caches;
mod operations;
mod reconciler;
mod tracker;
mod webhooks;

// Who may do what, who did it, and what nobody may see.
mod audit;
mod identity;
mod platform;
mod secrets;

// Its doors, and its foundations.
mod cli;
mod cloud;
mod database;
mod http;
mod rpc;
mod standin;

// The repository itself, and what the tests share.
mod chaos;
mod house;
mod support;
