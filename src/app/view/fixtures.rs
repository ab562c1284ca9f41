//! An image cache to show.

use serde_json::Value;

use crate::domain::image_cache::ImageCache;

/// One of this specification.
pub(crate) fn cache(spec: &Value) -> ImageCache {
    let mut cache = crate::domain::matching::tests::cache("web", 1, &["nginx:1"]);
    cache.spec = serde_json::from_value(spec.clone()).unwrap();
    cache
}
