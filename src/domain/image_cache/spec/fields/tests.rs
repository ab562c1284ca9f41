//! Rules that every field in the table must follow.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::objects::members_of;
use super::*;
use crate::domain::image_cache::spec::NewImageCache;

#[test]
fn each_name_stands_once() {
    for name in [|field: &Field| field.name, |field: &Field| field.parameter()] {
        assert_eq!(ALL.iter().map(|field| name(field)).collect::<BTreeSet<_>>().len(), ALL.len());
    }
}

#[test]
fn what_a_field_is_for_names_its_parameter_and_its_limits() {
    for field in ALL {
        let (name, most) = (field.name, field.schema.max_length.unwrap_or(field.most()));
        for text in [Some(field.purpose), field.shown].into_iter().flatten() {
            assert!(text.contains(&format!("(`{}`)", field.wire)), "{name}: {text}");
            assert!(text.ends_with('.'), "{name}: {text}");
        }
        if matches!(field.form, ValueForm::Number { .. }) {
            let range = format!(", {} to {}", field.range().start(), field.range().end());
            assert!(field.purpose.contains(&range), "{name}: {range} in {}", field.purpose);
        }
        for (words, text) in
            ["up to ", "at most ", " to "].iter().filter_map(|words| Some((*words, field.purpose.split_once(words)?.1)))
        {
            let said = text.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
            let bound = if matches!(field.form, ValueForm::Number { .. }) {
                field.range().end().to_string()
            } else {
                most.to_string()
            };
            assert!(said.is_empty() || said == bound, "{name}: {words}{said}, and not {bound}");
        }
    }
}

#[test]
fn what_the_cloud_takes_by_itself_may_be_asked_for() {
    for field in ALL {
        if let ValueForm::Number { usual: Some(usual), .. } = field.form {
            assert!(field.range().contains(&usual), "{}", field.name);
        }
    }
}

/// Values that are invalid for a field.
fn wrong(field: &Field) -> Vec<Value> {
    let many = |count: usize| (0..count).map(|n| format!("x-{n}")).collect::<Vec<_>>();
    let (most, range) = (field.schema.max_length.unwrap_or(field.most()), field.range());
    match field.form {
        ValueForm::Text => vec![json!(""), json!("x".repeat(most + 1)), json!("a\nb")],
        ValueForm::Id => vec![json!(""), json!("a,b"), json!("x".repeat(65))],
        ValueForm::Number { .. } => vec![json!(range.start() - 1), json!(range.end() + 1)],
        ValueForm::Images => vec![json!([]), json!(many(most + 1)), json!(["a b"]), json!(["a", "a"])],
        ValueForm::Ids { .. } => vec![json!(many(most + 1)), json!(["a,b"])],
        ValueForm::Hosts { .. } => vec![json!(many(most + 1)), json!(["http://x"])],
        ValueForm::Tags { most } => {
            let tags: serde_json::Map<_, _> = (0..=most).map(|n| (format!("k{n}"), json!(""))).collect();
            vec![json!(tags), json!({"acs:x": ""}), json!({"": ""})]
        }
        ValueForm::Objects { .. } => {
            let all: Vec<_> = (0..=most).map(|_| json!({"instance_id": "cri-1"})).collect();
            vec![json!(all), json!([{"instance_id": ""}])]
        }
        ValueForm::Region | ValueForm::Flag | ValueForm::Word => Vec::new(),
    }
}

#[test]
fn what_a_field_must_not_be_is_refused_under_its_name() {
    for field in sample::fields() {
        for value in wrong(field) {
            let mut spec = json!(sample::of(None));
            spec[field.name] = value.clone();
            let spec = serde_json::from_value(spec).unwrap();
            let new = NewImageCache { cloud_account: None, spec, registry_credentials: Vec::new() };
            let errors = new.check().expect_err(field.name);
            let all_its_own = errors.iter().all(|error| error.field.starts_with(&field.pointer()));
            assert!(all_its_own, "{}: {value}: {errors:?}", field.name);
        }
    }
}

#[test]
fn what_each_field_can_be_is_taken() {
    let new = NewImageCache { cloud_account: None, spec: sample::full(), registry_credentials: Vec::new() };
    assert_eq!(new.check(), Ok(()));
    let given = new.spec.given();
    assert!(given.iter().all(|(_, given)| !given.is_unset()), "{given:?}");
    assert_eq!(given.len(), sample::fields().count());
}

#[test]
fn lists_of_objects_have_members_and_nothing_else_has() {
    for field in ALL {
        let members = members_of(field);
        assert_eq!(matches!(field.form, ValueForm::Objects { .. }), !members.is_empty(), "{}", field.name);
    }
}
