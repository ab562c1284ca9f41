//! The types that fields have: how a value is seen whatever its type, read from wherever it stands, and changed.
//!
//! So whoever writes parameters, checks or shows goes through the fields and names none of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::AcrRegistry;
use super::fields::Field;
use super::fields::objects::Member;
use crate::domain::region::Region;

/// The value of a field.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum FieldValue<'a> {
    /// Nothing was said.
    Unset,
    /// A text, a region or an id.
    Text(&'a str),
    /// A number.
    Number(i32),
    /// A truth.
    Flag(bool),
    /// A word of a closed set, as the cloud spells it.
    Word(&'static str),
    /// Texts, in their order.
    Texts(&'a [String]),
    /// Keys and values.
    Tags(&'a BTreeMap<String, String>),
    /// ACR Enterprise registries.
    AcrRegistries(&'a [AcrRegistry]),
}

impl FieldValue<'_> {
    /// Whether nothing was said.
    pub fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }
}

/// A closed set of words.
pub trait Word: Copy + 'static {
    /// All of them, the cloud's default first.
    const ALL: &'static [Self];

    /// As the cloud spells it; empty for what it means where nothing is said.
    fn as_wire(self) -> &'static str;

    /// As REST spells it.
    fn as_str(self) -> &'static str;

    /// Reads the cloud's word.
    fn from_wire(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_wire() == word)
    }

    /// Reads REST's word.
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == word)
    }
}

/// Where values are read from, by field.
pub trait ValueSource {
    /// A value that cannot be what it is, or is not there and must be.
    type Error;

    /// A region, which must be there.
    fn region(&self, field: &'static Field) -> Result<Region, Self::Error>;
    /// A text that must be there.
    fn required(&self, field: &'static Field) -> Result<String, Self::Error>;
    /// The text that was given; none where the field was left out.
    fn text(&self, field: &'static Field) -> Result<Option<String>, Self::Error>;
    /// The number that was given; none where the field was left out. Its range is not judged here.
    fn number(&self, field: &'static Field) -> Result<Option<i32>, Self::Error>;
    /// The boolean that was given; none where the field was left out.
    fn flag(&self, field: &'static Field) -> Result<Option<bool>, Self::Error>;
    /// The word of a closed set that was given; none where the field was left out.
    fn word<W: Word>(&self, field: &'static Field) -> Result<Option<W>, Self::Error>;
    /// Texts; empty where there are none.
    fn texts(&self, field: &'static Field) -> Result<Vec<String>, Self::Error>;
    /// Keys and values; empty where there are none.
    fn tags(&self, field: &'static Field) -> Result<BTreeMap<String, String>, Self::Error>;
    /// ACR Enterprise registries; empty where there are none.
    fn acr_registries(&self, field: &'static Field) -> Result<Vec<AcrRegistry>, Self::Error>;
}

/// The type of a field.
pub trait SpecValue: Sized {
    /// What an update says of it: none where it stays as it is.
    type Change;

    /// The value, whatever its type.
    fn given(&self) -> FieldValue<'_>;

    /// What the source says of the field.
    fn read<S: ValueSource>(source: &S, field: &'static Field) -> Result<Self, S::Error>;

    /// Makes it what the update says.
    fn change(&mut self, to: &Self::Change);
}

/// A type whose values are there, and what an update says of it.
macro_rules! value {
    ( $( $type:ty, $self:ident => $given:expr, $read:ident; )+ ) => { $(
        impl SpecValue for $type {
            type Change = Option<$type>;

            fn given(&self) -> FieldValue<'_> {
                let $self = self;
                $given
            }

            fn read<S: ValueSource>(source: &S, field: &'static Field) -> Result<Self, S::Error> {
                source.$read(field)
            }

            fn change(&mut self, to: &Option<$type>) {
                if let Some(to) = to {
                    self.clone_from(to);
                }
            }
        }
    )+ };
}

value! {
    String, text => FieldValue::Text(text), required;
    Region, region => FieldValue::Text(region.as_str()), region;
    Vec<String>, texts => FieldValue::Texts(texts), texts;
    BTreeMap<String, String>, tags => FieldValue::Tags(tags), tags;
    Vec<AcrRegistry>, all => FieldValue::AcrRegistries(all), acr_registries;
}

/// A type whose values may be left out, and of which an update says the same.
macro_rules! optional {
    ( $( $type:ty, $given:expr, |$source:ident, $field:ident| $read:expr; )+ ) => { $(
        impl SpecValue for Option<$type> {
            type Change = Self;

            fn given(&self) -> FieldValue<'_> {
                self.as_ref().map_or(FieldValue::Unset, $given)
            }

            fn read<S: ValueSource>($source: &S, $field: &'static Field) -> Result<Self, S::Error> {
                $read
            }

            fn change(&mut self, to: &Self) {
                if to.is_some() {
                    self.clone_from(to);
                }
            }
        }
    )+ };
}

optional! {
    String, |text| FieldValue::Text(text), |source, field| source.text(field);
    i32, |number| FieldValue::Number(*number), |source, field| source.number(field);
    bool, |flag| FieldValue::Flag(*flag), |source, field| source.flag(field);
    Vec<String>, |texts| FieldValue::Texts(texts), |source, field| source.texts(field).map(some_of);
    BTreeMap<String, String>, FieldValue::Tags, |source, field| source.tags(field).map(some_tags);
    Vec<AcrRegistry>, |all| FieldValue::AcrRegistries(all), |source, field| source.acr_registries(field).map(some_of);
}

fn some_tags(tags: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    Some(tags).filter(|tags| !tags.is_empty())
}

fn some_of<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

impl<W: Word> SpecValue for Option<W> {
    type Change = Self;

    fn given(&self) -> FieldValue<'_> {
        self.map_or(FieldValue::Unset, |word| FieldValue::Word(word.as_wire()))
    }

    fn read<S: ValueSource>(source: &S, field: &'static Field) -> Result<Self, S::Error> {
        source.word(field)
    }

    fn change(&mut self, to: &Self) {
        *self = to.or(*self);
    }
}

/// Where the members of one object are read from.
pub trait Texts {
    /// A member that cannot be what it is, or is not there and must be.
    type Error;

    /// A text that must be there.
    fn required(&self, member: &'static Member) -> Result<String, Self::Error>;
    /// The text that was given; none where the member was left out.
    fn text(&self, member: &'static Member) -> Result<Option<String>, Self::Error>;
    /// Texts; empty where there are none.
    fn texts(&self, member: &'static Member) -> Result<Vec<String>, Self::Error>;
}

/// The type of a member of an object.
pub trait Text: Sized {
    /// The value, whatever its type.
    fn seen(&self) -> FieldValue<'_>;

    /// What the source says of the member.
    fn take<S: Texts>(source: &S, member: &'static Member) -> Result<Self, S::Error>;

    /// Whether nothing was said.
    fn is_unset(&self) -> bool {
        matches!(self.seen(), FieldValue::Unset | FieldValue::Texts([]))
    }
}

macro_rules! text {
    ( $( $type:ty, $read:ident; )+ ) => { $(
        impl Text for $type {
            fn seen(&self) -> FieldValue<'_> {
                self.given()
            }

            fn take<S: Texts>(source: &S, member: &'static Member) -> Result<Self, S::Error> {
                source.$read(member)
            }
        }
    )+ };
}

text! {
    String, required;
    Option<String>, text;
    Vec<String>, texts;
}
