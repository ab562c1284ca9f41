//! Events as consumers get them: their bodies, the feed, the streams, and cursors from before a restore.
#![cfg(test)]

mod bodies;
mod feed;
mod restored_database;
mod streams;
