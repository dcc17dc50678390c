//! A mistake in what a person wrote: where, what, what was expected, and what was perhaps meant.

use std::fmt;

use crate::manifest;

/// A mistake in a scenario, or in a file that it names.
///
/// It prints as compilers do:
///
/// ```text
/// heal.yaml:12:10: unknown step 'rnu'
///    |
/// 12 |     rnu: kubectl get pods
///    |     ^^^ expected one of: at, as, in, run, …
///    |
///    = did you mean 'run'?
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What was expected; empty when the message says it.
    pub expected: String,
    /// What to do about it, or what was perhaps meant; empty for nothing.
    pub hint: String,
}

/// Where a mistake is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file; empty for a scenario that was built in Rust.
    pub file: String,
    /// The line, from 1; 0 when it is not known.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters are meant.
    pub length: usize,
    /// The text of the line.
    pub text: String,
    /// The part of the scenario, such as `steps[3].run`.
    pub path: String,
}

impl Mistake {
    /// A mistake in a manifest, of which only the line is known; `text` is the file.
    pub fn in_manifest(mistake: manifest::Mistake, text: Option<&str>) -> Self {
        let manifest::Mistake { file, line, message, remedy } = mistake;
        let text = text.and_then(|text| text.lines().nth(line.checked_sub(1)?)).unwrap_or_default();
        let place = match text.trim() {
            "" if line > 0 => Place { file: format!("{file}:{line}"), ..Place::default() },
            "" => Place { file, ..Place::default() },
            marked => Place {
                file,
                line,
                column: 1 + text.chars().take_while(|c| c.is_whitespace()).count(),
                length: marked.chars().count(),
                text: text.to_owned(),
                path: String::new(),
            },
        };
        Mistake::at("", message).expected(remedy).with_place(place)
    }

    /// The same, of a file whose path counts from a folder.
    pub(crate) fn within(mut self, folder: &str) -> Self {
        let folder = folder.trim_end_matches('/');
        self.place.file = match (self.place.file.as_str(), folder) {
            ("", _) => folder.to_owned(),
            (file, "" | ".") => file.to_owned(),
            (file, _) => format!("{folder}/{file}"),
        };
        self
    }

    /// A mistake at a part of a scenario.
    pub(crate) fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Mistake {
            place: Place { path: path.into(), ..Place::default() },
            message: message.into(),
            expected: String::new(),
            hint: String::new(),
        }
    }

    /// A mistake about a file as a whole.
    pub(crate) fn in_file(file: &str, message: impl Into<String>) -> Self {
        Mistake::at("", message).with_place(Place { file: file.into(), ..Place::default() })
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same, with what was perhaps meant instead of a word, if anything is close.
    pub(crate) fn did_you_mean<'a>(
        self,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match closest(word, known) {
            Some(meant) => self.hint(format!("did you mean '{meant}'?")),
            None => self,
        }
    }

    pub(crate) fn with_place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, length, text, path } = &self.place;
        match (file.is_empty(), line) {
            (false, 0) => write!(f, "{file}: {}", self.message)?,
            (false, _) => {
                write!(f, "{file}:{line}:{}: {}", self.place.column, self.message)?;
            }
            (true, _) if path.is_empty() => f.write_str(&self.message)?,
            (true, _) => write!(f, "{path}: {}", self.message)?,
        }
        let margin = " ".repeat(line.to_string().len());
        let (text, column, length) = excerpt(text, *column, *length);
        let fits = column + length + self.expected.chars().count() <= WIDTH + 4;
        let beside = if fits { self.expected.as_str() } else { "" };
        if *line > 0 {
            let indent = " ".repeat(column.saturating_sub(1));
            let carets = "^".repeat(length);
            let marked = format!("{indent}{carets} {beside}");
            write!(f, "\n{margin} |\n{line} | {text}\n{margin} | {}", marked.trim_end())?;
        }
        let below = if *line == 0 || beside.is_empty() { self.expected.as_str() } else { "" };
        for note in [below, &self.hint].into_iter().filter(|note| !note.is_empty()) {
            write!(f, "\n{margin} = {note}")?;
        }
        Ok(())
    }
}

/// How much of a line is shown.
const WIDTH: usize = 96;

/// What of a line fits on one, around a column, the column and the length in it. What would move the
/// cursor is shown in another way.
fn excerpt(text: &str, column: usize, length: usize) -> (String, usize, usize) {
    const BEFORE: usize = 40;
    let all: Vec<char> = text.chars().filter(|c| *c != '\u{feff}').map(visible).collect();
    let length = length.max(1);
    if all.len() <= WIDTH {
        return (all.into_iter().collect(), column, length);
    }
    let start = column.saturating_sub(BEFORE).min(all.len() - WIDTH);
    let end = start + WIDTH;
    let (before, after) =
        (if start > 0 { "…" } else { "" }, if end < all.len() { "…" } else { "" });
    let shown: String = all[start..end].iter().collect();
    let at = column - start + before.chars().count();
    (format!("{before}{shown}{after}"), at, length.min((end + 1).saturating_sub(column)).max(1))
}

fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    }
}

impl std::error::Error for Mistake {}

/// The known word that is closest to another, if it is close enough to be what was meant.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let far = word.chars().count() / 3;
    known
        .into_iter()
        .map(|known| (distance(&word, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, known)| known)
}

/// How many characters must be put in, taken out, changed or swapped to get from one word to another
/// (the optimal string alignment distance).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        let mistake = Mistake::at("steps[0]", "unknown key 'rnu'")
            .expected("expected one of: at, run")
            .did_you_mean("rnu", ["at", "run"])
            .with_place(Place {
                file: "heal.yaml".into(),
                line: 12,
                column: 5,
                length: 3,
                text: "    rnu: kubectl get pods".into(),
                path: String::new(),
            });
        let expected = "\
heal.yaml:12:5: unknown key 'rnu'
   |
12 |     rnu: kubectl get pods
   |     ^^^ expected one of: at, run
   = did you mean 'run'?";
        assert_eq!(mistake.to_string(), expected);
    }

    #[test]
    fn of_a_long_line_the_part_around_the_mistake_is_shown() {
        let text = format!("{}\u{0}b{}", "a".repeat(1000), "c".repeat(1000));
        let (shown, column, length) = excerpt(&text, 1001, 500);
        assert_eq!(shown.chars().count(), 98);
        assert_eq!(shown.chars().nth(column - 1), Some('\u{2400}'));
        assert_eq!(length, 57);
        for column in [1, 2, 1999, 2002, 2003] {
            let (shown, column, length) = excerpt(&text, column, 1);
            assert!(column + length - 1 <= shown.chars().count() + 1, "{column} {shown}");
        }
        assert_eq!(excerpt("\u{feff}a\tb", 1, 0), ("a b".into(), 1, 1));
    }

    #[test]
    fn only_close_words_are_suggested() {
        let known = ["replicas", "run", "deployment", "as"];
        let check = |word, expected| assert_eq!(closest(word, known), expected, "{word}");
        check("replica", Some("replicas"));
        check("repilcas", Some("replicas"));
        check("rnu", Some("run"));
        check("Deployment", Some("deployment"));
        check("pods", None);
        check("", None);
    }
}
