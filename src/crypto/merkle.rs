//! The Merkle tree of RFC 6962: hashes, the growing edge, and which subtrees a proof is made of.
//!
//! A tree is kept as its complete subtrees: [`Subtree`] names the one of `2^level` leaves that ends with a leaf. Adding
//! a leaf completes as many subtrees as its index ends with one-bits. Every hash of a proof is the fold of a few of
//! them, so a proof reads O(log n) hashes.
//!
//! Who calls it: `app`, to seal, to prove and to verify. What it does not do: read or write.

use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 of the byte 0 and its data.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(data).finalize().into()
}

/// The hash of two halves: SHA-256 of the byte 1, the left and the right.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A complete subtree: `2^level` leaves, the last of which is `leaf`. Level 0 is the leaf itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// Its last leaf.
    pub leaf: i64,
    /// How high it is.
    pub level: i16,
}

/// The growing edge: the largest complete subtrees, from left to right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: i64,
    peaks: Vec<Hash>,
}

impl Edge {
    /// The edge of a tree of `size` leaves, with the hashes of [`Edge::subtrees`]. None if they are not as many.
    pub fn of(size: i64, peaks: Vec<Hash>) -> Option<Self> {
        (Self::subtrees(size).len() == peaks.len()).then_some(Self { size, peaks })
    }

    /// The subtrees that the edge of a tree of `size` leaves consists of.
    pub fn subtrees(size: i64) -> Vec<Subtree> {
        cover(0, size)
    }

    /// How many leaves there are.
    pub fn size(&self) -> i64 {
        self.size
    }

    /// Adds a leaf; returns the subtrees that it completes, from level 1 on.
    pub fn push(&mut self, leaf: Hash) -> Vec<(Subtree, Hash)> {
        let (index, mut hash, mut level) = (self.size, leaf, 0);
        let mut completed = Vec::new();
        while index >> level & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            level += 1;
            completed.push((Subtree { leaf: index, level }, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
        completed
    }

    /// The root; of an empty tree, the hash of nothing.
    pub fn root(&self) -> Hash {
        fold(&self.peaks).unwrap_or_else(|| Sha256::digest([]).into())
    }
}

/// The hash of a range of leaves, from those of its complete subtrees in order. None for no hashes.
pub fn fold(hashes: &[Hash]) -> Option<Hash> {
    let (last, others) = hashes.split_last()?;
    Some(others.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The complete subtrees of the leaves from `start` up to `end`, from left to right. The range is one that a proof asks
/// for: `start` is a multiple of a power of two that is not smaller than the range.
fn cover(start: i64, end: i64) -> Vec<Subtree> {
    let (mut found, mut at) = (Vec::new(), start);
    for level in (0..63_i16).rev() {
        let width = 1_i64 << level;
        if end - at >= width {
            at += width;
            found.push(Subtree { leaf: at - 1, level });
        }
    }
    found
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: i64) -> i64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// What proves that leaf `index` is in the tree of `size` leaves: each hash as the subtrees to fold. None if it is not.
pub fn inclusion(index: i64, size: i64) -> Option<Vec<Vec<Subtree>>> {
    if !(0..size).contains(&index) {
        return None;
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(cover(middle, end));
            end = middle;
        } else {
            path.push(cover(start, middle));
            start = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// What proves that the tree of `second` leaves begins with that of `first`, likewise. None unless `0 < first <=
/// second`.
pub fn consistency(first: i64, second: i64) -> Option<Vec<Vec<Subtree>>> {
    if !(1..=second).contains(&first) {
        return None;
    }
    let (mut start, mut end, mut path) = (0, second, Vec::new());
    let mut whole = true;
    while end != first {
        let middle = start + split(end - start);
        if first <= middle {
            path.push(cover(middle, end));
            end = middle;
        } else {
            path.push(cover(start, middle));
            start = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(cover(start, end));
    }
    path.reverse();
    Some(path)
}

/// Whether `path` proves that a leaf of this hash stands at `index` in the tree of this size and root (RFC 9162,
/// 2.1.3.2).
pub fn includes(index: i64, size: i64, leaf: &Hash, path: &[Hash], root: &Hash) -> bool {
    if !(0..size).contains(&index) {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(step, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the second tree begins with the first (RFC 9162, 2.1.4.2).
pub fn is_consistent(first: (i64, &Hash), second: (i64, &Hash), path: &[Hash]) -> bool {
    let ((m, first_root), (n, second_root)) = (first, second);
    if m < 1 || m > n {
        return false;
    }
    if m == n {
        return path.is_empty() && first_root == second_root;
    }
    // A power of two is a subtree of its own, and not repeated in the path.
    let own: &[Hash] = if m & (m - 1) == 0 { &[*first_root] } else { &[] };
    let mut steps = own.iter().chain(path);
    let Some(start) = steps.next() else { return false };
    let (mut at, mut last) = (m - 1, n - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut one, mut two) = (*start, *start);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            one = node_hash(step, &one);
            two = node_hash(step, &two);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            two = node_hash(&two, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && one == *first_root && two == *second_root
}

#[cfg(test)]
mod tests;
