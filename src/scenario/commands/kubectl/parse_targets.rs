//! Which objects and which files a command line names.

use super::{Files, Pairs, Targets};
use crate::object::{FieldSelector, LabelSelector};
use crate::scenario::commands::flags::Args;
use crate::scenario::commands::words::Word;
use crate::scenario::mistake::Mistake;

/// How exactly objects must be named.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Need {
    /// A kind is enough.
    Kinds,
    /// Names, a selector, or `--all`.
    Names,
}

/// `KIND/NAME …`, `KIND NAME …`, `KIND,KIND`, with a selector perhaps.
pub(super) fn targets(args: &Args, words: &[Word], need: Need) -> Result<Targets, Mistake> {
    let Some((first, names)) = words.split_first() else {
        return Err(args
            .missing("a resource, such as deployment/hello")
            .expected("expected TYPE/NAME or TYPE NAME"));
    };
    let kinds = if first.text.contains('/') {
        words.iter().map(kind_and_name).collect::<Result<_, _>>()?
    } else {
        first.text.split(',').flat_map(|kind| named(first, kind, names)).collect()
    };
    let targets = Targets {
        kinds,
        labels: labels(args)?,
        fields: fields(args)?,
        all_namespaces: args.has("all-namespaces"),
    };
    if need == Need::Names && !targets.is_picked() && !args.has("all") {
        return Err(first
            .mistake(format!("which {}?", first.text))
            .expected("expected a name, a selector, or --all"));
    }
    Ok(targets)
}

fn named(word: &Word, kind: &str, names: &[Word]) -> Vec<(Word, Option<String>)> {
    let kind = Word { text: kind.into(), ..word.clone() };
    match names {
        [] => vec![(kind, None)],
        names => names.iter().map(|name| (kind.clone(), Some(name.text.clone()))).collect(),
    }
}

fn kind_and_name(word: &Word) -> Result<(Word, Option<String>), Mistake> {
    match word.text.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
            let length = kind.chars().count();
            Ok((Word { text: kind.into(), length, ..word.clone() }, Some(name.into())))
        }
        _ => Err(word
            .mistake(format!("{:?} names no object", word.text))
            .expected("expected TYPE/NAME")),
    }
}

impl Targets {
    /// Whether it says more than the kinds.
    fn is_picked(&self) -> bool {
        self.kinds.iter().all(|(_, name)| name.is_some())
            || !self.labels.is_everything()
            || !self.fields.terms.is_empty()
    }
}

fn labels(args: &Args) -> Result<LabelSelector, Mistake> {
    let Some(word) = args.value("selector") else { return Ok(LabelSelector::everything()) };
    word.text.parse().map_err(|error| word.mistake(format!("{error}")))
}

fn fields(args: &Args) -> Result<FieldSelector, Mistake> {
    let Some(word) = args.value("field-selector") else { return Ok(FieldSelector::everything()) };
    word.text.parse().map_err(|error| word.mistake(format!("{error}")))
}

/// `-f`, `-k` and `-R`.
pub(super) fn files(args: &Args) -> Result<Files, Mistake> {
    let mut files = Files { recursive: args.has("recursive"), ..Files::default() };
    for word in args.values("filename") {
        for path in word.text.split(',') {
            if path == "-" || path.contains("://") {
                return Err(word
                    .mistake(format!("{path:?} is no file of the working copy"))
                    .expected("expected a path"));
            }
            files.paths.push(Word { text: clean(path), ..word.clone() });
        }
    }
    let kustomize = args.value("kustomize");
    files.kustomize = kustomize.map(|word| Word { text: clean(&word.text), ..word.clone() });
    Ok(files)
}

/// The same, at least one of them.
pub(super) fn needed_files(args: &Args) -> Result<Files, Mistake> {
    let files = files(args)?;
    if files.is_empty() {
        return Err(args.missing("-f or -k"));
    }
    args.at_most(0)?;
    Ok(files)
}

impl Files {
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.kustomize.is_none()
    }
}

/// A path without `./` in front and `/` behind.
fn clean(path: &str) -> String {
    let path = path.trim_end_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "." { String::new() } else { path.to_owned() }
}

/// Splits arguments into those that name objects and those that are `NAME=VALUE` or `NAME-`.
pub(super) fn split_pairs(words: &[Word]) -> (Vec<Word>, Vec<Word>) {
    let is_pair = |word: &&Word| word.text.contains('=') || word.text.ends_with('-');
    let (pairs, names): (Vec<&Word>, Vec<&Word>) = words.iter().partition(is_pair);
    (names.into_iter().cloned().collect(), pairs.into_iter().cloned().collect())
}

/// `NAME=VALUE`, or `NAME-` to remove it.
pub(super) fn pairs(words: &[Word]) -> Result<Pairs, Mistake> {
    words
        .iter()
        .map(|word| match (word.text.split_once('='), word.text.strip_suffix('-')) {
            (Some((name, value)), _) if !name.is_empty() => Ok((name.into(), Some(value.into()))),
            (None, Some(name)) if !name.is_empty() => Ok((name.into(), None)),
            _ => Err(word
                .mistake(format!("{:?} is no pair", word.text))
                .expected("expected NAME=VALUE, or NAME- to remove it")),
        })
        .collect()
}
