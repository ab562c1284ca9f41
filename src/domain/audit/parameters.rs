//! Which parameters of a request its audit entry contains in plain text, and which only as a keyed hash.
//!
//! What must stay true: a value is stored in plain text only under a name on the list; an unknown name is not stored
//! either (a secret in the wrong place may be there), all such pairs share one hash under `other`. Equal values have
//! equal hashes, so that an auditor who knows a value can find it.

use std::collections::BTreeMap;

use crate::domain::identity::caller::Provenance;
use crate::domain::identity::issuer::DEFAULT;
use crate::domain::image_cache::spec::fields::{ALL, AuditForm, Field};

/// Names whose values are stored in plain text, because none of them can hold a secret: of the query, the body and the
/// cloud's own API. Those of the fields of a spec are in their table, and numbers and the like in [`PLAIN`].
const SHOWN: &[&str] = &[
    "team",
    "cloud_account",
    "image",
    "status",
    "event_types",
    "scopes",
    "endpoint",
    "subject",
    "action",
    "resource",
    "outcome",
    "request_id",
    "format",
    "eci_cache_id",
    "snapshot_id",
    "expires_at",
    "keep_old_hours",
    "jti",
    "issued_before",
    "id",
    "disabled",
    "regions",
    "registries",
    "min_size_gib",
    "max_size_gib",
    "default_retention_days",
    "max_retention_days",
    "max_image_caches",
    "max_total_gib",
    "monthly_budget",
    "allow_latest_tag",
    "allow_plain_http",
    "allow_insecure_registries",
    "ImageCacheId",
    "SnapshotId",
    "MatchImage",
    "event_id",
    "event_type",
    "webhook_endpoint_id",
    "image_cache_id",
    "grant_type",
    "requested_token_type",
    "subject_token_type",
    "type",
];
/// Known names whose values are stored as hashes.
const HASHED: &[&str] = &[
    "ids",
    "items",
    "description",
    "secret",
    "url",
    "tag",
    "text",
    "cursor",
    "filter",
    "reason",
    "display_name",
    "contacts",
    "cost_centre",
    "policy",
    "cloud_accounts",
    "access_key_id",
    "access_key_secret",
    "role",
    "api_endpoint",
    "security_group_ids",
    "eip_instance_ids",
    "resource_group_ids",
    "acr_instance_ids",
    "role_arns",
    "ClientToken",
    "NextToken",
    "algorithms",
    "audience",
    "audiences",
    "client_ids",
    "headers",
    "issuer",
    "keys",
    "name_pattern",
    "q",
    "retry_schedule_seconds",
    "rules",
    "scope",
];
/// Names whose values are stored in plain text if they are numbers, booleans or instants: anything else under them is a
/// mistake, and may be a secret.
const PLAIN: &[&str] = &[
    "generation",
    "dry_run",
    "limit",
    "created_after",
    "created_before",
    "expires_after",
    "expires_before",
    "idle_since",
    "recorded_after",
    "recorded_before",
    "tree_size",
    "first_size",
    "second_size",
    "wait_seconds",
    "timeout_seconds",
    "full_match",
    "minimum_matches",
    "ephemeral_storage_gib",
    "verify_later",
    "skip_challenge",
    "Limit",
    "ImageFullMatch",
    "ImageMatchCountRequest",
    "drifted",
    "ed25519",
    "found_after",
    "keep_keys",
    "leeway_seconds",
    "max_key_age_seconds",
    "max_key_life_days",
    "max_lifetime_seconds",
    "ordered",
    "rate_per_second",
];
/// The longest value that is stored in plain text, in characters.
const LONGEST: usize = 256;

/// What is stored of `asked`, the names and values as they were sent; `hash` makes a keyed hash.
pub fn recorded(asked: &[(String, String)], hash: impl Fn(&[u8]) -> String) -> BTreeMap<String, String> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut other = Vec::new();
    for (name, value) in asked {
        if let Some(name) = known(name) {
            found.entry(name).or_default().push(value);
            continue;
        }
        for text in [name, value] {
            // The lengths keep pairs apart.
            other.extend((text.len() as u64).to_be_bytes());
            other.extend(text.as_bytes());
        }
    }
    let show = |(name, values): (&str, Vec<&str>)| {
        let text = values.join(" ");
        let short = text.chars().count() <= LONGEST && !text.contains(char::is_control);
        let clear = is_shown(name) && short && (!must_be_plain(name) || values.iter().all(|text| is_plain(text)));
        (name.to_owned(), if clear { text } else { hash(text.as_bytes()) })
    };
    let mut kept: BTreeMap<String, String> = found.into_iter().map(show).collect();
    if !other.is_empty() {
        kept.insert("other".to_owned(), hash(&other));
    }
    kept
}

/// What is stored about a token of an issuer other than that of the settings: which issuer and rule accepted it, and
/// the claims that the rule records, each under its JSON pointer.
pub fn of_token(provenance: &Provenance) -> BTreeMap<String, String> {
    if provenance.issuer == DEFAULT {
        return BTreeMap::new();
    }
    let rows = [("token_issuer", &provenance.issuer), ("token_rule", &provenance.rule)];
    let noted = provenance.noted.iter().map(|(pointer, value)| (format!("token{pointer}"), value.clone()));
    rows.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).chain(noted).collect()
}

/// Whether the text can only be a number, a boolean or an instant.
fn is_plain(text: &str) -> bool {
    let number = text.len() <= 35
        && text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-+:.TZ".contains(&byte));
    number || text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// The known name that `name` belongs to: `Tag.1.Key` is `Tag`.
fn known(name: &str) -> Option<&'static str> {
    let head = name.split('.').next().unwrap_or_default();
    let is = |known: &str| known == name || known == head;
    let of_field = ALL.iter().flat_map(|field| [field.name, field.parameter()]).find(|known| is(known));
    of_field.or_else(|| SHOWN.iter().chain(PLAIN).chain(HASHED).copied().find(|known| is(known)))
}

/// The field of a spec with this name, in REST or in the cloud's own API.
fn field(name: &str) -> Option<&'static Field> {
    ALL.iter().copied().find(|field| field.name == name || field.parameter() == name)
}

fn is_shown(name: &str) -> bool {
    field(name).map_or_else(|| SHOWN.contains(&name) || PLAIN.contains(&name), |field| field.audit == AuditForm::Plain)
}

fn must_be_plain(name: &str) -> bool {
    field(name).map_or_else(|| PLAIN.contains(&name), Field::is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_of(pairs: &[(&str, &str)]) -> Vec<String> {
        let asked: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        recorded(&asked, |bytes| format!("#{}", bytes.len()))
            .into_iter()
            .map(|(name, value)| name + "=" + &value)
            .collect()
    }

    #[test]
    fn only_names_of_the_list_show_their_values() {
        let sent = [("region", "cn-beijing"), ("registry_credentials", "pass"), ("pass", "word"), ("Tag.1.Key", "k")];
        assert_eq!(kept_of(&sent), ["Tag=#1", "other=#24", "region=cn-beijing", "registry_credentials=#4"]);
    }

    #[test]
    fn every_field_of_a_spec_is_told_as_its_row_says_through_either_door() {
        for field in ALL {
            let value = if field.is_plain() { "1" } else { "x" };
            let told = if field.audit == AuditForm::Plain { value } else { "#1" };
            for name in [field.name, field.parameter()] {
                assert_eq!(kept_of(&[(name, value)]), [format!("{name}={told}")]);
            }
        }
    }

    #[test]
    fn a_repeated_name_is_one_parameter() {
        assert_eq!(kept_of(&[("status", "ready"), ("status", "failed")]), ["status=ready failed"]);
        assert_eq!(kept_of(&[("Image.1", "a"), ("Image.2", "b")]), ["Image=a b"]);
    }

    #[test]
    fn what_is_long_or_unprintable_is_hashed() {
        assert_eq!(kept_of(&[("name", &"x".repeat(257)), ("action", "a\nb")]), ["action=#3", "name=#257"]);
    }

    #[test]
    fn what_stands_under_the_wrong_name_is_hashed() {
        assert_eq!(kept_of(&[("size_gib", "hunter2"), ("limit", "20")]), ["limit=20", "size_gib=#7"]);
        assert_eq!(
            kept_of(&[("created_after", "2026-03-01T08:00:00.5+01:00"), ("Flash", "true x")]),
            ["Flash=#6", "created_after=2026-03-01T08:00:00.5+01:00"]
        );
    }

    #[test]
    fn any_number_of_strange_names_is_one_hash() {
        let strange: Vec<(String, String)> = (0..1_000).map(|n| (format!("n{n}"), "v".to_owned())).collect();
        assert_eq!(recorded(&strange, |_| "#".into()), BTreeMap::from([("other".to_owned(), "#".to_owned())]));
    }
}
