//! Calls without any effect: the cloud has to refuse them for what they lack or name, however it handles them
//! otherwise.
//!
//! Called by the client to test whether an action is allowed.

use super::Params;
use crate::domain::region::Region;
use crate::eci::Action;

/// The call in the action's row: a create without a name and an image, an update or a delete of an image cache that
/// does not exist.
pub fn probe(action: Action, region: &Region) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    for (name, value) in action.facts().probe {
        params.put(*name, *value);
    }
    params
}
