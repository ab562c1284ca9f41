//! Which observations are worth a write.
//!
//! While a build runs, its progress and its events change with every lookup. Written each time, 100,000 builds would
//! cost the database ten thousand writes a second for data that nobody waits for. So progress is written in steps, and
//! the cloud's own record together with the next change that is worth a write.

use crate::domain::image_cache::ImageCache;
use crate::domain::transition::change::Change;

/// How many percentage points progress must move to be written for its own sake.
pub const PROGRESS_STEP: i32 = 20;

/// Whether what an observation changed is worth a write.
pub fn is_worth_writing(before: &ImageCache, change: &Change) -> bool {
    let next = &change.next;
    let plain = ImageCache {
        updated_at: before.updated_at,
        provider: before.provider.clone(),
        progress_percent: before.progress_percent,
        ..next.clone()
    };
    change.moved.is_some() || plain != *before || has_progressed(before.progress_percent, next.progress_percent)
}

fn has_progressed(before: Option<i32>, now: Option<i32>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => (now - before).abs() >= PROGRESS_STEP || (now >= 100) != (before >= 100),
        (before, now) => before != now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_in_steps_and_at_its_end() {
        assert!(!has_progressed(Some(20), Some(39)));
        assert!(has_progressed(Some(20), Some(40)));
        assert!(has_progressed(Some(99), Some(100)));
        assert!(has_progressed(None, Some(0)));
        assert!(!has_progressed(Some(7), Some(7)));
    }
}
