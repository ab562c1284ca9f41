//! Rules about the repository, checked by reading its files: floors, pages, documents, the tests' databases.
#![cfg(test)]

mod audit_names;
mod floors;
mod harness;
mod log_lines;
mod memory_page;
mod openapi;
mod readme;
mod security_page;
