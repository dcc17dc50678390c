//! Flags and arguments, as pflag (kubectl, flux) and Git read them.

use super::words::Word;
use crate::scenario::mistake::Mistake;
use crate::time::Duration;

/// A flag that a command knows: long name, short name, and what it takes.
pub(crate) type Flag = (&'static str, Option<char>, Takes);

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A value, after `=` or as the next word.
    Value,
    /// Nothing, or `=true`, `=false`.
    Nothing,
    /// A value after `=`; without one, this.
    Perhaps(&'static str),
}

/// The words of a command, sorted into flags and arguments.
#[derive(Debug, Default)]
pub(crate) struct Args {
    flags: Vec<(&'static str, Word)>,
    pub(super) arguments: Vec<Word>,
    /// The arguments after `--`.
    pub(super) rest: Vec<Word>,
    /// The command's word, for messages about what is missing.
    pub(super) command: Option<Word>,
}

/// Sorts words; a flag that is not among the known ones is a mistake.
pub(super) fn parse(command: &Word, words: &[Word], known: &[&[Flag]]) -> Result<Args, Mistake> {
    let known: Vec<Flag> = known.iter().flat_map(|flags| flags.iter().copied()).collect();
    let mut args = Args { command: Some(command.clone()), ..Args::default() };
    let mut words = words.iter().cloned();
    while let Some(word) = words.next() {
        if word.text == "--" {
            args.rest.extend(words);
            break;
        } else if let Some(long) = word.text.strip_prefix("--") {
            args.long(&word, long, &known, &mut words)?;
        } else if word.text.len() > 1 && word.text.starts_with('-') {
            args.short(&word, &known, &mut words)?;
        } else {
            args.arguments.push(word);
        }
    }
    Ok(args)
}

impl Args {
    fn long(
        &mut self,
        word: &Word,
        text: &str,
        known: &[Flag],
        words: &mut impl Iterator<Item = Word>,
    ) -> Result<(), Mistake> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let Some((name, _, takes)) = known.iter().find(|(long, ..)| *long == name).copied() else {
            return Err(word
                .mistake(format!("unknown flag: --{name}"))
                .did_you_mean(name, known.iter().map(|(long, ..)| *long))
                .with_known(known));
        };
        self.put(word, name, takes, value, words)
    }

    fn short(
        &mut self,
        word: &Word,
        known: &[Flag],
        words: &mut impl Iterator<Item = Word>,
    ) -> Result<(), Mistake> {
        let mut rest = &word.text[1..];
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            let found = known.iter().find(|(_, short, _)| *short == Some(c)).copied();
            let Some((name, _, takes)) = found else {
                let message = format!("unknown shorthand flag: '{c}' in {}", word.text);
                return Err(word.mistake(message).with_known(known));
            };
            if takes == Takes::Nothing && !rest.starts_with('=') {
                self.put(word, name, takes, None, words)?;
                continue;
            }
            let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
            return self.put(word, name, takes, value, words);
        }
        Ok(())
    }

    fn put(
        &mut self,
        word: &Word,
        name: &'static str,
        takes: Takes,
        value: Option<&str>,
        words: &mut impl Iterator<Item = Word>,
    ) -> Result<(), Mistake> {
        let value = match (value, takes) {
            (Some(value), _) => Word { text: value.into(), ..word.clone() },
            (None, Takes::Nothing) => Word { text: "true".into(), ..word.clone() },
            (None, Takes::Perhaps(default)) => Word { text: default.into(), ..word.clone() },
            (None, Takes::Value) => words
                .next()
                .ok_or_else(|| word.mistake(format!("flag needs an argument: {}", word.text)))?,
        };
        self.flags.push((name, value));
        Ok(())
    }

    /// The value a flag was given last.
    pub(super) fn value(&self, name: &str) -> Option<&Word> {
        self.flags.iter().rev().find(|(flag, _)| *flag == name).map(|(_, word)| word)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|word| word.text.clone())
    }

    /// Every value a flag was given, in order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &Word> {
        self.flags.iter().filter(move |(flag, _)| *flag == name).map(|(_, word)| word)
    }

    /// Whether a flag was given and is not `=false`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|word| word.text != "false")
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Mistake> {
        let Some(word) = self.value(name) else { return Ok(None) };
        let number = word.text.parse().map_err(|_| {
            word.mistake(format!("--{name} is {:?}", word.text)).expected("expected a whole number")
        })?;
        Ok(Some(number))
    }

    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, Mistake> {
        let Some(word) = self.value(name) else { return Ok(None) };
        let duration = word.text.parse().map_err(|_| {
            word.mistake(format!("--{name} is {:?}", word.text))
                .expected("expected a duration such as 30s or 5m")
        })?;
        Ok(Some(duration))
    }

    /// One of the words that a flag can be.
    pub(super) fn one_of(
        &self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, Mistake> {
        let Some(word) = self.value(name) else { return Ok(None) };
        match words.iter().find(|known| **known == word.text) {
            Some(known) => Ok(Some(known)),
            None => Err(word
                .mistake(format!("--{name} is {:?}", word.text))
                .expected(format!("expected one of: {}", words.join(", ")))
                .did_you_mean(&word.text, words.iter().copied())),
        }
    }

    /// Takes the first argument off: the subcommand.
    pub(super) fn take_first(&mut self) -> Option<Word> {
        (!self.arguments.is_empty()).then(|| self.arguments.remove(0))
    }

    /// A mistake about the command as a whole: something is missing.
    pub(super) fn missing(&self, what: &str) -> Mistake {
        let command = self.command.as_ref().expect("arguments are of a command");
        command.mistake(format!("{} needs {what}", command.text))
    }

    /// A mistake when there are more arguments than so many.
    pub(super) fn at_most(&self, count: usize) -> Result<(), Mistake> {
        match self.arguments.get(count).or(self.rest.first()) {
            Some(extra) => Err(extra.mistake(format!("unexpected argument {:?}", extra.text))),
            None => Ok(()),
        }
    }
}

impl Mistake {
    fn with_known(self, known: &[Flag]) -> Self {
        let names: Vec<String> = known
            .iter()
            .map(|(long, short, _)| match (long.len(), short) {
                (0..=1, Some(c)) => format!("-{c}"),
                _ => format!("--{long}"),
            })
            .collect();
        self.expected(format!("expected one of: {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::lines;
    use super::*;

    const KNOWN: &[Flag] = &[
        ("namespace", Some('n'), Takes::Value),
        ("all", Some('a'), Takes::Nothing),
        ("message", Some('m'), Takes::Value),
        ("dry-run", None, Takes::Perhaps("client")),
    ];

    fn args(text: &str) -> Result<Args, Mistake> {
        let line = lines(text).unwrap().remove(0);
        parse(&line.words[0], &line.words[1..], &[KNOWN])
    }

    #[test]
    fn flags_are_read_in_every_form_that_the_tools_accept() {
        let check = |text: &str, name: &str, value: Option<&str>, arguments: &[&str]| {
            let args = args(text).unwrap();
            assert_eq!(args.text(name).as_deref(), value, "{text}");
            let given: Vec<&str> = args.arguments.iter().map(|w| w.text.as_str()).collect();
            assert_eq!(given, arguments, "{text}");
        };
        check("x -n a b", "namespace", Some("a"), &["b"]);
        check("x b -na", "namespace", Some("a"), &["b"]);
        check("x -n=a", "namespace", Some("a"), &[]);
        check("x --namespace=a b", "namespace", Some("a"), &["b"]);
        check("x --namespace a", "namespace", Some("a"), &[]);
        check("x -am 'b c'", "message", Some("b c"), &[]);
        check("x -a b", "all", Some("true"), &["b"]);
        check("x --all=false", "all", Some("false"), &[]);
        check("x --dry-run b", "dry-run", Some("client"), &["b"]);
        check("x --dry-run=server", "dry-run", Some("server"), &[]);
        check("x -n a -n b", "namespace", Some("b"), &[]);
        check("x -- -n", "namespace", None, &[]);
    }

    #[test]
    fn unknown_flags_are_mistakes_at_their_place() {
        let check = |text: &str, column, message: &str, hint: &str| {
            let mistake = args(text).unwrap_err();
            assert_eq!((mistake.place.column, mistake.message.as_str()), (column, message));
            assert_eq!(mistake.hint, hint);
        };
        check("x --namspace=a", 3, "unknown flag: --namspace", "did you mean 'namespace'?");
        check("x -az", 3, "unknown shorthand flag: 'z' in -az", "");
        check("x y -n", 5, "flag needs an argument: -n", "");
    }
}
