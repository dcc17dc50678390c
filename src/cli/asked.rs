//! What `explain` and `blame` are asked: which run, and which words about an object at its end.

use std::path::Path;

use driftlab::scenario::{History, Run, RunOptions};
use lexopt::ValueExt;

use super::run::load;
use super::{Mistake, is_json, text, value};

/// A run to be played, and an object of it.
#[derive(Default)]
pub(super) struct Asked {
    /// FILE or DIR, the object, and what else is asked for.
    pub(super) words: Vec<String>,
    /// Whether the answer is for a program.
    pub(super) json: bool,
    namespace: Option<String>,
    path: Option<String>,
    options: RunOptions,
}

impl Asked {
    /// Reads up to so many words and the options; `None` when help is asked for.
    pub(super) fn read(args: &mut lexopt::Parser, words: usize) -> Result<Option<Self>, Mistake> {
        use lexopt::Arg::{Long, Short, Value};
        let mut asked = Asked::default();
        while let Some(arg) = args.next()? {
            match arg {
                Short('h') | Long("help") => return Ok(None),
                Short('n') | Long("namespace") => asked.namespace = Some(text(args)?),
                Long("path") => asked.path = Some(text(args)?),
                Long("seed") => asked.options.seed = Some(value(args, "--seed")?),
                Long("until") => asked.options.until = Some(value(args, "--until")?),
                Long("format") => asked.json = is_json(args)?,
                Value(value) if asked.words.len() < words => asked.words.push(value.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Some(asked))
    }

    /// The run of FILE or DIR, played.
    pub(super) fn play(&self, what: &str) -> Result<Run, Mistake> {
        let loaded = load(Path::new(what), self.path.as_deref(), History::All)?;
        Ok(loaded.play(&self.options))
    }

    /// The object's name with its namespace, in words.
    pub(super) fn object(&self, name: &str) -> String {
        match &self.namespace {
            Some(namespace) => format!("{name} -n {namespace}"),
            None => name.to_owned(),
        }
    }
}
