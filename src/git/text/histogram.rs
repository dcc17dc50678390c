//! The histogram difference: the longest run of common lines among the rarest divides both texts,
//! and what is left on either side is divided in turn. It came to Git from JGit.

use std::collections::BTreeMap;
use std::ops::Range;

use super::myers;

/// Lines that occur more often than this divide nothing.
const MAX_OCCURRENCES: usize = 64;

/// Which symbols of each text have no counterpart in the other.
pub(super) fn diff(a: &[u32], b: &[u32]) -> (Vec<bool>, Vec<bool>) {
    let mut changed = (vec![false; a.len()], vec![false; b.len()]);
    let mut open = vec![(0..a.len(), 0..b.len())];
    while let Some((one, two)) = open.pop() {
        if one.is_empty() || two.is_empty() {
            changed.0[one].fill(true);
            changed.1[two].fill(true);
            continue;
        }
        match divide(a, b, &one, &two) {
            Division::At(common) => {
                open.push((common.a.end..one.end, common.b.end..two.end));
                open.push((one.start..common.a.start, two.start..common.b.start));
            }
            Division::NothingInCommon => {
                changed.0[one].fill(true);
                changed.1[two].fill(true);
            }
            Division::AllTooCommon => {
                let (first, second) = myers::diff(&a[one.clone()], &b[two.clone()]);
                changed.0[one].copy_from_slice(&first);
                changed.1[two].copy_from_slice(&second);
            }
        }
    }
    changed
}

enum Division {
    At(Common),
    NothingInCommon,
    /// There are common lines, but all of them too often.
    AllTooCommon,
}

/// A run of lines that both texts have.
#[derive(Clone, Default)]
struct Common {
    a: Range<usize>,
    b: Range<usize>,
}

/// Where each symbol of a part of the first text occurs, in order.
struct Index<'s> {
    a: &'s [u32],
    places: BTreeMap<u32, Vec<usize>>,
}

impl<'s> Index<'s> {
    fn of(a: &'s [u32], range: &Range<usize>) -> Self {
        let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        range.clone().for_each(|place| places.entry(a[place]).or_default().push(place));
        Index { a, places }
    }

    fn count(&self, place: usize) -> usize {
        self.places[&self.a[place]].len()
    }
}

fn divide(a: &[u32], b: &[u32], one: &Range<usize>, two: &Range<usize>) -> Division {
    let index = Index::of(a, one);
    let mut best = Common::default();
    let mut rarest = MAX_OCCURRENCES + 1;
    let mut has_common = false;
    let mut j = two.start;
    while j < two.end {
        let mut next = j + 1;
        let places = index.places.get(&b[j]).map_or(&[][..], Vec::as_slice);
        has_common |= !places.is_empty();
        if places.len() <= rarest {
            let mut passed = 0;
            for i in places.iter().copied() {
                if i < passed {
                    continue;
                }
                let (common, rarity) = extend(&index, b, (i, j), one, two);
                (passed, next) = (common.a.end, next.max(common.b.end));
                if best.a.len() < common.a.len() || rarity < rarest {
                    (best, rarest) = (common, rarity);
                }
            }
        }
        j = next;
    }
    match () {
        () if has_common && rarest > MAX_OCCURRENCES => Division::AllTooCommon,
        () if best.a.is_empty() => Division::NothingInCommon,
        () => Division::At(best),
    }
}

/// The common run around a pair of equal lines, and how often its rarest line occurs.
fn extend(
    index: &Index<'_>,
    b: &[u32],
    (i, j): (usize, usize),
    one: &Range<usize>,
    two: &Range<usize>,
) -> (Common, usize) {
    let a = index.a;
    let mut rarity = index.count(i);
    let mut common = Common { a: i..i + 1, b: j..j + 1 };
    let starts = |c: &Common| one.start < c.a.start && two.start < c.b.start;
    while starts(&common) && a[common.a.start - 1] == b[common.b.start - 1] {
        common.a.start -= 1;
        common.b.start -= 1;
        rarity = rarity.min(index.count(common.a.start));
    }
    let ends = |c: &Common| c.a.end < one.end && c.b.end < two.end;
    while ends(&common) && a[common.a.end] == b[common.b.end] {
        rarity = rarity.min(index.count(common.a.end));
        common.a.end += 1;
        common.b.end += 1;
    }
    (common, rarity)
}
