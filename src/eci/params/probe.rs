//! Calls of which nothing can come: what they lack or name makes the cloud refuse them, whatever else it makes of them.
//!
//! Who calls it: the client, for whoever asks whether an action is allowed.

use super::{PAGE, Params};
use crate::domain::region::Region;
use crate::eci::Action;

/// An id as the cloud makes them, and none of its: those begin with letters for their region.
const NO_IMAGE_CACHE: &str = "imc-00000000000000000000";

/// A call of the action: a create without a name and an image, a change or a removal of what is not there. That it is a
/// dry run is said, too, for whoever reads it.
pub fn probe(action: Action, region: &Region) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    match action {
        Action::Create => params.put("DryRun", "true"),
        Action::Update | Action::Delete => {
            params.put("ImageCacheId", NO_IMAGE_CACHE);
            params.put("DryRun", "true");
        }
        Action::Describe => params.put("Limit", PAGE),
        Action::Usage | Action::AssumeRole | Action::GetCallerIdentity => {}
    }
    params
}
