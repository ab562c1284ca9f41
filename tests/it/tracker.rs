//! The tracker: how few calls it needs, how late it is at most, and what it does when things are not as they should be.
#![cfg(test)]

mod budget;
mod figures;
mod looks;
