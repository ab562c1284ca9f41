//! The versions in which a resource may be changed: what `If-Match` and `If-None-Match` name. The APIs parse them, and
//! every change of a versioned resource checks them.

use super::Error;
use crate::domain::problem::Code;

/// The versions in which a resource may be changed (RFC 9110, 13.1), from `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The version must be one of these.
    pub matching: Option<Versions>,
    /// The version must be none of these.
    pub not_matching: Option<Versions>,
}

/// The versions that a list of entity tags names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// `*`: any version that exists.
    Any,
    /// These versions. Tags that we did not issue name none.
    OneOf(Vec<i64>),
}

/// The error if somebody else changed the resource at this moment.
pub(super) fn moved() -> Error {
    let detail = "the resource changed while the request was processed; read it again and retry".to_owned();
    Error::Conflict { code: Code::ConcurrentChange, detail }
}

impl Precondition {
    /// Refuses a change if the current version does not match; 0 stands for a resource that does not exist.
    pub fn check(&self, current: i64) -> Result<(), Error> {
        let named = |versions: &Versions| match versions {
            Versions::Any => current > 0,
            Versions::OneOf(versions) => versions.contains(&current),
        };
        let holds = self.matching.as_ref().is_none_or(named) && !self.not_matching.as_ref().is_some_and(named);
        if holds { Ok(()) } else { Err(Error::PreconditionFailed { current }) }
    }
}
