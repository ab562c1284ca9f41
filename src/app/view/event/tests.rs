//! Bodies that would be too large, and what is left out of them.

use serde_json::{Value, json};

use super::*;

/// The body of a failed build with `events` of the cloud, of a cache with this in its specification.
fn failed(spec: &Value, events: usize) -> EventBody {
    let event = |number: usize| json!({"Name": format!("e{number}"), "Type": "Warning", "Reason": "Failed", "Message": "m".repeat(900)});
    let events: Vec<Value> = (0..events).map(event).collect();
    let mut cache = crate::app::view::fixtures::cache(spec);
    cache.provider = Some(json!({"Status": "Failed", "Events": events}));
    EventBody::of_cache(EventType::Failed, &cache, (Some((Status::Creating, Status::Failed)), "observed"), Vec::new())
}

fn plain() -> Value {
    json!({"name": "web", "region": "cn-hangzhou", "images": ["nginx:1"]})
}

#[test]
fn a_small_body_is_whole() {
    let body = failed(&plain(), 3);
    let names: Vec<&str> = body.data.provider_events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((names.as_slice(), body.data.left_out.as_slice()), (&["e0", "e1", "e2"][..], &[][..]));
    let changed = body.data.changed.unwrap().status.unwrap();
    assert_eq!((changed.from, changed.to), (StatusView::Creating, StatusView::Failed));
}

#[test]
fn the_newest_events_of_the_cloud_are_kept() {
    let body = failed(&plain(), 50);
    assert!(body.to_json().len() <= MAX_BODY && body.to_json().len() > MAX_BODY - 1_500, "{}", body.to_json().len());
    assert_eq!(body.data.left_out, ["provider_events"]);
    assert_eq!(body.data.provider_events.last().unwrap().name, "e49");
}

#[test]
fn the_largest_image_cache_still_fits() {
    let hosts = |stem: &str| -> Vec<String> { (0..20).map(|n| format!("{stem}{n}.{}", "a".repeat(240))).collect() };
    let registry = json!({"instance_id": "i", "domains": hosts("d")});
    let tags: serde_json::Map<String, Value> =
        (0..20).map(|n| (format!("{n}{}", "é".repeat(120)), "ü".repeat(128).into())).collect();
    let spec = json!({
        "name": "web", "region": "cn-hangzhou", "comment": "é".repeat(1024), "tags": tags,
        "images": (0..20).map(|n| format!("{n}{}", "é".repeat(500))).collect::<Vec<_>>(),
        "acr_registries": vec![registry; 20], "insecure_registries": hosts("i"), "plain_http_registries": hosts("p"),
    });
    let body = failed(&spec, 50);
    assert!(body.to_json().len() <= MAX_BODY, "{}", body.to_json().len());
    assert!(body.data.left_out.contains(&"image_cache.acr_registries".to_owned()), "{:?}", body.data.left_out);
    assert_eq!(body.data.image_cache.unwrap().images.len(), 1);
}

#[test]
fn a_body_of_an_earlier_form_can_be_read() {
    let mut old = serde_json::to_value(failed(&plain(), 0)).unwrap();
    old.as_object_mut().unwrap().remove("version");
    for name in ["generation", "changed"] {
        old["data"].as_object_mut().unwrap().remove(name);
    }
    let read: EventBody = serde_json::from_value(old).unwrap();
    assert_eq!((read.version, read.data.generation, read.data.sequence), (1, None, Some(1)));
}

#[test]
fn the_body_of_a_failed_build_has_its_form() {
    let spec = json!({
        "name": "web", "region": "cn-hangzhou", "images": ["nginx:1", "redis:7"], "size_gib": 40, "tags": {"a": "b"},
        "retention_days": 7, "acr_registries": [{"instance_id": "cri-1"}], "elimination_strategy": "lru",
    });
    let mut body = failed(&spec, 1);
    body.data.provider_events.iter_mut().for_each(|event| event.message.truncate(3));
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
}
