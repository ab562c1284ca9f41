//! The context of an action: the time, the caller, and the caller's regions.

use super::Signatory;
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::region::Region;

/// The context of an action: the time of the call, randomness, and the speed of builds.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActionContext<'a> {
    pub(super) now: Instant,
    pub(super) entropy: &'a Entropy,
    pub(super) speed: f64,
    pub(super) signatory: Signatory<'a>,
}

impl ActionContext<'_> {
    /// A region of the caller's account.
    pub(super) fn at<'a>(&'a self, region: &'a Region) -> RegionAccount<'a> {
        RegionAccount { account: self.signatory.account, region }
    }
}

/// A region of an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegionAccount<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a Region,
}

impl RegionAccount<'_> {
    pub(super) fn key(&self) -> (String, Region) {
        (self.account.to_owned(), self.region.clone())
    }
}
