//! Which leaves have lost their entries to retention: ranges of leaves, as recorded in an audit entry of their own.
//!
//! When a month is dropped, an entry with the action [`DROPPED`] is written in the same transaction. It names all
//! leaves whose entries were ever dropped, so that the newest such entry is enough, and older ones may be dropped
//! themselves. Only the holder of the audit key can write one that gets sealed: a deleted row cannot be passed off as
//! retention.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The action of the audit entry about a dropped month.
pub const DROPPED: &str = "drop_audit_month";
/// The parameter that holds the ranges.
pub const LEAVES: &str = "leaves";

/// Leaf indices as ranges in order, such as `0-119 130-150`; the empty text means none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaves(Vec<RangeInclusive<i64>>);

/// A string that is not a list of ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be ranges of leaves in order, such as 0-119 130-150")]
pub struct LeavesError;

impl Leaves {
    /// Adds one leaf.
    pub fn add(&mut self, leaf: i64) {
        let after = self.0.partition_point(|range| *range.start() <= leaf);
        if after > 0 && *self.0[after - 1].end() >= leaf {
            return;
        }
        self.0.insert(after, leaf..=leaf);
        self.join(after);
        if after > 0 {
            self.join(after - 1);
        }
    }

    /// Merges this range with the next, if nothing is between them.
    fn join(&mut self, at: usize) {
        if let Some(next) = self.0.get(at + 1)
            && *next.start() == self.0[at].end() + 1
        {
            self.0[at] = *self.0[at].start()..=*next.end();
            self.0.remove(at + 1);
        }
    }

    /// Whether it contains this leaf.
    pub fn contains(&self, leaf: i64) -> bool {
        let after = self.0.partition_point(|range| *range.start() <= leaf);
        after > 0 && *self.0[after - 1].end() >= leaf
    }
}

impl fmt::Display for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|range| format!("{}-{}", range.start(), range.end())).collect();
        f.write_str(&words.join(" "))
    }
}

impl FromStr for Leaves {
    type Err = LeavesError;

    fn from_str(text: &str) -> Result<Self, LeavesError> {
        let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
        for word in text.split_whitespace() {
            let (start, end) = word.split_once('-').ok_or(LeavesError)?;
            let (start, end): (i64, i64) =
                (start.parse().map_err(|_| LeavesError)?, end.parse().map_err(|_| LeavesError)?);
            if start > end || ranges.last().is_some_and(|last| *last.end() >= start) {
                return Err(LeavesError);
            }
            ranges.push(start..=end);
        }
        Ok(Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_in_any_order_become_ranges() {
        let mut leaves = Leaves::default();
        for leaf in [5, 3, 4, 0, 9, 1, 4, 8] {
            leaves.add(leaf);
        }
        assert_eq!(leaves.to_string(), "0-1 3-5 8-9");
        assert_eq!(leaves.to_string().parse(), Ok(leaves.clone()));
        let held: Vec<i64> = (-1..12).filter(|leaf| leaves.contains(*leaf)).collect();
        assert_eq!(held, [0, 1, 3, 4, 5, 8, 9]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert_eq!("".parse(), Ok(Leaves::default()));
        for text in ["1", "2-1", "a-b", "0-5 3-9", "5-9 0-1"] {
            assert_eq!(text.parse::<Leaves>(), Err(LeavesError), "{text}");
        }
    }
}
