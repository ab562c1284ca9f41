//! Image caches through the doors: made, found, changed, waited for, taken over.
#![cfg(test)]

mod adoption;
mod ensure;
mod filters;
mod gate;
mod image_references;
mod life;
mod matches;
mod memo;
mod waits;
