//! A JSON text as what it means: two texts that mean the same become the same value.
//!
//! The members of an object stand in the order of their names; a member that is `null` is as absent (tools that print
//! every field send it); 1.0 and 1e0 are 1. A member that stands there twice is refused, at any depth: one of the two
//! would be dropped without a word.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// Beyond this a floating-point number no longer tells whole numbers apart: 2 to the 53rd.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The value, in its one form.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Canonical(pub(super) Value);

impl<'de> Deserialize<'de> for Canonical {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CanonicalVisitor).map(Self)
    }
}

struct CanonicalVisitor;

impl<'de> Visitor<'de> for CanonicalVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        let whole = value.fract() == 0.0 && value.abs() < EXACT;
        // A whole number prints without a dot, and so it reads back as one.
        let number = if whole { format!("{value:.0}").parse::<i64>().ok().map(Number::from) } else { None };
        Ok(number.or_else(|| Number::from_f64(value)).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(Canonical(item)) = items.next_element()? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut read = BTreeMap::new();
        while let Some(name) = members.next_key::<String>()? {
            if read.contains_key(&name) {
                return Err(de::Error::custom(format_args!("duplicate field `{name}`")));
            }
            let Canonical(value) = members.next_value()?;
            read.insert(name, value);
        }
        Ok(Value::Object(read.into_iter().filter(|(_, value)| !value.is_null()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{hash_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::property::holds;

    fn canonical(text: &str) -> Option<String> {
        serde_json::from_str::<Canonical>(text).ok().map(|Canonical(value)| value.to_string())
    }

    #[test]
    fn what_means_the_same_is_the_same_text() {
        let one = canonical(r#"{"a":1,"b":{"c":[1,2],"d":"x"}}"#).unwrap();
        for same in [
            r#"{ "b" : {"d":"\u0078", "c":[1.0, 2e0]}, "a" : 1 }"#,
            r#"{"a":1,"b":{"c":[1,2],"d":"x","e":null},"f":null}"#,
            r#"{"a":10e-1,"b":{"c":[1,2.000],"d":"x"}}"#,
        ] {
            assert_eq!(canonical(same).as_deref(), Some(&*one), "{same}");
        }
        for other in [
            r#"{"a":1,"b":{"c":[2,1],"d":"x"}}"#,
            r#"{"a":"1","b":{"c":[1,2],"d":"x"}}"#,
            r#"{"a":1.5,"b":{"c":[1,2],"d":"x"}}"#,
            r#"{"a":1,"b":{"c":[1,2,null],"d":"x"}}"#,
            r#"{"a":1,"b":{"c":[1,2],"d":""}}"#,
        ] {
            assert_ne!(canonical(other).as_deref(), Some(&*one), "{other}");
        }
        assert_eq!(canonical("-0.0").as_deref(), Some("0"));
        assert_eq!(canonical("1e300").as_deref(), Some("1e+300"));
        assert_eq!(canonical("18446744073709551615").as_deref(), Some("18446744073709551615"));
        assert_eq!(canonical(r#"{"a":{"b":1,"b":1}}"#), None);
        assert_eq!(canonical(r#"{"a":null,"a":1}"#), None);
    }

    /// Any JSON without numbers that a float would blur.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let members = hash_map("[a-e]|[ -~]{0,8}", inner.clone(), 0..6);
            prop_oneof![
                vec(inner, 0..6).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same in another spelling: the members of each object the other way round, and an absent one told as `null`.
    fn respelled(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let members = members.iter().rev().map(|(name, value)| (name.clone(), respelled(value)));
                let absent = ("absent, as a null".to_owned(), Value::Null);
                Value::Object(std::iter::once(absent).chain(members).collect())
            }
            Value::Array(items) => items.iter().map(respelled).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn neither_the_order_of_members_nor_the_layout_changes_what_is_meant() {
        holds(2_000, value(), |value| {
            let one = canonical(&value.to_string());
            prop_assert!(one.is_some());
            prop_assert_eq!(&canonical(&respelled(&value).to_string()), &one);
            prop_assert_eq!(&canonical(&serde_json::to_string_pretty(&value).unwrap()), &one);
            prop_assert_eq!(&canonical(one.as_deref().unwrap()), &one, "what is canonical stays as it is");
            Ok(())
        });
    }

    #[test]
    fn what_is_added_wrapped_or_changed_means_something_else() {
        holds(1_000, value(), |value| {
            let of = |body: Value| canonical(&body.to_string());
            let one = of(json!({"a": value}));
            prop_assert_ne!(&of(json!({"a": value, "b": 1})), &one);
            prop_assert_ne!(&of(json!({"a": [value]})), &one);
            prop_assert_ne!(&of(json!({"a": value.to_string() + "!"})), &one);
            prop_assert_ne!(&of(json!({"b": {"a": value}})), &one);
            Ok(())
        });
    }
}
