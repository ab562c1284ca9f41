//! The command line: `dev`, `doctor`, processes of the binary, and the private PostgreSQL of `dev`.
#![cfg(test)]

mod dev;
mod doctor;
mod help;
mod localpg;
mod processes;
