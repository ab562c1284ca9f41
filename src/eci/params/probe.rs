//! Calls of which nothing can come: what they lack or name makes the cloud refuse them, whatever else it makes of them.
//!
//! Who calls it: the client, for whoever asks whether an action is allowed.

use super::Params;
use crate::domain::region::Region;
use crate::eci::Action;

/// A call of the action, as its row says it: a create without a name and an image, a change or a removal of what is not
/// there.
pub fn probe(action: Action, region: &Region) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    for (name, value) in action.facts().probe {
        params.put(*name, *value);
    }
    params
}
