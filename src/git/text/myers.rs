//! E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), in linear space, with the
//! shortcuts by which Git keeps large and unlike texts affordable.

use std::collections::BTreeMap;

/// Below this cost nothing is cut short.
const MIN_COST: isize = 256;
/// A run of equal lines that is longer than this makes a diagonal worth a look.
const SNAKE: isize = 20;
/// How much further than its cost a diagonal must have come to be taken.
const REACH_FACTOR: isize = 4;
/// A line that occurs in the other text more often than this says little.
const MAX_OCCURRENCES: usize = 1024;
/// How far to look around a line that says little.
const WINDOW: usize = 100;

/// Which symbols of each text have no counterpart in the other.
pub(super) fn diff(a: &[u32], b: &[u32]) -> (Vec<bool>, Vec<bool>) {
    let mut changed = (vec![false; a.len()], vec![false; b.len()]);
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (rest_a, rest_b) = (&a[start..], &b[start..]);
    let end = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = |text: &[u32]| start..text.len() - end;
    let one = Candidates::of(a, middle(a), &occurrences(b), &mut changed.0);
    let two = Candidates::of(b, middle(b), &occurrences(a), &mut changed.1);
    Search::new(&one, &two).run(&mut changed);
    changed
}

/// The lines that take part in the search: their symbols, and where they stand in the text.
struct Candidates {
    symbols: Vec<u32>,
    places: Vec<usize>,
}

/// How much a line says about what corresponds to what.
#[derive(Clone, Copy, PartialEq)]
enum Weight {
    /// The other text has no such line.
    None,
    Some,
    /// The other text has it in very many places.
    Little,
}

impl Candidates {
    /// Lines without a counterpart are changed, and so are lines that say little among such.
    fn of(
        text: &[u32],
        range: std::ops::Range<usize>,
        others: &BTreeMap<u32, usize>,
        changed: &mut [bool],
    ) -> Self {
        let limit = rough_sqrt(text.len()).min(MAX_OCCURRENCES);
        let weigh = |symbol: &u32| match others.get(symbol) {
            None => Weight::None,
            Some(count) if *count >= limit => Weight::Little,
            Some(_) => Weight::Some,
        };
        let weights: Vec<Weight> = text[range.clone()].iter().map(weigh).collect();
        let mut kept = Candidates { symbols: Vec::new(), places: Vec::new() };
        for (i, place) in range.enumerate() {
            let keep = match weights[i] {
                Weight::None => false,
                Weight::Some => true,
                Weight::Little => !is_lost(&weights, i),
            };
            if keep {
                kept.symbols.push(text[place]);
                kept.places.push(place);
            } else {
                changed[place] = true;
            }
        }
        kept
    }
}

/// Whether a line that says little stands among lines that mostly have no counterpart.
fn is_lost(weights: &[Weight], i: usize) -> bool {
    let count = |run: &mut dyn Iterator<Item = &Weight>| {
        let run = run.take(WINDOW).take_while(|weight| **weight != Weight::Some);
        run.fold((0, 1), |(none, little), weight| match weight {
            Weight::None => (none + 1, little),
            _ => (none, little + 1),
        })
    };
    let before = count(&mut weights[..i].iter().rev());
    let after = count(&mut weights[i + 1..].iter());
    let (none, little) = (before.0 + after.0, before.1 + after.1);
    before.0 > 0 && after.0 > 0 && little * 4 < little + none
}

fn occurrences(text: &[u32]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    text.iter().for_each(|symbol| *counts.entry(*symbol).or_default() += 1);
    counts
}

/// A power of two near the square root.
fn rough_sqrt(n: usize) -> usize {
    let bits = usize::BITS - n.leading_zeros();
    1 << bits.div_ceil(2)
}

/// A part of both texts that is still to be compared.
#[derive(Clone, Copy)]
struct Area {
    a: (isize, isize),
    b: (isize, isize),
    /// No shortcuts here.
    minimal: bool,
}

/// Where to divide an area, and which of the two parts may not be cut short.
struct Division {
    a: isize,
    b: isize,
    minimal: (bool, bool),
}

/// How far each diagonal has come; a diagonal is the distance between the positions in both texts.
struct Reach {
    furthest: Vec<isize>,
    offset: isize,
}

impl Reach {
    fn new(a: usize, b: usize) -> Self {
        Reach { furthest: vec![0; a + b + 3], offset: b as isize + 1 }
    }

    fn get(&self, diagonal: isize) -> isize {
        self.furthest[(diagonal + self.offset) as usize]
    }

    fn set(&mut self, diagonal: isize, furthest: isize) {
        self.furthest[(diagonal + self.offset) as usize] = furthest;
    }
}

struct Search<'c> {
    a: &'c Candidates,
    b: &'c Candidates,
    forward: Reach,
    backward: Reach,
    max_cost: isize,
}

impl<'c> Search<'c> {
    fn new(a: &'c Candidates, b: &'c Candidates) -> Self {
        let (n, m) = (a.symbols.len(), b.symbols.len());
        let max_cost = (rough_sqrt(n + m + 3) as isize).max(MIN_COST);
        Search { a, b, forward: Reach::new(n, m), backward: Reach::new(n, m), max_cost }
    }

    fn run(mut self, changed: &mut (Vec<bool>, Vec<bool>)) {
        let (n, m) = (self.a.symbols.len() as isize, self.b.symbols.len() as isize);
        let mut open = vec![Area { a: (0, n), b: (0, m), minimal: false }];
        while let Some(area) = open.pop() {
            let area = self.without_equal_ends(area);
            if area.a.0 == area.a.1 {
                (area.b.0..area.b.1).for_each(|j| changed.1[self.b.places[j as usize]] = true);
            } else if area.b.0 == area.b.1 {
                (area.a.0..area.a.1).for_each(|i| changed.0[self.a.places[i as usize]] = true);
            } else {
                let at = self.divide(area);
                let (first, second) = at.minimal;
                open.push(Area { a: (at.a, area.a.1), b: (at.b, area.b.1), minimal: second });
                open.push(Area { a: (area.a.0, at.a), b: (area.b.0, at.b), minimal: first });
            }
        }
    }

    fn same(&self, i: isize, j: isize) -> bool {
        self.a.symbols[i as usize] == self.b.symbols[j as usize]
    }

    fn without_equal_ends(&self, mut area: Area) -> Area {
        let is_open = |area: &Area| area.a.0 < area.a.1 && area.b.0 < area.b.1;
        while is_open(&area) && self.same(area.a.0, area.b.0) {
            (area.a.0, area.b.0) = (area.a.0 + 1, area.b.0 + 1);
        }
        while is_open(&area) && self.same(area.a.1 - 1, area.b.1 - 1) {
            (area.a.1, area.b.1) = (area.a.1 - 1, area.b.1 - 1);
        }
        area
    }

    /// Walks from both corners, one edit a round, until the ways meet or it costs too much.
    fn divide(&mut self, area: Area) -> Division {
        let mut walk = Walk::new(area);
        self.forward.set(walk.start, area.a.0);
        self.backward.set(walk.end, area.a.1);
        for cost in 1.. {
            let (met, ran_forward) = self.step_forward(&mut walk);
            if let Some(at) = met {
                return at;
            }
            let (met, ran_backward) = self.step_backward(&mut walk);
            if let Some(at) = met {
                return at;
            }
            if area.minimal {
                continue;
            }
            let ran = (ran_forward || ran_backward) && cost > MIN_COST;
            if let Some(at) = ran.then(|| self.promising(&walk, cost)).flatten() {
                return at;
            }
            if cost >= self.max_cost {
                return self.furthest(&walk);
            }
        }
        unreachable!("the ways meet before every diagonal is walked")
    }

    /// One more edit from the start; also whether a long run of equal lines was passed.
    fn step_forward(&mut self, walk: &mut Walk) -> (Option<Division>, bool) {
        let Area { a, b, .. } = walk.area;
        widen(&mut walk.forward, walk.bounds, &mut self.forward, -1);
        let mut ran = false;
        for d in walk.forward_diagonals() {
            let (below, above) = (self.forward.get(d - 1), self.forward.get(d + 1));
            let from = if below >= above { below + 1 } else { above };
            let mut i = from;
            while i < a.1 && i - d < b.1 && self.same(i, i - d) {
                i += 1;
            }
            ran |= i - from > SNAKE;
            self.forward.set(d, i);
            let other = walk.odd && (walk.backward.0..=walk.backward.1).contains(&d);
            if other && self.backward.get(d) <= i {
                return (Some(Division { a: i, b: i - d, minimal: (true, true) }), ran);
            }
        }
        (None, ran)
    }

    /// One more edit from the end.
    fn step_backward(&mut self, walk: &mut Walk) -> (Option<Division>, bool) {
        let Area { a, b, .. } = walk.area;
        widen(&mut walk.backward, walk.bounds, &mut self.backward, isize::MAX);
        let mut ran = false;
        for d in walk.backward_diagonals() {
            let (below, above) = (self.backward.get(d - 1), self.backward.get(d + 1));
            let from = if below < above { below } else { above - 1 };
            let mut i = from;
            while i > a.0 && i - d > b.0 && self.same(i - 1, i - d - 1) {
                i -= 1;
            }
            ran |= from - i > SNAKE;
            self.backward.set(d, i);
            let other = !walk.odd && (walk.forward.0..=walk.forward.1).contains(&d);
            if other && i <= self.forward.get(d) {
                return (Some(Division { a: i, b: i - d, minimal: (true, true) }), ran);
            }
        }
        (None, ran)
    }

    /// A diagonal that has come much further than its cost, at the end of a long equal run.
    fn promising(&self, walk: &Walk, cost: isize) -> Option<Division> {
        let Area { a, b, .. } = walk.area;
        let forward = walk.forward_diagonals().filter_map(|d| {
            let (i, j) = (self.forward.get(d), self.forward.get(d) - d);
            let gain = (i - a.0) + (j - b.0) - (d - walk.start).abs();
            let inside = a.0 + SNAKE <= i && i < a.1 && b.0 + SNAKE <= j && j < b.1;
            let runs = || (1..=SNAKE).all(|k| self.same(i - k, j - k));
            (gain > REACH_FACTOR * cost && inside && runs()).then_some((gain, i, j))
        });
        if let Some((_, i, j)) = first_best(forward) {
            return Some(Division { a: i, b: j, minimal: (true, false) });
        }
        let backward = walk.backward_diagonals().filter_map(|d| {
            let (i, j) = (self.backward.get(d), self.backward.get(d) - d);
            let gain = (a.1 - i) + (b.1 - j) - (d - walk.end).abs();
            let inside = a.0 < i && i <= a.1 - SNAKE && b.0 < j && j <= b.1 - SNAKE;
            let runs = || (0..SNAKE).all(|k| self.same(i + k, j + k));
            (gain > REACH_FACTOR * cost && inside && runs()).then_some((gain, i, j))
        });
        first_best(backward).map(|(_, i, j)| Division { a: i, b: j, minimal: (false, true) })
    }

    /// The point furthest from its corner, whichever corner that is.
    fn furthest(&self, walk: &Walk) -> Division {
        let Area { a, b, .. } = walk.area;
        let forward = walk.forward_diagonals().map(|d| {
            let i = self.forward.get(d).min(a.1).min(b.1 + d);
            (i + i - d, i, i - d)
        });
        let backward = walk.backward_diagonals().map(|d| {
            let i = self.backward.get(d).max(a.0).max(b.0 + d);
            (-(i + i - d), i, i - d)
        });
        let (ahead, behind) = (first_best(forward), first_best(backward));
        let (Some(ahead), Some(behind)) = (ahead, behind) else {
            unreachable!("there is a diagonal each way")
        };
        match a.1 + b.1 + behind.0 < ahead.0 - (a.0 + b.0) {
            true => Division { a: ahead.1, b: ahead.2, minimal: (true, false) },
            false => Division { a: behind.1, b: behind.2, minimal: (false, true) },
        }
    }
}

/// The state of the two ways through one area: between which diagonals each has spread.
struct Walk {
    area: Area,
    bounds: (isize, isize),
    start: isize,
    end: isize,
    odd: bool,
    forward: (isize, isize),
    backward: (isize, isize),
}

impl Walk {
    fn new(area: Area) -> Self {
        let (start, end) = (area.a.0 - area.b.0, area.a.1 - area.b.1);
        Walk {
            area,
            bounds: (area.a.0 - area.b.1, area.a.1 - area.b.0),
            start,
            end,
            odd: (start - end) & 1 != 0,
            forward: (start, start),
            backward: (end, end),
        }
    }

    fn forward_diagonals(&self) -> impl Iterator<Item = isize> + use<> {
        let (low, high) = self.forward;
        (low..=high).rev().step_by(2)
    }

    fn backward_diagonals(&self) -> impl Iterator<Item = isize> + use<> {
        let (low, high) = self.backward;
        (low..=high).rev().step_by(2)
    }
}

/// Spreads a way by a diagonal on each side; at the edge it draws in instead, so that every second
/// diagonal stays the one to look at.
fn widen(spread: &mut (isize, isize), bounds: (isize, isize), reach: &mut Reach, unreached: isize) {
    if spread.0 > bounds.0 {
        spread.0 -= 1;
        reach.set(spread.0 - 1, unreached);
    } else {
        spread.0 += 1;
    }
    if spread.1 < bounds.1 {
        spread.1 += 1;
        reach.set(spread.1 + 1, unreached);
    } else {
        spread.1 -= 1;
    }
}

/// The first of those with the greatest first part.
fn first_best(all: impl Iterator<Item = (isize, isize, isize)>) -> Option<(isize, isize, isize)> {
    all.reduce(|best, next| if next.0 > best.0 { next } else { best })
}
