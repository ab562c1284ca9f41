//! Columns that have no form of their own in JSON, as text: for exports of the whole audit.

macro_rules! as_text {
    ($name:ident, $kind:ty, $write:expr, $read:expr) => {
        pub(super) mod $name {
            use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

            pub(in super::super) fn serialize<S: Serializer>(value: &$kind, to: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$kind) -> Option<String> = $write;
                write(value).serialize(to)
            }

            pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$kind, D::Error> {
                let read: fn(Option<String>) -> Option<$kind> = $read;
                read(Option::deserialize(from)?).ok_or_else(|| D::Error::custom("cannot be read"))
            }
        }
    };
}

as_text!(uuid, uuid::Uuid, |uuid| Some(uuid.to_string()), |text| text?.parse().ok());
as_text!(some_uuid, Option<uuid::Uuid>, |uuid| uuid.map(|uuid| uuid.to_string()), |text| match text {
    Some(text) => text.parse().ok().map(Some),
    None => Some(None),
});
as_text!(
    base64,
    Option<Vec<u8>>,
    |bytes| bytes.as_ref().map(|bytes| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes)),
    |text| match text {
        Some(text) => base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).ok().map(Some),
        None => Some(None),
    }
);
