//! A text of commands to lines of words, as a POSIX shell splits them, without what needs a shell.

use crate::scenario::mistake::{Mistake, Place};

/// A word of a command, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// The line within the text, from 1.
    pub(crate) line: usize,
    /// The column in characters, from 1.
    pub(crate) column: usize,
    /// How many characters it takes, with its quotes.
    pub(crate) length: usize,
}

/// One command: its words, and the line as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) words: Vec<Word>,
    pub(crate) text: String,
}

/// The commands of a text, one a line or separated by `&&` or `;`. A `#` begins a comment, a `\` at
/// the end of a line joins it with the next.
pub(crate) fn lines(text: &str) -> Result<Vec<Line>, Mistake> {
    let mut splitter = Splitter::new(text);
    splitter.split()?;
    Ok(splitter.lines)
}

impl Word {
    /// A mistake about this word.
    pub(crate) fn mistake(&self, message: impl Into<String>) -> Mistake {
        mistake_at(self.line, self.column, self.length, message)
    }
}

pub(super) fn mistake_at(
    line: usize,
    column: usize,
    length: usize,
    message: impl Into<String>,
) -> Mistake {
    let place = Place { line, column, length, ..Place::default() };
    Mistake::at("", message).with_place(place)
}

struct Splitter<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    lines: Vec<Line>,
    words: Vec<Word>,
    word: Option<Word>,
    typed: String,
    line: usize,
    column: usize,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str) -> Self {
        Splitter {
            chars: text.chars().peekable(),
            lines: Vec::new(),
            words: Vec::new(),
            word: None,
            typed: String::new(),
            line: 1,
            column: 1,
        }
    }

    fn split(&mut self) -> Result<(), Mistake> {
        while let Some(c) = self.next() {
            match c {
                '\n' | ';' => self.end_line(),
                ' ' | '\t' | '\r' => self.end_word(),
                '#' if self.word.is_none() => self.skip_comment(),
                '\\' => self.escaped(),
                '\'' | '"' => self.quoted(c)?,
                '&' if self.chars.peek() == Some(&'&') => {
                    self.next();
                    self.typed.truncate(self.typed.len() - 2);
                    self.end_line();
                }
                '|' | '>' | '<' | '&' | '`' | '$' => return Err(self.needs_shell(c)),
                _ => self.put(c),
            }
        }
        self.end_line();
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
            self.typed.push(c);
        }
        Some(c)
    }

    /// The word that is being read; it begins at the character just taken.
    fn word(&mut self) -> &mut Word {
        let (line, column) = (self.line, self.column - 1);
        self.word.get_or_insert_with(|| Word { text: String::new(), line, column, length: 0 })
    }

    fn put(&mut self, c: char) {
        self.word().text.push(c);
    }

    fn escaped(&mut self) {
        if self.chars.peek() == Some(&'\n') {
            self.next();
            self.typed.pop();
            return self.end_word();
        }
        self.word();
        if let Some(c) = self.next() {
            self.put(c);
        }
    }

    fn quoted(&mut self, quote: char) -> Result<(), Mistake> {
        let open =
            mistake_at(self.line, self.column - 1, 1, format!("the {quote} is never closed"));
        self.word();
        loop {
            match self.next() {
                None => return Err(open),
                Some(c) if c == quote => return Ok(()),
                Some('\\')
                    if quote == '"' && matches!(self.chars.peek(), Some('"' | '\\' | '$')) =>
                {
                    let c = self.next().unwrap_or_default();
                    self.put(c);
                }
                Some(c) => self.put(c),
            }
        }
    }

    fn skip_comment(&mut self) {
        self.typed.pop();
        while self.chars.peek().is_some_and(|c| *c != '\n') {
            self.chars.next();
            self.column += 1;
        }
    }

    fn end_word(&mut self) {
        let end = self.column - 1;
        if let Some(mut word) = self.word.take() {
            word.length = end.saturating_sub(word.column).max(word.text.chars().count().min(1));
            self.words.push(word);
        }
    }

    fn end_line(&mut self) {
        if let Some(word) = &mut self.word {
            let typed = self.typed.trim_end_matches(';').trim_end();
            word.length = word.length.max(typed.chars().rev().take_while(|c| *c != ' ').count());
        }
        if let Some(word) = self.word.take() {
            self.words.push(word);
        }
        let text =
            std::mem::take(&mut self.typed).trim().trim_end_matches(';').trim_end().to_owned();
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            self.lines.push(Line { words, text });
        }
    }

    fn needs_shell(&self, c: char) -> Mistake {
        let what = match c {
            '|' => "a pipe",
            '>' | '<' => "a redirection",
            '$' => "a variable",
            '`' => "a command substitution",
            _ => "a background job",
        };
        mistake_at(
            self.line,
            self.column - 1,
            1,
            format!("{what} needs a shell, and there is none"),
        )
        .expected("expected a command")
        .hint("kubectl, git and flux are run directly; put the character in quotes if it is meant")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let lines = lines(text).unwrap_or_else(|mistake| panic!("{mistake}"));
        lines.into_iter().map(|l| l.words.into_iter().map(|w| w.text).collect()).collect()
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let check = |text: &str, expected: &[&[&str]]| assert_eq!(words(text), expected, "{text}");
        check("git status", &[&["git", "status"]]);
        check("git commit -m 'Run  five'", &[&["git", "commit", "-m", "Run  five"]]);
        check("a \"b \\\" c\" d\\ e ''", &[&["a", "b \" c", "d e", ""]]);
        check("a b && c ; d", &[&["a", "b"], &["c"], &["d"]]);
        check("a # b\n\n  c \\\n  d\n", &[&["a"], &["c", "d"]]);
        check("x={.a} #", &[&["x={.a}"]]);
        check("", &[]);
    }

    #[test]
    fn words_know_where_they_stand_and_lines_how_they_were_typed() {
        let all = lines("git push\n  kubectl get  'po ds' && git log;").unwrap();
        let word = &all[1].words[2];
        assert_eq!((word.line, word.column, word.length), (2, 16, 7));
        let last = &all[0].words[1];
        assert_eq!((last.line, last.column, last.length), (1, 5, 4));
        let texts: Vec<&str> = all.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["git push", "kubectl get  'po ds'", "git log"]);
    }

    #[test]
    fn what_needs_a_shell_is_refused() {
        let check = |text: &str, column, message: &str| {
            let mistake = lines(text).unwrap_err();
            assert_eq!((mistake.place.column, mistake.message.as_str()), (column, message));
        };
        check("a | b", 3, "a pipe needs a shell, and there is none");
        check("a > b", 3, "a redirection needs a shell, and there is none");
        check("a $B", 3, "a variable needs a shell, and there is none");
        check("a & b", 3, "a background job needs a shell, and there is none");
        check("a 'b", 3, "the ' is never closed");
        assert!(lines("a '|>$&`'").is_ok());
    }
}
