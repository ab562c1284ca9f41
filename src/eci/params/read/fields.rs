//! Reads the fields of the table from flat parameters, by their names on the wire.

use std::collections::BTreeMap;

use super::flat::{Flat, ObjectFields};
use super::{ParameterError, region};
use crate::domain::image_cache::spec::AcrRegistry;
use crate::domain::image_cache::spec::fields::Field;
use crate::domain::image_cache::spec::fields::objects::Member;
use crate::domain::image_cache::spec::values::{Texts, ValueSource, Word};
use crate::domain::region::Region;

impl ValueSource for Flat<'_> {
    type Error = ParameterError;

    fn region(&self, _: &'static Field) -> Result<Region, ParameterError> {
        region(self)
    }

    fn required(&self, field: &'static Field) -> Result<String, ParameterError> {
        Flat::required(self, field.wire).map(str::to_owned)
    }

    fn text(&self, field: &'static Field) -> Result<Option<String>, ParameterError> {
        Ok(self.owned(field.wire))
    }

    fn number(&self, field: &'static Field) -> Result<Option<i32>, ParameterError> {
        Flat::number(self, field.wire)
    }

    fn flag(&self, field: &'static Field) -> Result<Option<bool>, ParameterError> {
        Flat::flag(self, field.wire)
    }

    /// An empty value is meaningful only if the set of allowed values contains it.
    fn word<W: Word>(&self, field: &'static Field) -> Result<Option<W>, ParameterError> {
        let said = self.raw(field.wire).filter(|word| !word.is_empty() || W::from_wire("").is_some());
        let known = |word| W::from_wire(word).ok_or_else(|| ParameterError::invalid(field.wire, &words::<W>()));
        said.map(known).transpose()
    }

    fn texts(&self, field: &'static Field) -> Result<Vec<String>, ParameterError> {
        if field.is_numbered() { self.list(field.parameter(), field.most()) } else { Ok(self.joined(field.wire)) }
    }

    fn tags(&self, field: &'static Field) -> Result<BTreeMap<String, String>, ParameterError> {
        Flat::tags(self, field.most())
    }

    fn acr_registries(&self, field: &'static Field) -> Result<Vec<AcrRegistry>, ParameterError> {
        let list = field.parameter();
        let objects = self.objects(list, field.most())?.into_iter();
        objects.map(|(place, fields)| AcrRegistry::read(&Object { list, place, fields })).collect()
    }
}

/// `it must be empty or LRU`.
fn words<W: Word>() -> String {
    let word = |word: &W| if word.as_wire().is_empty() { "empty" } else { word.as_wire() };
    format!("it must be {}", W::ALL.iter().map(word).collect::<Vec<_>>().join(" or "))
}

/// One object of a list.
pub(super) struct Object<'a> {
    /// The list's name.
    pub(super) list: &'static str,
    pub(super) place: usize,
    pub(super) fields: ObjectFields<'a>,
}

impl Object<'_> {
    /// A member's name for refusals.
    fn name(&self, member: &Member) -> String {
        format!("{}.{}.{}", self.list, self.place, member.parameter())
    }
}

impl Texts for Object<'_> {
    type Error = ParameterError;

    fn required(&self, member: &'static Member) -> Result<String, ParameterError> {
        let text = self.fields.text(member.wire);
        text.map(str::to_owned).ok_or_else(|| ParameterError::missing(self.name(member)))
    }

    fn text(&self, member: &'static Member) -> Result<Option<String>, ParameterError> {
        Ok(self.fields.text(member.wire).map(str::to_owned))
    }

    fn texts(&self, member: &'static Member) -> Result<Vec<String>, ParameterError> {
        self.fields.list(&self.name(member), member.parameter(), member.most())
    }
}
