//! `ListUsage`: an open map of numbers, one of them fractional, as in the cloud's own example.

use serde_json::{Map, Value, json};

use super::answer::ActionResult;
use super::ground::ActionContext;
use super::state::CloudState;
use crate::eci::usage;

/// The name prefix of caches that the cloud created automatically.
const AUTOMATIC: &str = "auto-create-for-";

/// The quota and usage of a region; of the whole account if no region is given.
pub(super) fn run(state: &CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let region = usage::read(params)?;
    let own = state.all(ground.now).filter(|cache| cache.account == ground.signatory.account);
    let caches = own.filter(|cache| region.as_ref().is_none_or(|region| cache.spec.region == *region));
    let (automatic, used): (Vec<_>, Vec<_>) = caches.partition(|cache| cache.spec.name.starts_with(AUTOMATIC));
    let attributes = json!({
        "UsedCpu": 16.5,
        "MaxCpu": 500,
        "MaxImageCacheCount": state.limits.quota,
        "UsedImageCacheCount": used.len() + automatic.len(),
        "MaxAutoImageCacheCount": 25,
        "UsedAutoImageCacheCount": automatic.len(),
        "MaxDataCacheCount": 100,
        "UsedDataCacheCount": 0,
    });
    Ok(Map::from_iter([("Attributes".to_owned(), Value::clone(&attributes))]))
}
