//! Members that a stored document spells otherwise than the API does, because the version before this one must be able
//! to read what this one writes. A spelling can change in the database once no running version reads the old one.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::types::Json;

use super::StoreError;
use super::values::json;

/// A document with other spellings: (as the API spells a member, as it is stored).
pub(super) struct StoredNames(&'static [(&'static str, &'static str)]);

/// A team's policy and the default policy.
pub(super) const POLICY: StoredNames = StoredNames(&[
    ("cloud_accounts", "accounts"),
    ("min_size_gib", "smallest_size_gib"),
    ("max_size_gib", "largest_size_gib"),
    ("max_retention_days", "longest_retention_days"),
    ("max_image_caches", "most_image_caches"),
    ("max_total_gib", "most_total_gib"),
    ("max_key_life_days", "longest_key_life_days"),
]);
/// What an image cache shall be.
pub(super) const SPEC: StoredNames = StoredNames(&[("comment", "annotations")]);
/// An issuer that an administrator added.
pub(super) const ISSUER: StoredNames = StoredNames(&[("max_lifetime_seconds", "longest_life_seconds")]);

impl StoredNames {
    /// The document as it is stored.
    pub(super) fn write(&self, document: &impl Serialize) -> Json<Value> {
        let value = serde_json::to_value(document).expect("a tree of strings and numbers always becomes JSON");
        Json(renamed(value, self.0.iter().copied()))
    }

    /// A document as it was stored.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        stored: Value,
        table: &'static str,
        column: &'static str,
    ) -> Result<T, StoreError> {
        json(renamed(stored, self.0.iter().map(|(api, stored)| (*stored, *api))), table, column)
    }
}

/// The object with these members renamed (from, to).
fn renamed(mut value: Value, names: impl Iterator<Item = (&'static str, &'static str)>) -> Value {
    if let Value::Object(members) = &mut value {
        for (from, to) in names {
            if let Some(member) = members.remove(from) {
                members.insert(to.to_owned(), member);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::policy::Policy;

    #[test]
    fn a_document_is_stored_as_the_version_before_reads_it() {
        let policy: Policy = serde_json::from_value(json!({
            "cloud_accounts": ["a"], "min_size_gib": 20, "max_size_gib": 40, "max_retention_days": 30,
            "max_image_caches": 5, "max_total_gib": 100, "max_key_life_days": 90, "regions": ["cn-hangzhou"],
        }))
        .unwrap();
        let stored = POLICY.write(&policy).0;
        assert_eq!(
            stored,
            json!({
                "accounts": ["a"], "smallest_size_gib": 20, "largest_size_gib": 40, "longest_retention_days": 30,
                "most_image_caches": 5, "most_total_gib": 100, "longest_key_life_days": 90,
                "regions": ["cn-hangzhou"],
            })
        );
        assert_eq!(POLICY.read::<Policy>(stored, "teams", "policy").unwrap(), policy);
    }
}
