//! The tracker: how few calls it needs, how late it is at most, and what it does when something goes wrong.
#![cfg(test)]

mod budget;
mod figures;
mod looks;
