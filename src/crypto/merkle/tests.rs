//! The test vectors of the Certificate Transparency project for RFC 6962, literal implementations of the RFC's
//! definitions, and every proof for every tree of up to 70 leaves.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::domain::property::holds;

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// MTH, implemented literally as in the RFC.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

/// The hashes of a proof, computed from the stored subtrees.
fn hashes(kept: &HashMap<Subtree, Hash>, path: &[Vec<Subtree>]) -> Vec<Hash> {
    path.iter().map(|parts| fold(&parts.iter().map(|part| kept[part]).collect::<Vec<_>>()).unwrap()).collect()
}

#[test]
fn the_roots_of_the_known_leaves_are_known() {
    let mut edge = Edge::default();
    assert_eq!(hex(&edge.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        edge.push(leaf_hash(&bytes(leaf)));
        assert_eq!(hex(&edge.root()), root);
    }
}

#[test]
fn known_proofs() {
    let mut kept = HashMap::new();
    let mut edge = Edge::default();
    for (index, leaf) in LEAVES.iter().enumerate() {
        let leaf = leaf_hash(&bytes(leaf));
        kept.insert(Subtree { leaf: i64::try_from(index).unwrap(), level: 0 }, leaf);
        kept.extend(edge.push(leaf));
    }
    let shown = |path: Option<Vec<Vec<Subtree>>>| -> Vec<String> {
        hashes(&kept, &path.unwrap()).iter().map(|hash| hex(hash)[..8].to_owned()).collect()
    };
    assert_eq!(shown(inclusion(0, 8)), ["96a296d2", "5f083f0a", "6b47aaf2"]);
    assert_eq!(shown(inclusion(5, 8)), ["bc1a0643", "ca854ea1", "d37ee418"]);
    assert_eq!(shown(inclusion(2, 3)), ["fac54203"]);
    assert_eq!(shown(inclusion(1, 5)), ["6e340b9c", "5f083f0a", "bc1a0643"]);
    assert_eq!(shown(consistency(1, 8)), ["96a296d2", "5f083f0a", "6b47aaf2"]);
    assert_eq!(shown(consistency(6, 8)), ["0ebc5d34", "ca854ea1", "d37ee418"]);
    assert_eq!(shown(consistency(2, 5)), ["5f083f0a", "bc1a0643"]);
}

#[test]
fn every_proof_of_every_small_tree_holds_and_no_other() {
    let leaves: Vec<Hash> = (0..70_u8).map(|n| leaf_hash(&[n])).collect();
    let (mut kept, mut edge) = (HashMap::new(), Edge::default());
    for (index, leaf) in (0..).zip(&leaves) {
        kept.insert(Subtree { leaf: index, level: 0 }, *leaf);
        kept.extend(edge.push(*leaf));
        let size = index + 1;
        let root = mth(&leaves[..usize::try_from(size).unwrap()]);
        assert_eq!(edge.root(), root);
        let peaks = Edge::subtrees(size).iter().map(|part| kept[part]).collect();
        assert_eq!(Edge::of(size, peaks).unwrap(), edge);
        for other in 0..size {
            let at = usize::try_from(other).unwrap();
            let path = hashes(&kept, &inclusion(other, size).unwrap());
            assert!(includes(other, size, &leaves[at], &path, &root), "{other} {size}");
            assert!(!includes(other, size, &[9; 32], &path, &root));
            assert!(!includes((other + 1) % size, size, &leaves[at], &path, &root) || size == 1);
            let first = other + 1;
            let path = hashes(&kept, &consistency(first, size).unwrap());
            let first_root = mth(&leaves[..usize::try_from(first).unwrap()]);
            assert!(is_consistent((first, &first_root), (size, &root), &path), "{first} {size}");
            assert!(!is_consistent((first, &[9; 32]), (size, &root), &path));
            assert!(!is_consistent((first, &first_root), (size, &[9; 32]), &path));
        }
    }
}

#[test]
fn what_is_not_there_has_no_proof() {
    for (index, size) in [(0, 0), (5, 5), (-1, 5)] {
        assert_eq!(inclusion(index, size), None);
        assert!(!includes(index, size, &[0; 32], &[], &[0; 32]));
    }
    for (first, second) in [(0, 5), (6, 5), (-1, 5)] {
        assert_eq!(consistency(first, second), None);
        assert!(!is_consistent((first, &[0; 32]), (second, &[0; 32]), &[]));
    }
}

/// The hashes of a number of different leaves, and the roots of all trees of the first of them.
struct Grown {
    leaves: Vec<Hash>,
    kept: HashMap<Subtree, Hash>,
    roots: Vec<Hash>,
}

fn grown(size: i64) -> Grown {
    let (mut edge, mut kept) = (Edge::default(), HashMap::new());
    let leaves: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
    let mut roots = vec![edge.root()];
    for (index, leaf) in (0..).zip(&leaves) {
        kept.insert(Subtree { leaf: index, level: 0 }, *leaf);
        kept.extend(edge.push(*leaf));
        roots.push(edge.root());
    }
    Grown { leaves, kept, roots }
}

/// Alterations of a proof.
fn altered(path: &[Hash], at: Index, bit: u8) -> [Vec<Hash>; 3] {
    let [mut turned, mut shorter, mut longer] = [path.to_vec(), path.to_vec(), path.to_vec()];
    if !path.is_empty() {
        turned[at.index(path.len())][usize::from(bit / 8)] ^= 1 << (bit % 8);
        shorter.remove(at.index(path.len()));
    }
    longer.insert(at.index(path.len() + 1), [bit; 32]);
    [turned, shorter, longer]
}

const SIZES: i64 = 3_000;

#[test]
fn any_leaf_of_any_tree_is_proved_and_no_altered_proof_holds() {
    let Grown { leaves, kept, roots } = grown(SIZES);
    holds(2_000, (1..=SIZES, any::<Index>(), any::<Index>(), any::<u8>()), |(size, which, at, bit)| {
        let index = which.index(usize::try_from(size).unwrap());
        let (leaf, root) = (&leaves[index], &roots[usize::try_from(size).unwrap()]);
        let index = i64::try_from(index).unwrap();
        let path = hashes(&kept, &inclusion(index, size).unwrap());
        prop_assert!(includes(index, size, leaf, &path, root));
        for other in altered(&path, at, bit).iter().filter(|other| **other != path) {
            prop_assert!(!includes(index, size, leaf, other, root), "{:?}", other);
        }
        prop_assert!(size == 1 || !includes((index + 1) % size, size, leaf, &path, root), "at another place");
        prop_assert!(!includes(index, size * 8, leaf, &path, root), "in a deeper tree");
        Ok(())
    });
}

#[test]
fn any_tree_is_proved_to_begin_with_any_smaller_one_and_no_altered_proof_holds() {
    let Grown { kept, roots, .. } = grown(SIZES);
    holds(2_000, (1..=SIZES, any::<Index>(), any::<Index>(), any::<u8>()), |(second, which, at, bit)| {
        let first = 1 + which.index(usize::try_from(second).unwrap());
        let (one, two) = (&roots[first], &roots[usize::try_from(second).unwrap()]);
        let first = i64::try_from(first).unwrap();
        let path = hashes(&kept, &consistency(first, second).unwrap());
        prop_assert!(is_consistent((first, one), (second, two), &path));
        for other in altered(&path, at, bit).iter().filter(|other| **other != path) {
            prop_assert!(!is_consistent((first, one), (second, two), other), "{:?}", other);
        }
        let forged = [bit; 32];
        prop_assert!(!is_consistent((first, &forged), (second, two), &path), "of another first tree");
        prop_assert!(!is_consistent((first, one), (second, &forged), &path), "of another second tree");
        prop_assert!(!is_consistent((first, one), (second * 8, two), &path), "of a deeper second tree");
        Ok(())
    });
}
