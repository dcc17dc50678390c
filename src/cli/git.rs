//! `driftlab git replay`: runs a history given as JSON through the in-memory Git, and answers each step
//! as a repository driven by the real `git` would.

use std::io::{Read, Write};
use std::process::ExitCode;

use driftlab::git::{
    Blob, DiffFormat, Entry, FastForward, GitError, MergeOptions, MergeOutcome, Mode, ObjectId,
    PickOutcome, RebaseOutcome, Repository, Reset, Signature, Tree, Unmerged, Worktree, diff, disk,
    unified_diff,
};
use driftlab::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Exit, Mistake, help};

const USAGE: &str = "\
usage: driftlab git replay < HISTORY.json

Reads {\"renames\": bool, \"steps\": [{\"op\": …, \"when\": seconds, \"who\": \"Name <mail>\", …}]} and prints one
JSON object a step. Operations: write, remove, commit, branch, switch, tag, merge, abort, revert,
cherry-pick, rebase, reset, tree, log, diff, blame, merge-base.
";

/// Runs `driftlab git …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    match args.next()? {
        Some(lexopt::Arg::Value(name)) if name == "replay" => replay_stdin(),
        None | Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => help(USAGE),
        Some(other) => Err(other.unexpected().into()),
    }
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    renames: bool,
    steps: Vec<Step>,
}

/// One step; which arguments count depends on the operation.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Step {
    op: String,
    when: u64,
    who: String,
    path: Option<String>,
    text: Option<String>,
    base64: Option<String>,
    mode: Option<String>,
    message: Option<String>,
    empty: bool,
    name: String,
    from: String,
    ff: String,
    commit: String,
    mainline: Option<usize>,
    onto: String,
    to: String,
    at: String,
    a: String,
    b: String,
}

fn replay_stdin() -> Exit {
    let mut text = String::new();
    let unreadable = |error| Mistake(format!("standard input: {error}"));
    std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
    let history: History = serde_json::from_str(&text)
        .map_err(|error| Mistake(format!("standard input: {error}\n\n{USAGE}")))?;
    // Answers may hold any character, so they go out as they are, not through a filter of styles.
    let mut out = std::io::stdout().lock();
    let mut replay = Replay::new(history.renames);
    for (number, step) in history.steps.iter().enumerate() {
        let answer = replay.step(step);
        let answer = answer
            .map_err(|Mistake(why)| Mistake(format!("step {number} ({}): {why}", step.op)))?;
        writeln!(out, "{answer}").map_err(|error| Mistake(format!("standard output: {error}")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A working tree in which everything that is written is staged at once.
struct Replay {
    worktree: Worktree,
}

impl Replay {
    /// Like the `git` on PATH, which is what answers are compared with.
    fn new(renames: bool) -> Self {
        let mut repository = Repository::new();
        let config = repository.config_mut();
        config.merge_renames = renames;
        config.version = disk::version().unwrap_or_default();
        Replay { worktree: Worktree::new(repository) }
    }

    fn step(&mut self, step: &Step) -> Result<Value, Mistake> {
        let who = Signature::of(&step.who, Timestamp::from_secs(step.when.min(u64::MAX / 1000)));
        let who = who.map_err(|error| Mistake(error.to_string()))?;
        match step.op.as_str() {
            "write" | "remove" => self.edit(step),
            "commit" => self.commit(step, who),
            "branch" | "switch" | "tag" | "reset" | "abort" => self.place(step, who),
            "merge" => self.merge(step, who),
            "revert" => Ok(picked(self.worktree.revert(&step.commit, step.mainline, who)?, self)),
            "cherry-pick" => {
                Ok(picked(self.worktree.cherry_pick(&step.commit, step.mainline, who)?, self))
            }
            "rebase" => self.rebase(step, who),
            "tree" | "log" | "diff" | "blame" | "merge-base" => self.ask(step),
            other => Err(Mistake(format!("no operation {other:?}\n\n{USAGE}"))),
        }
    }

    fn edit(&mut self, step: &Step) -> Result<Value, Mistake> {
        let path = step.path.as_deref().unwrap_or_default();
        if step.op == "write" {
            self.worktree.put(path, file(step)?)?;
        } else {
            self.worktree.remove(path);
        }
        self.worktree.stage(path)?;
        Ok(json!({}))
    }

    fn commit(&mut self, step: &Step, who: Signature) -> Result<Value, Mistake> {
        let message = step.message.as_deref().unwrap_or_default();
        let id = match step.empty {
            true => self.worktree.commit_anyway(message, who),
            false => self.worktree.commit(message, who),
        };
        match id {
            Err(GitError::NothingToCommit) => Ok(json!({"error": "nothing to commit"})),
            id => Ok(named(id?)),
        }
    }

    fn place(&mut self, step: &Step, who: Signature) -> Result<Value, Mistake> {
        let name = step.name.as_str();
        match step.op.as_str() {
            "branch" => self.worktree.repository_mut().branch(name, "HEAD").map(|_| ())?,
            "switch" => self.worktree.switch(name)?,
            "abort" => self.abort()?,
            "reset" => return Ok(named(self.worktree.reset(&step.to, Reset::Hard)?)),
            _ => {
                let repository = self.worktree.repository_mut();
                return Ok(named(match step.message.as_deref() {
                    Some(message) => repository.annotated_tag(name, "HEAD", message, who)?,
                    None => repository.tag(name, "HEAD")?,
                }));
            }
        }
        Ok(json!({}))
    }

    /// To abort where nothing is under way drops what is staged.
    fn abort(&mut self) -> Result<(), GitError> {
        match self.worktree.under_way() {
            Some(_) => self.worktree.abort(),
            None => self.worktree.reset("HEAD", Reset::Hard).map(|_| ()),
        }
    }

    fn merge(&mut self, step: &Step, who: Signature) -> Result<Value, Mistake> {
        let fast_forward = match step.ff.as_str() {
            "only" => FastForward::Only,
            "no-ff" => FastForward::Never,
            _ => FastForward::Allowed,
        };
        let options = MergeOptions { fast_forward, ..MergeOptions::default() };
        let before = self.worktree.repository().head_id();
        let answer = |id: Option<ObjectId>, kind: &str| json!({"id": id.map(|id| id.to_string()), "kind": kind});
        match self.worktree.merge(&step.from, &options, who) {
            Ok(MergeOutcome::UpToDate) => Ok(answer(before, "up-to-date")),
            Ok(MergeOutcome::FastForward(id)) => Ok(answer(Some(id), "fast-forward")),
            Ok(MergeOutcome::Commit(id)) => Ok(answer(Some(id), "merge")),
            Ok(MergeOutcome::Conflicts(unmerged)) => Ok(self.conflicts(&unmerged)),
            Err(GitError::NotFastForward) => Ok(json!({"error": "not a fast-forward"})),
            Err(other) => Err(other.into()),
        }
    }

    fn rebase(&mut self, step: &Step, who: Signature) -> Result<Value, Mistake> {
        match self.worktree.rebase(&step.onto, who)? {
            RebaseOutcome::Conflicts(stop) => Ok(self.conflicts(&stop.unmerged)),
            RebaseOutcome::UpToDate | RebaseOutcome::Done(_) => Ok(named(self.resolve("HEAD")?)),
        }
    }

    fn ask(&self, step: &Step) -> Result<Value, Mistake> {
        let repository = self.worktree.repository();
        match step.op.as_str() {
            "tree" => Ok(named(repository.tree(&step.at)?.id())),
            "log" => {
                let log = repository.log(&step.at)?;
                let log = match &step.path {
                    Some(path) => log.path(path),
                    None => log,
                };
                Ok(ids(log.ids()))
            }
            "diff" => {
                let (from, to) = (repository.tree(&step.from)?, repository.tree(&step.to)?);
                let format = DiffFormat { full_index: true, ..DiffFormat::default() };
                let text = unified_diff(&diff(&from, &to), format);
                Ok(json!({"text": String::from_utf8_lossy(&text)}))
            }
            "blame" => {
                let lines = repository.blame("HEAD", step.path.as_deref().unwrap_or_default())?;
                Ok(ids(lines.into_iter().map(|line| line.commit).collect()))
            }
            _ => {
                let (a, b) = (self.resolve(&step.a)?, self.resolve(&step.b)?);
                let mut bases = repository.merge_bases(a, b);
                bases.sort();
                Ok(ids(bases))
            }
        }
    }

    fn resolve(&self, rev: &str) -> Result<ObjectId, Mistake> {
        Ok(self.worktree.repository().resolve_commit(rev)?)
    }

    /// Each path in conflict with the id of what one finds on opening it: links are followed.
    fn conflicts(&self, unmerged: &Unmerged) -> Value {
        let left = |path: &str| content_of(&unmerged.tree, path).map(|blob| blob.id().to_string());
        let paths: Map<String, Value> = unmerged
            .conflicts
            .iter()
            .filter(|conflict| conflict.has_stages())
            .map(|conflict| (conflict.path.clone(), json!(left(&conflict.path))))
            .collect();
        json!({"conflicts": paths})
    }
}

fn picked(outcome: PickOutcome, replay: &Replay) -> Value {
    match outcome {
        PickOutcome::Commit(id) => named(id),
        PickOutcome::Empty => json!({"error": "empty"}),
        PickOutcome::Conflicts(unmerged) => replay.conflicts(&unmerged),
    }
}

fn named(id: ObjectId) -> Value {
    json!({"id": id.to_string()})
}

fn ids(ids: Vec<ObjectId>) -> Value {
    json!({"ids": ids.iter().map(ObjectId::to_string).collect::<Vec<_>>()})
}

fn file(step: &Step) -> Result<Entry, Mistake> {
    let content = match (&step.text, &step.base64) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(text)) => {
            decode_base64(text).ok_or_else(|| Mistake("\"base64\" is no base64".into()))?
        }
        (None, None) => return Err(Mistake("write needs \"text\" or \"base64\"".into())),
    };
    let mode = match step.mode.as_deref() {
        None | Some("100644") => Mode::Regular,
        Some("100755") => Mode::Executable,
        Some("120000") => Mode::Symlink,
        Some(other) => return Err(Mistake(format!("no mode {other:?}: 100644, 100755, 120000"))),
    };
    Ok(Entry::File(mode, Blob::new(content)))
}

/// The content of a file, or of the file that a chain of links leads to within the tree.
fn content_of(tree: &Tree, path: &str) -> Option<Blob> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match tree.get(&path)? {
            Entry::File(Mode::Symlink, target) => path = beside(&path, target.as_text()?)?,
            Entry::File(_, blob) => return Some(blob),
            _ => return None,
        }
    }
    None
}

fn beside(link: &str, target: &str) -> Option<String> {
    let mut steps: Vec<&str> = link.split('/').collect();
    steps.pop();
    for step in target.split('/') {
        match step {
            ".." => drop(steps.pop()?),
            "" | "." => {}
            name => steps.push(name),
        }
    }
    Some(steps.join("/"))
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = chunk
            .iter()
            .try_fold(0u32, |bits, digit| Some(bits << 6 | u32::from(value(*digit)?)))?;
        let bits = bits << (6 * (4 - chunk.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

impl From<GitError> for Mistake {
    fn from(error: GitError) -> Self {
        Mistake(error.to_string())
    }
}

impl From<driftlab::git::InvalidPath> for Mistake {
    fn from(error: driftlab::git::InvalidPath) -> Self {
        Mistake(error.to_string())
    }
}
