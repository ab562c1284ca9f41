//! The Merkle tree of RFC 6962: hashes, appending, and the subtrees that a proof consists of.
//!
//! A tree is stored as its complete subtrees: [`Subtree`] is the one with `2^level` leaves that ends with a given leaf.
//! Appending a leaf completes as many subtrees as its index has trailing one-bits. Every hash of a proof is computed
//! from a few of them, so a proof reads O(log n) hashes.
//!
//! Called by `app` to seal, to prove and to verify. It neither reads nor writes the database.

use sha2::{Digest as _, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 of the byte 0 and its data.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(data).finalize().into()
}

/// The hash of a node: SHA-256 of the byte 1, the left and the right hash.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A complete subtree: `2^level` leaves, the last of which is `leaf`. Level 0 is the leaf itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// The index of its last leaf.
    pub leaf: i64,
    /// Its height; 0 for a single leaf.
    pub level: i16,
}

/// The right edge: the largest complete subtrees, from left to right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: i64,
    peaks: Vec<Hash>,
}

impl Edge {
    /// The edge of a tree of `size` leaves, with the hashes of [`Edge::subtrees`]; `None` if their number is wrong.
    pub fn of(size: i64, peaks: Vec<Hash>) -> Option<Self> {
        (Self::subtrees(size).len() == peaks.len()).then_some(Self { size, peaks })
    }

    /// The subtrees that the edge of a tree of `size` leaves consists of.
    pub fn subtrees(size: i64) -> Vec<Subtree> {
        cover(0, size)
    }

    /// The number of leaves.
    pub fn size(&self) -> i64 {
        self.size
    }

    /// Appends a leaf; returns the subtrees that it completes, from level 1 on.
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

    /// The root hash; for an empty tree, the hash of the empty string.
    pub fn root(&self) -> Hash {
        fold(&self.peaks).unwrap_or_else(|| Sha256::digest([]).into())
    }
}

/// The hash of a range of leaves, from those of its complete subtrees in order; `None` without hashes.
pub fn fold(hashes: &[Hash]) -> Option<Hash> {
    let (last, others) = hashes.split_last()?;
    Some(others.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The complete subtrees of the leaves from `start` up to `end`, from left to right. `start` must be a multiple of a
/// power of two that is not smaller than the range, as it is for proofs.
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

/// The proof that leaf `index` is in the tree of `size` leaves: for each hash the subtrees from which it is computed.
/// `None` if the leaf is not in the tree.
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

/// The proof that the tree of `second` leaves begins with that of `first`, in the same form. `None` unless `0 < first
/// <= second`.
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

/// Whether `path` proves that a leaf with this hash is at `index` in the tree with this size and root (RFC 9162,
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
    // A tree whose size is a power of two is one subtree, and is not repeated in the path.
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
