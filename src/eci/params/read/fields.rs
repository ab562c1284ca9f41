//! The fields of the table, read from flat parameters under their names there.

use std::collections::BTreeMap;

use super::flat::{Fields, Flat};
use super::{Refused, region};
use crate::domain::image_cache::spec::AcrRegistry;
use crate::domain::image_cache::spec::fields::Field;
use crate::domain::image_cache::spec::fields::objects::Member;
use crate::domain::image_cache::spec::values::{Source, Texts, Word};
use crate::domain::region::Region;

impl Source for Flat<'_> {
    type Error = Refused;

    fn region(&self, _: &'static Field) -> Result<Region, Refused> {
        region(self)
    }

    fn required(&self, field: &'static Field) -> Result<String, Refused> {
        Flat::required(self, field.wire).map(str::to_owned)
    }

    fn text(&self, field: &'static Field) -> Result<Option<String>, Refused> {
        Ok(self.owned(field.wire))
    }

    fn number(&self, field: &'static Field) -> Result<Option<i32>, Refused> {
        Flat::number(self, field.wire)
    }

    fn flag(&self, field: &'static Field) -> Result<Option<bool>, Refused> {
        Flat::flag(self, field.wire)
    }

    /// An empty word says something only where the set has one.
    fn word<W: Word>(&self, field: &'static Field) -> Result<Option<W>, Refused> {
        let said = self.raw(field.wire).filter(|word| !word.is_empty() || W::from_wire("").is_some());
        let known = |word| W::from_wire(word).ok_or_else(|| Refused::invalid(field.wire, &words::<W>()));
        said.map(known).transpose()
    }

    fn texts(&self, field: &'static Field) -> Result<Vec<String>, Refused> {
        if field.is_numbered() { self.list(field.parameter(), field.most()) } else { Ok(self.joined(field.wire)) }
    }

    fn tags(&self, field: &'static Field) -> Result<BTreeMap<String, String>, Refused> {
        Flat::tags(self, field.most())
    }

    fn acr_registries(&self, field: &'static Field) -> Result<Vec<AcrRegistry>, Refused> {
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
    pub(super) fields: Fields<'a>,
}

impl Object<'_> {
    /// A member as refusals call it.
    fn name(&self, member: &Member) -> String {
        format!("{}.{}.{}", self.list, self.place, member.parameter())
    }
}

impl Texts for Object<'_> {
    type Error = Refused;

    fn required(&self, member: &'static Member) -> Result<String, Refused> {
        let text = self.fields.text(member.wire);
        text.map(str::to_owned).ok_or_else(|| Refused::missing(self.name(member)))
    }

    fn text(&self, member: &'static Member) -> Result<Option<String>, Refused> {
        Ok(self.fields.text(member.wire).map(str::to_owned))
    }

    fn texts(&self, member: &'static Member) -> Result<Vec<String>, Refused> {
        self.fields.list(&self.name(member), member.parameter(), member.most())
    }
}
