//! The command line: `dev`, `doctor`, the processes of the binary, and the PostgreSQL that `dev` brings.
#![cfg(test)]

mod dev;
mod doctor;
mod help;
mod localpg;
mod processes;
