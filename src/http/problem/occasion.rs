//! What a problem says of the request that it answers.

use crate::domain::problem::Repetition;

/// Where the pages are that explain the codes.
pub(in crate::http) const PAGES: &str = "/docs/problems";

/// The request that a problem answers.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The id of the request that was refused.
    pub request_id: &'a str,
    /// What stands before the path of a link in the answer; it has no slash at its end.
    pub base: &'a str,
    /// Whether it can be repeated.
    pub repetition: Repetition,
}

impl<'a> Occasion<'a> {
    /// A request of which nothing was done, or that only reads, at a listener without links.
    pub const fn without_effect(request_id: &'a str) -> Self {
        let repetition = Repetition { idempotent_method: false, reads: true, takes_key: false, has_key: false };
        Self { request_id, base: "", repetition }
    }

    /// The type of a problem: the page that explains the code (RFC 9457, 3.1.1), relative to the request where nobody
    /// said what the gateway's address is.
    pub fn type_of(&self, code: &str) -> String {
        format!("{}{PAGES}/{code}", self.base)
    }
}
