//! The patterns of selectors: regular expressions as far as names need them, matched against the whole.
//!
//! Plain characters, `.`, classes such as `[a-z0-9]`, `\` before a plain character, `*`, `+` and `?` after
//! one of those, alternatives with `|`, and `^` and `$` at the ends. Groups and counts are refused.

/// Alternatives, one of which must match a whole text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pattern(Vec<Vec<Piece>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Piece {
    one: One,
    least: usize,
    repeats: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum One {
    Any,
    Plain(char),
    Class(bool, Vec<(char, char)>),
}

impl Pattern {
    /// Reads a pattern; `None` when it is none, or goes beyond what is read here.
    pub(super) fn new(text: &str) -> Option<Self> {
        let anchored = text.strip_prefix('^').unwrap_or(text);
        let anchored = anchored.strip_suffix('$').unwrap_or(anchored);
        anchored.split('|').map(pieces).collect::<Option<_>>().map(Pattern)
    }

    /// Whether the pattern matches a whole text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.0.iter().any(|pieces| matches(pieces, &text))
    }
}

fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut chars = text.chars().peekable();
    let mut pieces: Vec<Piece> = Vec::new();
    while let Some(c) = chars.next() {
        let one = match c {
            '*' | '+' | '?' => {
                let last = pieces.last_mut().filter(|piece| piece.least == 1 && !piece.repeats)?;
                (last.least, last.repeats) = (usize::from(c == '+'), c != '?');
                continue;
            }
            '(' | ')' | '{' | '}' | ']' | '^' | '$' => return None,
            '.' => One::Any,
            '[' => class(&mut chars)?,
            '\\' => One::Plain(chars.next().filter(|c| !c.is_alphanumeric())?),
            plain => One::Plain(plain),
        };
        pieces.push(Piece { one, least: 1, repeats: false });
    }
    Some(pieces)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<One> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let first = match chars.next()? {
            ']' => break,
            '\\' => chars.next()?,
            c => c,
        };
        let mut ahead = chars.clone();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) if last != ']' => {
                chars.nth(1);
                last
            }
            _ => first,
        };
        ranges.push((first, last));
    }
    Some(One::Class(negated, ranges))
}

/// Follows all ways through the pieces at once, so that the effort is bounded by text times pieces.
fn matches(pieces: &[Piece], text: &[char]) -> bool {
    let mut at = vec![false; pieces.len() + 1];
    at[0] = true;
    skip_optional(pieces, &mut at);
    for c in text {
        let mut next = vec![false; pieces.len() + 1];
        for (i, piece) in pieces.iter().enumerate() {
            if at[i] && piece.one.fits(*c) {
                next[i + 1] = true;
                next[i] |= piece.repeats && piece.least == 0;
            }
            // A piece that stands for one or more goes on from where it ended.
            if piece.repeats && piece.least == 1 && at[i + 1] && piece.one.fits(*c) {
                next[i + 1] = true;
            }
        }
        skip_optional(pieces, &mut next);
        at = next;
    }
    at[pieces.len()]
}

fn skip_optional(pieces: &[Piece], at: &mut [bool]) {
    for (i, piece) in pieces.iter().enumerate() {
        at[i + 1] |= at[i] && piece.least == 0;
    }
}

impl One {
    fn fits(&self, c: char) -> bool {
        match self {
            One::Any => true,
            One::Plain(plain) => *plain == c,
            One::Class(negated, ranges) => {
                ranges.iter().any(|(first, last)| (first..=last).contains(&&c)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(Pattern::new(pattern).unwrap().matches(text), expected, "{pattern} {text}")
        };
        check("abc", "abc", true);
        check("abc", "abcd", false);
        check("a.*", "abcd", true);
        check("^a.*d$", "abcd", true);
        check("ab|cd", "cd", true);
        check("a+b", "aab", true);
        check("a+b", "b", false);
        check("a?b", "b", true);
        check("[a-c]+[0-9]*", "abc12", true);
        check("[^a]b", "ab", false);
        check("a\\.b", "axb", false);
        check(".*a.*a.*", "xaya", true);
    }

    #[test]
    fn what_goes_beyond_is_refused() {
        for text in ["(a)", "a{2}", "*a", "a**", "[a", "\\d", "a\\"] {
            assert_eq!(Pattern::new(text), None, "{text}");
        }
    }
}
