//! What is wrong with a text that is no YAML, in the words of go-yaml.
//!
//! Its scanner counts lines from 1. Its parser counts them from 0, and names the line where the open
//! construct began, unless that is the first; the second version names the one where it found out. Lines count from the start of the document.
//!
//! Source: `parser.fail` in `decode.go` of go-yaml v3.

use crate::manifest::yaml::YamlError;

const NO_TOKEN: &str = "found character that cannot start any token";

/// What its scanner says, by what ours says.
const SCANNER: [(&str, &str); 6] = [
    ("tabs disallowed within this context", NO_TOKEN),
    ("unexpected character: ", NO_TOKEN),
    ("mapping values are not allowed", "mapping values are not allowed in this context"),
    ("expected alphabetic or numeric", "did not find expected alphabetic or numeric character"),
    ("unknown escape character", "found unknown escape character"),
    ("simple key expected ':'", "could not find expected ':'"),
];

/// What ours says where a bracket is not closed, or not where it should be.
const BRACKETS: [&str; 4] =
    ["unclosed bracket", "expected ',' or '}'", "expected ',' or ']'", "illegal placement of ':'"];

/// Which go-yaml: kustomize reads manifests with the third, and kustomizations with the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V3,
}

/// `yaml: line 2: did not find expected ',' or '}'`; `None` for what it has other words for.
pub(super) fn told(error: &YamlError, text: &str, version: Version) -> Option<String> {
    let document = Document::around(text, error.line);
    let (message, line) = (error.message.as_str(), error.line.saturating_sub(document.start));
    let is_control = |c: char| c.is_control() && !c.is_whitespace();
    if message.starts_with("unexpected character") && text.contains(is_control) {
        return Some("yaml: control characters are not allowed".into());
    }
    if let Some((_, theirs)) = SCANNER.iter().find(|(ours, _)| message.contains(ours)) {
        return Some(at(line, theirs));
    }
    if BRACKETS.iter().any(|ours| message.contains(ours)) {
        return Some(document.unclosed(line, error.column, version));
    }
    if message.ends_with("found unknown anchor") {
        return Some(format!("yaml: unknown anchor '{}' referenced", document.alias(line)));
    }
    let (line, theirs) = match message {
        "unclosed quote" if line == 1 => {
            (document.lines.len() + 1, "found unexpected end of stream")
        }
        "unclosed quote" => (line, "found unexpected end of stream"),
        _ if message.ends_with("found a tab") => {
            (line.max(2), "found a tab character that violates indentation")
        }
        _ if message.ends_with("did not find expected key") => {
            (line.saturating_sub(1), "did not find expected key")
        }
        _ => return None,
    };
    Some(at(line, theirs))
}

/// That the key on a line stands twice in its mapping, if the line of the first is found.
pub(super) fn key_twice(text: &str, line: usize) -> Option<String> {
    let document = Document::around(text, line);
    let second = line.checked_sub(document.start + 1)?;
    let (key, _) = document.lines.get(second)?.split_once(':')?;
    let is_first = |line: &&str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let first = document.lines[..second].iter().rposition(is_first)?;
    Some(format!(
        "yaml: unmarshal errors:\n  line {}: mapping key {:?} already defined at line {}",
        second + 1,
        key.trim(),
        first + 1
    ))
}

fn at(line: usize, message: &str) -> String {
    format!("yaml: line {line}: {message}")
}

/// One document of a text.
struct Document<'a> {
    lines: Vec<&'a str>,
    /// How many lines of the text come before it.
    start: usize,
}

impl<'a> Document<'a> {
    /// The document that holds a line of the text, which counts from 1.
    fn around(text: &'a str, line: usize) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let line = line.min(lines.len());
        let is_break = |line: &&str| line.starts_with("---");
        let before = lines[..line.saturating_sub(1)].iter().rposition(is_break);
        // A document may begin with its own `---`, if it is the first.
        let start = before.filter(|at| *at > 0).map_or(0, |at| at + 1);
        let end = lines[line..].iter().position(is_break);
        let end = end.map_or(lines.len(), |at| line + at);
        Document { lines: lines[start..end].to_vec(), start }
    }

    /// That the bracket which is open at a place is not closed.
    fn unclosed(&self, line: usize, column: usize, version: Version) -> String {
        let (opened, bracket) = self.open_bracket(line, column).unwrap_or((line, '{'));
        let closing = if bracket == '[' { ']' } else { '}' };
        let found = match opened.saturating_sub(1) {
            began if began > 0 && version == Version::V3 => began,
            _ => self.next_key(opened),
        };
        at(found, &format!("did not find expected ',' or '{closing}'"))
    }

    /// The innermost bracket that is open at a place, and its line from 1.
    fn open_bracket(&self, line: usize, column: usize) -> Option<(usize, char)> {
        let mut open = Vec::new();
        for (number, text) in self.lines.iter().take(line).enumerate() {
            let upto = if number + 1 == line { column } else { usize::MAX };
            for bracket in text.chars().take(upto) {
                match bracket {
                    '[' | '{' => open.push((number + 1, bracket)),
                    ']' | '}' => drop(open.pop()),
                    _ => {}
                }
            }
        }
        open.pop()
    }

    /// The next line after one that has a key in it, from 0; or the end.
    fn next_key(&self, line: usize) -> usize {
        let has_key = |text: &&str| text.contains(':');
        let next = self.lines.iter().skip(line).position(has_key);
        next.map_or(self.lines.len(), |after| line + after)
    }

    /// The name of the first alias on a line.
    fn alias(&self, line: usize) -> &'a str {
        let text = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let name = text.split_once('*').map_or("", |(_, name)| name);
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
        &name[..end.unwrap_or(name.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::yaml::{Dialect, nodes};

    #[test]
    fn mistakes_are_told_as_go_yaml_tells_them() {
        let check = |text: &str, expected: &str| {
            let error = nodes("", text, Dialect::Kustomize).unwrap_err();
            assert_eq!(told(&error, text, Version::V3).unwrap(), expected, "{text:?}");
        };
        check("a: b\nc: {d: e\n", "yaml: line 1: did not find expected ',' or '}'");
        check("{a: b\nc: d\n", "yaml: line 1: did not find expected ',' or '}'");
        check("a: b\nc:\n  d: [e, f\n  g: h\n", "yaml: line 2: did not find expected ',' or ']'");
        check(
            "# x\n---\na: b\n---\nc: d\n e: f\n",
            "yaml: line 2: mapping values are not allowed in this context",
        );
        check("---\na: b\nc: {d\n", "yaml: line 2: did not find expected ',' or '}'");
        check("a: b\n\tc: d\n", "yaml: line 2: found a tab character that violates indentation");
        check("a:\n\tb: c\n", "yaml: line 2: found character that cannot start any token");
        check("a: b\nc: @d\n", "yaml: line 2: found character that cannot start any token");
        check("a: b\nc: 'd\n", "yaml: line 2: found unexpected end of stream");
        check("a: b\nc: *d-e\n", "yaml: unknown anchor 'd-e' referenced");
        check("a:\n    b: c\n  d: e\n", "yaml: line 2: did not find expected key");
        check("a: b\nc\n", "yaml: line 2: could not find expected ':'");
    }

    #[test]
    fn a_key_that_stands_twice_is_told_with_both_lines() {
        let told = key_twice("a: b\n---\nc:\n  d: 1\n  e: 2\n  d: 3\n", 6).unwrap();
        assert_eq!(
            told,
            "yaml: unmarshal errors:\n  line 4: mapping key \"d\" already defined at line 2"
        );
    }
}
