//! In which versions of a thing a change may be made: what `If-Match` and `If-None-Match` name. Doors read them, every
//! change of something that has a version checks them.

use super::Error;

/// In which versions of a thing a change may be made (RFC 9110, 13.1): what `If-Match` and `If-None-Match` name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// Only in one of these.
    pub matching: Option<Versions>,
    /// In none of these.
    pub not_matching: Option<Versions>,
}

/// What a list of entity tags names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// `*`: whichever there is.
    Any,
    /// These. Tags that are not ours name none.
    OneOf(Vec<i64>),
}

/// Somebody changed it in this moment.
pub(super) fn moved() -> Error {
    let detail = "the resource changed while the request was processed; read it again and retry".to_owned();
    Error::Conflict { code: "concurrent_change", detail }
}

impl Precondition {
    /// Refuses a change of what has another version; 0 is one that does not exist.
    pub fn check(&self, current: i64) -> Result<(), Error> {
        let named = |versions: &Versions| match versions {
            Versions::Any => current > 0,
            Versions::OneOf(versions) => versions.contains(&current),
        };
        let holds = self.matching.as_ref().is_none_or(named) && !self.not_matching.as_ref().is_some_and(named);
        if holds { Ok(()) } else { Err(Error::PreconditionFailed { current }) }
    }
}
