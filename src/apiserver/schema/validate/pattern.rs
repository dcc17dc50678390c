//! Regular expressions of schemas: the part of RE2's syntax that needs no look-around, matched in time
//! linear in the text.

/// A regular expression, ready to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Step>);

/// One step of the machine; a step leads to the next unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    One(Class),
    Start,
    End,
    /// Both places are gone on from.
    Either(usize, usize),
    Go(usize),
    Match,
}

/// A set of letters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Class {
    ranges: Vec<(char, char)>,
    negated: bool,
}

/// What an expression is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Empty,
    One(Class),
    Start,
    End,
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
}

/// Repetitions are written out: more steps than this are refused.
const STEPS: usize = 20_000;
const DEPTH: usize = 50;

impl Pattern {
    /// Reads an expression; `None` for syntax that is not known here.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let letters: Vec<char> = text.chars().collect();
        let mut parser = Parser { letters: &letters, at: 0, depth: 0 };
        let node = parser.choice()?;
        if parser.at < letters.len() {
            return None;
        }
        let mut steps = Vec::new();
        compile(&node, &mut steps)?;
        steps.push(Step::Match);
        Some(Pattern(steps))
    }

    /// Whether some part of the text matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut current = Vec::new();
        let letters: Vec<char> = text.chars().collect();
        for at in 0..=letters.len() {
            let mut open = vec![false; self.0.len()];
            let mut states: Vec<usize> = std::mem::take(&mut current);
            states.push(0);
            let (first, last) = (at == 0, at == letters.len());
            let mut live = Vec::new();
            while let Some(state) = states.pop() {
                if std::mem::replace(&mut open[state], true) {
                    continue;
                }
                match &self.0[state] {
                    Step::Match => return true,
                    Step::One(_) => live.push(state),
                    Step::Start if first => states.push(state + 1),
                    Step::End if last => states.push(state + 1),
                    Step::Start | Step::End => {}
                    Step::Go(to) => states.push(*to),
                    Step::Either(a, b) => states.extend([*a, *b]),
                }
            }
            let Some(letter) = letters.get(at) else { return false };
            current = live
                .into_iter()
                .filter(|state| matches!(&self.0[*state], Step::One(class) if class.has(*letter)))
                .map(|state| state + 1)
                .collect();
        }
        false
    }
}

impl Class {
    fn has(&self, letter: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != self.negated
    }

    fn of(ranges: &[(char, char)]) -> Self {
        Class { ranges: ranges.to_vec(), negated: false }
    }

    /// The classes that a letter after a backslash names.
    fn named(letter: char) -> Option<Self> {
        let ranges: &[(char, char)] = match letter.to_ascii_lowercase() {
            'd' => &[('0', '9')],
            'w' => &[('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')],
            's' => &[(' ', ' '), ('\t', '\r')],
            _ => return None,
        };
        Some(Class { negated: letter.is_ascii_uppercase(), ..Class::of(ranges) })
    }
}

struct Parser<'a> {
    letters: &'a [char],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn accept(&mut self, text: &str) -> bool {
        let ahead = self.letters[self.at..].iter().take(text.chars().count());
        let found = ahead.copied().eq(text.chars());
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn choice(&mut self) -> Option<Node> {
        let mut branches = vec![self.sequence()?];
        while self.accept("|") {
            branches.push(self.sequence()?);
        }
        Some(if branches.len() == 1 { branches.remove(0) } else { Node::Choice(branches) })
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut parts = Vec::new();
        while self.peek().is_some_and(|letter| !matches!(letter, '|' | ')')) {
            let part = self.atom()?;
            parts.push(self.repeated(part)?);
        }
        Some(if parts.is_empty() { Node::Empty } else { Node::Sequence(parts) })
    }

    fn repeated(&mut self, mut node: Node) -> Option<Node> {
        loop {
            let (least, most) = match self.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => match self.counts() {
                    Some(counts) => {
                        self.accept("?");
                        node = Node::Repeat(Box::new(node), counts.0, counts.1);
                        continue;
                    }
                    None => return Some(node),
                },
                _ => return Some(node),
            };
            self.at += 1;
            // A match is a match, however little it takes.
            self.accept("?");
            node = Node::Repeat(Box::new(node), least, most);
        }
    }

    /// `{2}`, `{2,}` or `{2,5}`; anything else leaves the brace a letter.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let rest = &self.letters[self.at + 1..];
        let end = rest.iter().position(|letter| *letter == '}')?;
        let text: String = rest[..end].iter().collect();
        let counts = match text.split_once(',') {
            None => {
                let count = text.parse().ok()?;
                (count, Some(count))
            }
            Some((least, "")) => (least.parse().ok()?, None),
            Some((least, most)) => (least.parse().ok()?, Some(most.parse().ok()?)),
        };
        self.at += end + 2;
        Some(counts)
    }

    fn atom(&mut self) -> Option<Node> {
        match self.take()? {
            '(' => self.group(),
            '[' => self.class().map(Node::One),
            '.' => Some(Node::One(Class { negated: true, ..Class::of(&[('\n', '\n')]) })),
            '^' => Some(Node::Start),
            '$' => Some(Node::End),
            '\\' => self.escape(),
            letter @ ('*' | '+' | '?') => {
                let _ = letter;
                None
            }
            letter => Some(Node::One(Class::of(&[(letter, letter)]))),
        }
    }

    fn group(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        if self.accept("?P<") || self.accept("?<") {
            while self.take()? != '>' {}
        } else if self.peek() == Some('?') && !self.accept("?:") {
            return None;
        }
        let node = self.choice()?;
        self.depth -= 1;
        self.accept(")").then_some(node)
    }

    fn escape(&mut self) -> Option<Node> {
        let letter = self.take()?;
        match letter {
            'A' => Some(Node::Start),
            'z' => Some(Node::End),
            'b' | 'B' | 'p' | 'P' | 'Q' | 'C' | 'x' => None,
            _ => Some(Node::One(match Class::named(letter) {
                Some(class) => class,
                None => {
                    let letter = escaped(letter);
                    Class::of(&[(letter, letter)])
                }
            })),
        }
    }

    fn class(&mut self) -> Option<Class> {
        let negated = self.accept("^");
        let mut ranges = Vec::new();
        let mut first = true;
        loop {
            let letter = self.take()?;
            if letter == ']' && !first {
                return Some(Class { ranges, negated });
            }
            first = false;
            if letter == '[' && self.peek() == Some(':') {
                return None;
            }
            let low = match letter {
                '\\' => {
                    let letter = self.take()?;
                    if let Some(named) = Class::named(letter) {
                        if named.negated {
                            return None;
                        }
                        ranges.extend(named.ranges);
                        continue;
                    }
                    escaped(letter)
                }
                letter => letter,
            };
            ranges.push((low, self.range_end(low)?));
        }
    }

    /// The end of a range such as `a-z`; a `-` before `]` is a letter.
    fn range_end(&mut self, low: char) -> Option<char> {
        let range = self.peek() == Some('-')
            && self.letters.get(self.at + 1).is_some_and(|letter| *letter != ']');
        if !range {
            return Some(low);
        }
        self.at += 1;
        match self.take()? {
            '\\' => self.take().map(escaped),
            high => Some(high),
        }
    }
}

fn escaped(letter: char) -> char {
    match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\u{c}',
        'v' => '\u{b}',
        letter => letter,
    }
}

fn compile(node: &Node, steps: &mut Vec<Step>) -> Option<()> {
    if steps.len() > STEPS {
        return None;
    }
    match node {
        Node::Empty => {}
        Node::One(class) => steps.push(Step::One(class.clone())),
        Node::Start => steps.push(Step::Start),
        Node::End => steps.push(Step::End),
        Node::Sequence(parts) => {
            for part in parts {
                compile(part, steps)?;
            }
        }
        Node::Choice(branches) => compile_choice(branches, steps)?,
        Node::Repeat(node, least, most) => compile_repeat(node, *least, *most, steps)?,
    }
    Some(())
}

fn compile_choice(branches: &[Node], steps: &mut Vec<Step>) -> Option<()> {
    let (last, others) = branches.split_last()?;
    let mut ends = Vec::new();
    for branch in others {
        let fork = steps.len();
        steps.push(Step::Match);
        compile(branch, steps)?;
        ends.push(steps.len());
        steps.push(Step::Match);
        steps[fork] = Step::Either(fork + 1, steps.len());
    }
    compile(last, steps)?;
    for end in ends {
        steps[end] = Step::Go(steps.len());
    }
    Some(())
}

fn compile_repeat(node: &Node, least: u32, most: Option<u32>, steps: &mut Vec<Step>) -> Option<()> {
    for _ in 0..least {
        compile(node, steps)?;
    }
    match most {
        None => {
            let fork = steps.len();
            steps.push(Step::Match);
            compile(node, steps)?;
            steps.push(Step::Go(fork));
            steps[fork] = Step::Either(fork + 1, steps.len());
        }
        Some(most) => {
            let mut forks = Vec::new();
            for _ in least..most {
                forks.push(steps.len());
                steps.push(Step::Match);
                compile(node, steps)?;
            }
            for fork in forks {
                steps[fork] = Step::Either(fork + 1, steps.len());
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_as_re2_does() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let parsed = Pattern::parse(pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert_eq!(parsed.matches(text), expected, "{pattern} {text}");
        };
        let interval = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
        check(interval, "1h30m", true);
        check(interval, "1.5s", true);
        check(interval, "5", false);
        check(r"^(http|https|ssh)://.*$", "ssh://git@x", true);
        check(r"^(http|https|ssh)://.*$", "git://x", false);
        check("b", "abc", true);
        check("^a{2,3}$", "aaaa", false);
        check("^a{2,3}$", "aaa", true);
        check(r"^[^\s-]+[\w\]]$", "x]", true);
        check("^(a|b)*c?$", "ababc", true);
        check("^$", "", true);
        check(r"^\d{4}-\d\d$", "2026-01", true);
    }

    #[test]
    fn what_is_not_known_is_no_pattern() {
        for bad in ["(?=a)", "a)", "(a", "*a", "[a", r"\bx", "((a{99}){99}){99}"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }
}
