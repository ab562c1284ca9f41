//! What is known of each field of a spec: the row of the table ([`table`]) that everything else is made from.
//!
//! From a row come: the fields of [`ImageCacheSpec`](super::ImageCacheSpec) and
//! [`ImageCacheChanges`](super::ImageCacheChanges); the checks ([`super::limits`]); the reading and writing of the
//! cloud's parameters, which of them an action has, and what a refusal calls them (`eci::params`, which the stand-in
//! uses, too); the REST bodies and what is shown, with their OpenAPI text; what an audit entry shows; whether it is
//! part of a content. What a dry run shows is held to the table by a test.

pub mod objects;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use table::spec_fields;

/// What is known of a field beside its value.
#[derive(Debug)]
pub struct Field {
    /// As REST spells it.
    pub name: &'static str,
    /// As the cloud's API spells it, `N` being a place in a list.
    pub wire: &'static str,
    /// What the OpenAPI document says of its values.
    pub schema: Schema,
    /// How it is checked.
    pub form: ValueForm,
    /// What is told of its value where requests are recorded.
    pub audit: AuditForm,
    /// Whether it is part of the content ([`crate::domain::image_cache::content`]).
    pub in_content: bool,
    /// What it is for.
    pub purpose: &'static str,
    /// What it is for in an update; none: an update does not take it.
    pub in_update: Option<&'static str>,
    /// What it is where an image cache is shown; none: that has a text of its own there, or is never shown.
    pub shown: Option<&'static str>,
}

/// What the OpenAPI document says of the values of a field beside their type; a row names what it says.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "they are JSON Schema's own words")]
pub struct Schema {
    pub minimum: Option<i32>,
    pub maximum: Option<i32>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub min_items: Option<usize>,
    pub max_items: Option<usize>,
}

impl Schema {
    const NONE: Self =
        Self { minimum: None, maximum: None, min_length: None, max_length: None, min_items: None, max_items: None };
}

/// How the values of a field are checked, beside what its type and its [`Schema`] say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueForm {
    /// Printable characters, as many as the schema says.
    Text,
    /// A region: what is read is one.
    Region,
    /// An id of the cloud's.
    Id,
    /// A number in the schema's range.
    Number {
        /// What a refusal says behind the range.
        unit: &'static str,
        /// What the cloud takes where none is given.
        usual: Option<i32>,
    },
    /// A truth.
    Flag,
    /// A word of a closed set.
    Word,
    /// References of images, none of them twice.
    Images,
    /// Ids of the cloud's.
    Ids {
        /// What they are called.
        of: &'static str,
    },
    /// Hosts, or host:port.
    Hosts {
        /// What they are called.
        of: &'static str,
    },
    /// Keys and values.
    Tags {
        /// How many; OpenAPI does not say it.
        most: usize,
    },
    /// Objects with rules of their own.
    Objects {
        /// What they are called.
        of: &'static str,
    },
}

/// What is told of a value where requests are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditForm {
    /// The value itself: it can hold no secret.
    Plain,
    /// A keyed hash: somebody may have written a secret into it.
    Hashed,
    /// A keyed hash: it is a secret, which is kept sealed until the build has begun.
    Secret,
}

impl Field {
    /// Its parameter without the place in a list: `Image.N` is `Image`.
    pub fn parameter(&self) -> &'static str {
        self.wire.strip_suffix(".N").unwrap_or(self.wire)
    }

    /// Whether each value is a parameter of its own: otherwise several are joined by commas.
    pub fn is_numbered(&self) -> bool {
        self.parameter() != self.wire
    }

    /// Where it stands in a body, as a JSON pointer.
    pub fn pointer(&self) -> String {
        format!("/{}", self.name)
    }

    /// Where one of its values stands, by its place from 0 on.
    pub fn at(&self, place: usize) -> String {
        format!("/{}/{place}", self.name)
    }

    /// The most values.
    pub const fn most(&self) -> usize {
        match (self.schema.max_items, self.form) {
            (Some(most), _) | (None, ValueForm::Tags { most }) => most,
            _ => usize::MAX,
        }
    }

    /// Which numbers it may be, for a refusal.
    pub fn in_range(&self) -> String {
        let unit = if let ValueForm::Number { unit, .. } = self.form { unit } else { "" };
        format!("must be {} to {}{unit}", self.range().start(), self.range().end())
    }

    /// The numbers that it may be; all where the schema names no range.
    pub const fn range(&self) -> std::ops::RangeInclusive<i32> {
        let from = if let Some(from) = self.schema.minimum { from } else { i32::MIN };
        let to = if let Some(to) = self.schema.maximum { to } else { i32::MAX };
        from..=to
    }

    /// The number that the cloud takes where none is given; 0 where that is not known.
    pub const fn usual(&self) -> i32 {
        if let ValueForm::Number { usual: Some(usual), .. } = self.form { usual } else { 0 }
    }

    /// Whether its values are numbers or truths and nothing else.
    pub fn is_plain(&self) -> bool {
        matches!(self.form, ValueForm::Number { .. } | ValueForm::Flag)
    }
}

/// `(minimum = 20, maximum = 32768)` as a [`Schema`].
macro_rules! schema {
    ( $( $word:ident = $bound:literal ),* ) => {
        Schema { $( $word: Some($bound), )* ..Schema::NONE }
    };
}
use schema;

macro_rules! statics {
    ( {} { $( $must:tt )* } { $( $may:tt )* } { $( $logins:tt )* } ) => {
        statics! { $( $must )* $( $may )* $( $logins )* }
    };
    ( $(
        $field:ident: $type:ty as $json:ty, $wire:literal, $schema:tt,
        [$form:expr, $audit:expr, content: $in_content:literal],
        $purpose:literal $( like $example:literal )?, { $( $in_update:literal )? },
        { $( $when:ident $shown:literal )? };
    )* ) => {
        /// The fields by name.
        #[derive(Debug)]
        pub struct Fields {
            $( #[doc = $purpose] pub $field: Field, )*
        }

        /// The table, by name.
        pub static FIELDS: Fields = Fields { $(
            $field: Field {
                name: stringify!($field),
                wire: $wire,
                schema: schema! $schema,
                form: $form,
                audit: $audit,
                in_content: $in_content,
                purpose: $purpose,
                in_update: [$( Some($in_update), )? None][0],
                shown: [$( Some($shown), )? None][0],
            },
        )* };

        /// The table, in the order in which fields are documented.
        pub static ALL: &[&Field] = &[$( &FIELDS.$field, )*];
    };
}
spec_fields!(statics! {});
