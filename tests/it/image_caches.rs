//! Image caches through the doors: created, found, changed, waited for, adopted.
#![cfg(test)]

mod adoption;
mod batches;
mod ensure;
mod filters;
mod gate;
mod image_references;
mod life;
mod matches;
mod memo;
mod waits;
