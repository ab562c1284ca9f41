//! Values for tests: a valid value for each field, different from its default.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::objects::Member;
use super::{ALL, AuditForm, Field, ValueForm};
use crate::domain::image_cache::spec::values::{Texts, ValueSource, Word};
use crate::domain::image_cache::spec::{AcrRegistry, ImageCacheSpec};
use crate::domain::region::Region;

/// The fields that a spec holds.
pub(crate) fn fields() -> impl Iterator<Item = &'static Field> {
    ALL.iter().copied().filter(|field| field.audit != AuditForm::Secret)
}

/// A spec with a value for that field, besides the required ones.
pub(crate) fn of(field: Option<&'static Field>) -> ImageCacheSpec {
    ImageCacheSpec::read(&Sample(SampleFields::Only(field.map(|field| field.name)))).unwrap()
}

/// A spec with a value for every field.
pub(crate) fn full() -> ImageCacheSpec {
    ImageCacheSpec::read(&Sample(SampleFields::All)).unwrap()
}

enum SampleFields {
    All,
    Only(Option<&'static str>),
}

struct Sample(SampleFields);

impl Sample {
    fn has(&self, field: &Field) -> bool {
        match self.0 {
            SampleFields::All => true,
            SampleFields::Only(name) => name == Some(field.name),
        }
    }

    fn maybe<T: Default>(&self, field: &Field, value: T) -> T {
        if self.has(field) { value } else { T::default() }
    }
}

impl ValueSource for Sample {
    type Error = Infallible;

    fn region(&self, field: &'static Field) -> Result<Region, Infallible> {
        Ok(if self.has(field) { "cn-beijing" } else { "cn-hangzhou" }.parse().unwrap())
    }

    fn required(&self, field: &'static Field) -> Result<String, Infallible> {
        Ok(if self.has(field) { "other" } else { "web" }.to_owned())
    }

    fn text(&self, field: &'static Field) -> Result<Option<String>, Infallible> {
        Ok(self.maybe(field, Some("x-1".to_owned())))
    }

    fn number(&self, field: &'static Field) -> Result<Option<i32>, Infallible> {
        Ok(self.maybe(field, Some(field.range().end() - 1)))
    }

    fn flag(&self, field: &'static Field) -> Result<Option<bool>, Infallible> {
        Ok(self.maybe(field, Some(true)))
    }

    fn word<W: Word>(&self, field: &'static Field) -> Result<Option<W>, Infallible> {
        Ok(W::ALL.last().copied().filter(|_| self.has(field)))
    }

    fn texts(&self, field: &'static Field) -> Result<Vec<String>, Infallible> {
        let given = if self.has(field) { Some("x-1") } else { None };
        let value = given.or((field.form == ValueForm::Images).then_some("nginx"));
        Ok(value.map(str::to_owned).into_iter().collect())
    }

    fn tags(&self, field: &'static Field) -> Result<BTreeMap<String, String>, Infallible> {
        Ok(self.maybe(field, BTreeMap::from([("a".to_owned(), "b".to_owned())])))
    }

    fn acr_registries(&self, field: &'static Field) -> Result<Vec<AcrRegistry>, Infallible> {
        Ok(self.maybe(field, vec![AcrRegistry::read(self)?]))
    }
}

impl Texts for Sample {
    type Error = Infallible;

    fn required(&self, _: &'static Member) -> Result<String, Infallible> {
        Ok("cri-1".to_owned())
    }

    fn text(&self, member: &'static Member) -> Result<Option<String>, Infallible> {
        // The member that an update does not accept is a role.
        Ok(Some(if member.in_update { "x-1" } else { "acs:x" }.to_owned()))
    }

    fn texts(&self, _: &'static Member) -> Result<Vec<String>, Infallible> {
        Ok(vec!["x.example".to_owned()])
    }
}
