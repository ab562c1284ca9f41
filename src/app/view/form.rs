//! Which form an image cache is shown in: what is kept of one binary must not be shown by another that shows it
//! otherwise.

/// Raise it whenever what [`super::ImageCacheView`] makes of the same row changes, in whatever way. An image cache's
/// failure is not part of it: what has one is not kept.
pub const IMAGE_CACHE_FORM: i32 = 2;

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::json;
    use uuid::Uuid;

    use super::super::ImageCacheView;
    use super::super::fixtures::cache;
    use super::IMAGE_CACHE_FORM;
    use crate::domain::image_cache::ImageCache;
    use crate::domain::image_cache::drift::Reconciled;
    use crate::domain::image_cache::spec::fields::sample;

    fn full() -> ImageCache {
        let at: DateTime<Utc> = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        let asked = json!({
            "name": "web", "region": "cn-beijing", "images": ["nginx:1"], "vswitch_ids": ["vsw-1"],
            "security_group_id": "sg-1", "eip_instance_id": "eip-1", "size_gib": 40, "retention_days": 7, "flash": true,
            "reuse_layers": true, "tags": {"a": "b"}, "zone_id": "cn-beijing-a", "resource_group_id": "rg-1",
            "acr_registries": [{"instance_id": "cri-1"}], "plain_http_registries": ["r:5000"],
            "insecure_registries": ["s:5000"], "comment": "note", "standard_copy_count": 1, "flash_copy_count": 2,
            "os_type": "linux", "elimination_strategy": "lru",
        });
        // A field that is not among these is there, too.
        let mut spec = json!(sample::full());
        spec.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let drift = serde_json::from_value(json!([{"field": "tags", "expected": ["a"], "seen": ["b"]}])).unwrap();
        ImageCache {
            id: Uuid::from_u128(1).into(),
            operation: Uuid::from_u128(2).into(),
            provider_status: Some("Ready".into()),
            eci_cache_id: Some("imc-1".into()),
            container_group_id: Some("eci-1".into()),
            snapshot_id: Some("s-1".into()),
            flash_snapshot_id: Some("f-1".into()),
            progress_percent: Some(100),
            created_at: at,
            updated_at: at,
            ready_at: Some(at),
            expires_at: Some(at),
            last_matched_at: Some(at),
            failure: None,
            reconciled: Reconciled { drift, expiry_told: None, gone_at: Some(at) },
            ..cache(&spec)
        }
    }

    #[test]
    fn another_form_has_another_number() {
        let shown = serde_json::to_string_pretty(&ImageCacheView::from(full())).unwrap();
        // The number is part of the name: a form that is told by another number is a new snapshot, and the old one
        // goes.
        let remedy = "What is shown has changed: raise IMAGE_CACHE_FORM; this snapshot is not to be accepted.";
        insta::with_settings!({description => remedy}, {
            insta::assert_snapshot!(format!("form_{IMAGE_CACHE_FORM}"), shown);
        });
    }
}
