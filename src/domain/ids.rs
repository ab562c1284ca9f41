//! Ids with prefixes: `ic_`, `op_`, `evt_`, …, then 26 characters of Crockford base32 (lower case) over a
//! 128-bit UUID version 7, so that ids sort by the time they were made. (An operation's id may be made of an
//! idempotency key instead, [`OperationId::of_print`]: nothing orders operations by their ids.)
//!
//! The database keeps the UUID, everyone else sees the text form. Reading is exact: a wrong prefix,
//! length or letter is an error, there is no second spelling of one id.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::clock::Instant;
use super::entropy::Entropy;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LETTERS: usize = 26;

/// A text that is not an id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `{prefix}` and 26 characters of 0-9a-z without i, l, o, u")]
pub struct IdError {
    /// What ids of this kind begin with.
    pub prefix: &'static str,
}

/// A UUID version 7 of this instant and generator.
pub fn uuid_v7(now: Instant, entropy: &Entropy) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &entropy.bytes::<10>()).into_uuid()
}

fn write_base32(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for place in (0..LETTERS).rev() {
        let digit = (value >> (place * 5)) & 31;
        fmt::Write::write_char(f, char::from(ALPHABET[digit as usize]))?;
    }
    Ok(())
}

fn read_base32(text: &str) -> Option<u128> {
    // 26 letters hold 130 bits: the first may only use three of its five.
    if text.len() != LETTERS || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0_u128, |value, letter| {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        Some((value << 5) | digit as u128)
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What ids of this kind begin with.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id.
            pub fn new(now: Instant, entropy: &Entropy) -> Self {
                Self(uuid_v7(now, entropy))
            }

            /// The UUID behind it, as the database keeps it.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_base32(self.0.as_u128(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(read_base32)
                    .map(|value| Self(Uuid::from_u128(value)))
                    .ok_or(IdError { prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// One image cache of ours.
    CacheId,
    "ic_"
);
id!(
    /// One durable intent towards the cloud: create, update or delete.
    OperationId,
    "op_"
);
id!(
    /// One observed change of status.
    TransitionId,
    "tr_"
);
id!(
    /// One event; also the `webhook-id` of each of its deliveries.
    EventId,
    "evt_"
);
id!(
    /// One webhook endpoint.
    EndpointId,
    "we_"
);
id!(
    /// One event on its way to one endpoint.
    DeliveryId,
    "dl_"
);
id!(
    /// One audit entry.
    AuditId,
    "ae_"
);
id!(
    /// One API key of a team.
    ApiKeyId,
    "ak_"
);
id!(
    /// One revocation of tokens.
    RevocationId,
    "rv_"
);

impl OperationId {
    /// The id that is made of this keyed hash, and of no other: a UUID version 8, which does not sort by time.
    pub fn of_print(print: &[u8; 32]) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&print[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::domain::property::holds;

    fn id() -> CacheId {
        CacheId::new(Instant::UNIX_EPOCH, &Entropy::from_seed(7))
    }

    #[test]
    fn an_id_reads_back_as_itself() {
        let id = id();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 29);
    }

    #[test]
    fn another_kind_length_letter_or_case_is_refused() {
        let text = id().to_string();
        for wrong in
            [text.replace("ic_", "op_"), text[..28].to_owned(), text.to_uppercase(), format!("{text}0"), "ic_é".into()]
        {
            assert_eq!(wrong.parse::<CacheId>(), Err(IdError { prefix: "ic_" }), "{wrong}");
        }
        assert!("ic_80000000000000000000000000".parse::<CacheId>().is_err(), "more than 128 bits");
    }

    #[test]
    fn one_print_makes_one_id() {
        let (one, other) = (OperationId::of_print(&[7; 32]), OperationId::of_print(&[8; 32]));
        assert_eq!((one, one.uuid().get_version_num()), (OperationId::of_print(&[7; 32]), 8));
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
    }

    #[test]
    fn later_ids_sort_later() {
        let entropy = Entropy::from_seed(7);
        let early = CacheId::new(Instant::UNIX_EPOCH, &entropy);
        let late = CacheId::new(Instant::UNIX_EPOCH + chrono::Duration::seconds(1), &entropy);
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn any_id_reads_back_has_one_spelling_and_sorts_by_its_time() {
        holds(1_000, (any::<u128>(), any::<u128>(), any::<Index>()), |(one, other, at)| {
            let [id, other] = [one, other].map(|bits| CacheId::from(Uuid::from_u128(bits)));
            let text = id.to_string();
            prop_assert_eq!(text.parse(), Ok(id));
            prop_assert_eq!(text.cmp(&other.to_string()), id.cmp(&other));
            let at = at.index(text.len());
            let shouted = format!("{}{}{}", &text[..at], text[at..=at].to_uppercase(), &text[at + 1..]);
            prop_assert!(shouted == text || shouted.parse::<CacheId>().is_err());
            Ok(())
        });
    }
}
