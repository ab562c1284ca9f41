//! What the gate shows where it opens.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ImageCacheView, MatchAnnotationsView};

/// A usable image cache that contains all the images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Gate)]
pub struct GateView {
    /// The image cache.
    pub image_cache: ImageCacheView,
    /// The annotations to paste into the pod.
    pub annotations: MatchAnnotationsView,
}
