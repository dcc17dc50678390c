//! Versions in tags, and ranges of them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version as semver.org writes it, `1.2.3-rc.1+build`, with an optional `v` before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Major, minor, patch.
    pub numbers: [u64; 3],
    /// What comes after `-`: a version that has it comes before the one that has not.
    pub pre: Vec<String>,
}

/// A range of versions: `1.x`, `~1.2`, `^1.2.3`, `>=1.0.0 <2.0.0`, `1.2 - 1.4`, with `,` or a space
/// for *and* and `||` for *or*, as the library `Masterminds/semver`, which Flux uses, reads them.
///
/// ```
/// use driftlab::git::VersionRange;
/// let range: VersionRange = ">=1.2.0 <2.0.0".parse().unwrap();
/// assert!(range.includes(&"v1.9.3".parse().unwrap()));
/// assert!(!range.includes(&"v1.9.3-rc.1".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VersionRange {
    alternatives: Vec<Vec<Bound>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bound {
    op: Op,
    version: Version,
    /// How many of the numbers were written.
    given: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    Same,
    Other,
    Above,
    Below,
    NotBelow,
    NotAbove,
    Tilde,
    Caret,
}

/// A text that is no version, or no range of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It is no version.
    #[error("{0:?} is not a semantic version")]
    Version(String),
    /// It is no range.
    #[error("improper constraint: {0}")]
    Range(String),
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError::Version(text.into());
        let (version, given) = parse_partial(text).ok_or_else(wrong)?;
        if given == 3 { Ok(version) } else { Err(wrong()) }
    }
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError::Range(text.into());
        let alternatives: Option<Vec<_>> = text.split("||").map(parse_all).collect();
        Ok(VersionRange { alternatives: alternatives.ok_or_else(wrong)? })
    }
}

impl VersionRange {
    /// Whether a version is in the range. One with a pre-release is only in a range that names one.
    pub fn includes(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|bounds| bounds.iter().all(|bound| bound.admits(version)))
    }
}

impl Bound {
    fn admits(&self, version: &Version) -> bool {
        if !version.pre.is_empty() && self.version.pre.is_empty() {
            return false;
        }
        let order = version.cmp(&self.version);
        let above = order.is_gt();
        match self.op {
            Op::Same => !order.is_lt() && self.same_up_to(version, self.given),
            Op::Other => order.is_ne() && !(self.given < 3 && self.same_up_to(version, self.given)),
            Op::Above => above && !(self.given < 3 && self.same_up_to(version, self.given)),
            Op::Below => order.is_lt(),
            Op::NotBelow => !order.is_lt(),
            Op::NotAbove => !above || self.given < 3 && self.same_up_to(version, self.given),
            Op::Tilde => !order.is_lt() && self.same_up_to(version, self.given.min(2)),
            Op::Caret => !order.is_lt() && self.same_up_to(version, self.caret_width()),
        }
    }

    fn same_up_to(&self, version: &Version, width: usize) -> bool {
        version.numbers[..width] == self.version.numbers[..width]
            && (width < 3 || version.pre == self.version.pre || self.op != Op::Same)
    }

    /// Up to which number `^` keeps: the first that is not zero, as far as given.
    fn caret_width(&self) -> usize {
        let first = self.version.numbers.iter().position(|n| *n > 0).unwrap_or(2) + 1;
        first.min(self.given)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let pre = || match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_pre(&self.pre, &other.pre),
        };
        self.numbers.cmp(&other.numbers).then_with(pre)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if self.pre.is_empty() { Ok(()) } else { write!(f, "-{}", self.pre.join(".")) }
    }
}

/// Numbers count as numbers and come before words.
fn compare_pre(a: &[String], b: &[String]) -> Ordering {
    let rank =
        |part: &String| part.parse::<u64>().map_or((1, 0, part.clone()), |n| (0, n, String::new()));
    a.iter().map(rank).cmp(b.iter().map(rank))
}

/// A version of which minor and patch may be missing or `x`, and how many numbers it has.
fn parse_partial(text: &str) -> Option<(Version, usize)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(n, pre)| (n, Some(pre)));
    let mut version = Version { numbers: [0; 3], pre: Vec::new() };
    let (mut given, mut wild) = (0, false);
    for (at, part) in numbers.split('.').enumerate() {
        if at > 2 {
            return None;
        }
        wild |= matches!(part, "x" | "X" | "*");
        if !wild {
            version.numbers[at] =
                part.parse().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()))?;
            given += 1;
        }
    }
    if let Some(pre) = pre {
        version.pre = pre.split('.').map(str::to_owned).collect();
        let word = |part: &String| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if given < 3 || !version.pre.iter().all(word) {
            return None;
        }
    }
    Some((version, given))
}

/// Bounds that must all hold.
fn parse_all(text: &str) -> Option<Vec<Bound>> {
    if let Some((low, high)) = text.split_once(" - ") {
        return Some(vec![bound(Op::NotBelow, low.trim())?, bound(Op::NotAbove, high.trim())?]);
    }
    let mut bounds = Vec::new();
    let mut words = text.split([',', ' ']).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let (op, rest) = split_op(word);
        bounds.push(bound(op, if rest.is_empty() { words.next()? } else { rest })?);
    }
    (!bounds.is_empty()).then_some(bounds)
}

fn bound(op: Op, text: &str) -> Option<Bound> {
    parse_partial(text).map(|(version, given)| Bound { op, version, given })
}

fn split_op(word: &str) -> (Op, &str) {
    const OPS: [(&str, Op); 10] = [
        ("!=", Op::Other),
        (">=", Op::NotBelow),
        ("=>", Op::NotBelow),
        ("<=", Op::NotAbove),
        ("=<", Op::NotAbove),
        ("~>", Op::Tilde),
        ("~", Op::Tilde),
        ("^", Op::Caret),
        (">", Op::Above),
        ("<", Op::Below),
    ];
    OPS.iter()
        .find_map(|(sign, op)| Some((*op, word.strip_prefix(sign)?)))
        .unwrap_or((Op::Same, word.strip_prefix('=').unwrap_or(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_what_masterminds_semver_includes() {
        let check = |range: &str, included: &[&str], not: &[&str]| {
            let parsed: VersionRange = range.parse().unwrap();
            let includes = |v: &&str| parsed.includes(&v.parse().unwrap());
            assert!(included.iter().all(includes), "{range} includes {included:?}");
            assert!(!not.iter().any(includes), "{range} includes none of {not:?}");
        };
        check("1.2.3", &["1.2.3", "v1.2.3"], &["1.2.4", "1.2.3-rc.1"]);
        check("1.x", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.0", "1.0.0-a"]);
        check("*", &["0.0.1", "9.9.9"], &["1.0.0-a"]);
        check("~1.2.3", &["1.2.3", "1.2.9"], &["1.3.0", "1.2.2"]);
        check("~1", &["1.9.0"], &["2.0.0"]);
        check("^1.2.3", &["1.2.3", "1.9.0"], &["2.0.0", "1.2.2"]);
        check("^0.2.3", &["0.2.9"], &["0.3.0"]);
        check("^0.0.3", &["0.0.3"], &["0.0.4"]);
        check("^0", &["0.9.0"], &["1.0.0"]);
        check(">=1.0.0 <2.0.0", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.9"]);
        check(">= 1.0.0, != 1.5.0", &["1.4.0"], &["1.5.0"]);
        check("1.2 - 1.4", &["1.2.0", "1.4.9"], &["1.5.0"]);
        check("<1.0.0 || >=2.0.0", &["0.1.0", "2.0.0"], &["1.5.0"]);
        check(">=1.0.0-0", &["1.0.0-rc.1", "1.0.1-a"], &["0.9.0"]);
        check(">1.2", &["1.3.0"], &["1.2.9"]);
        check("<=1.2", &["1.2.9"], &["1.3.0"]);
    }

    #[test]
    fn versions_are_ordered_as_semver_says() {
        let ordered =
            ["1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-a", "1.0.0-a.1", "1.0.0", "1.0.1", "1.10.0"];
        let parsed: Vec<Version> = ordered.iter().map(|v| v.parse().unwrap()).collect();
        assert!(parsed.is_sorted());
        for bad in
            ["", "1", "1.2", "x", "1.2.3.4", "1.2.-3", "1.2.3-", "1.2.3-a..b", "+1.2.3", "vv1.0.0"]
        {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        for bad in ["", ">", "a", "1.2.3.4", "1 - ", "||"] {
            assert!(bad.parse::<VersionRange>().is_err(), "{bad}");
        }
    }
}
