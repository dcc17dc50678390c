//! The in-memory Git against the `git` on PATH: random histories, every id, conflict, log, diff and
//! blame the same. `DRIFTLAB_HISTORIES` says how many; what differs is shrunk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use driftlab::git::{
    Blob, DiffFormat, Entry, FastForward, GitError, MergeOptions, MergeOutcome, Mode, PickOutcome,
    RebaseOutcome, Repository, Reset, Signature, Tree, Unmerged, Worktree, diff, disk,
    unified_diff,
};
use driftlab::time::Timestamp;
use driftlab_tests::{rounds, tool};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const PATHS: [&str; 8] = [
    "app.yaml",
    "base/deploy.yaml",
    "base/kustomization.yaml",
    "docs/a b.md",
    "z",
    "z.txt",
    "dir/z",
    "ünï.txt",
];

/// One step of a history. Numbers are taken modulo what there is, so that any step can be left out.
#[derive(Clone, Debug)]
enum Step {
    Save { edits: Vec<Edit>, message: String },
    Branch,
    Switch(usize),
    Merge(usize, FastForward),
    Revert(usize, usize),
    CherryPick(usize),
    Rebase(usize),
    Reset(usize),
    Tag(Option<String>),
}

#[derive(Clone, Debug)]
enum Edit {
    /// Lines put in place of others: where, how many go, how many come, and which.
    Lines {
        path: usize,
        at: usize,
        out: usize,
        lines: Vec<u8>,
    },
    Content {
        path: usize,
        content: Vec<u8>,
        mode: Mode,
    },
    Remove(usize),
    Move(usize, usize),
}

fn edits() -> impl Strategy<Value = Edit> {
    let lines = (0..PATHS.len(), 0..16usize, 0..3usize, prop::collection::vec(0..30u8, 0..3))
        .prop_map(|(path, at, out, lines)| Edit::Lines { path, at, out, lines });
    let mode = prop::sample::select(vec![Mode::Regular, Mode::Executable, Mode::Symlink]);
    let content = (0..PATHS.len(), prop::collection::vec(any::<u8>(), 1..20), mode).prop_map(
        |(path, content, mode)| {
            let content = if mode == Mode::Symlink { b"z.txt".to_vec() } else { content };
            Edit::Content { path, content, mode }
        },
    );
    prop_oneof![
        12 => lines,
        1 => content,
        1 => (0..PATHS.len()).prop_map(Edit::Remove),
        1 => (0..PATHS.len(), 0..PATHS.len()).prop_map(|(from, to)| Edit::Move(from, to)),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let message = prop::sample::select(vec![
        "Scale web",
        "Fix\n\n\nIt was wrong. ",
        "  padded ",
        "one\ntwo",
        "ünï",
    ]);
    let save = (prop::collection::vec(edits(), 1..4), message.clone())
        .prop_map(|(edits, message)| Step::Save { edits, message: message.into() });
    let ff =
        prop::sample::select(vec![FastForward::Allowed, FastForward::Never, FastForward::Only]);
    prop_oneof![
        8 => save,
        2 => Just(Step::Branch),
        4 => any::<usize>().prop_map(Step::Switch),
        4 => (any::<usize>(), ff).prop_map(|(from, ff)| Step::Merge(from, ff)),
        2 => (any::<usize>(), 1..3usize).prop_map(|(commit, side)| Step::Revert(commit, side)),
        2 => any::<usize>().prop_map(Step::CherryPick),
        2 => any::<usize>().prop_map(Step::Rebase),
        1 => any::<usize>().prop_map(Step::Reset),
        1 => prop::option::of(message).prop_map(|message| Step::Tag(message.map(str::to_owned))),
    ]
}

/// What a step came to; the same on both sides.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Id(String),
    Conflicts(BTreeMap<String, Option<String>>),
    Refused(&'static str),
    Text(String),
}

/// The in-memory repository.
struct Ours {
    worktree: Worktree,
    now: u64,
}

/// The `git` on PATH, in a folder of its own that goes away.
struct Theirs {
    folder: PathBuf,
    git: PathBuf,
    now: u64,
}

/// A step with its numbers made names: what both sides are asked.
#[derive(Clone, Debug)]
enum Ask {
    Commit(String),
    Branch(String),
    Switch(String),
    Merge(String, FastForward),
    Revert(String, Option<usize>),
    CherryPick(String),
    Rebase(String),
    Reset(String),
    Tag(String, Option<String>),
    Log(String, Option<String>),
    Diff(String, String),
    Blame(String),
    MergeBase(String, String),
}

impl Ours {
    fn new(renames: bool) -> Self {
        let mut repository = Repository::new();
        repository.config_mut().merge_renames = renames;
        repository.config_mut().version = disk::version().unwrap();
        Ours { worktree: Worktree::new(repository), now: 1_767_225_600 }
    }

    fn who(&self) -> Signature {
        Signature::new("Ada", "ada@example.com", Timestamp::from_secs(self.now))
    }

    fn repository(&self) -> &Repository {
        self.worktree.repository()
    }

    fn edit(&mut self, edit: &Edit) {
        let files = self.worktree.files().clone();
        match edit {
            Edit::Lines { path, at, out, lines } => {
                let text = files.text(PATHS[*path]).unwrap_or_default();
                let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
                if all.len() < 4 {
                    all = (0..9).map(|n| format!("line {n}")).collect();
                }
                let at = at % all.len();
                let end = (at + out).min(all.len());
                all.splice(at..end, lines.iter().map(|line| format!("new {line}")));
                self.write(PATHS[*path], all.join("\n") + "\n", Mode::Regular);
            }
            Edit::Content { path, content, mode } => {
                self.write(PATHS[*path], content.clone(), *mode);
            }
            Edit::Remove(path) => self.worktree.remove(PATHS[*path]),
            Edit::Move(from, to) => {
                if let (Some(entry), None) = (files.get(PATHS[*from]), files.get(PATHS[*to])) {
                    self.worktree.remove(PATHS[*from]);
                    self.worktree.put(PATHS[*to], entry).unwrap();
                }
            }
        }
        self.worktree.stage(".").unwrap();
    }

    fn write(&mut self, path: &str, content: impl Into<Blob>, mode: Mode) {
        self.worktree.put(path, Entry::File(mode, content.into())).unwrap();
    }

    fn ask(&mut self, ask: &Ask) -> Outcome {
        let (who, worktree) = (self.who(), &mut self.worktree);
        match ask {
            Ask::Commit(message) => id_or(worktree.commit(message, who), GitError::NothingToCommit),
            Ask::Branch(name) => id(worktree.repository_mut().branch(name, "HEAD").unwrap()),
            Ask::Switch(name) => {
                worktree.switch(name).unwrap();
                self.head()
            }
            Ask::Merge(from, fast_forward) => {
                let options =
                    MergeOptions { fast_forward: *fast_forward, ..MergeOptions::default() };
                match worktree.merge(from, &options, who) {
                    Ok(MergeOutcome::Conflicts(unmerged)) => conflicts(worktree, &unmerged),
                    Ok(_) => self.head(),
                    Err(GitError::NotFastForward) => Outcome::Refused("not a fast-forward"),
                    Err(other) => panic!("{other}"),
                }
            }
            Ask::Revert(rev, mainline) => {
                let outcome = worktree.revert(rev, *mainline, who).unwrap();
                picked(worktree, outcome)
            }
            Ask::CherryPick(rev) => {
                let outcome = worktree.cherry_pick(rev, None, who).unwrap();
                picked(worktree, outcome)
            }
            Ask::Rebase(onto) => match worktree.rebase(onto, who).unwrap() {
                RebaseOutcome::Conflicts(stop) => conflicts(worktree, &stop.unmerged),
                _ => self.head(),
            },
            Ask::Reset(to) => id(worktree.reset(to, Reset::Hard).unwrap()),
            Ask::Tag(name, message) => id(match message {
                Some(message) => {
                    worktree.repository_mut().annotated_tag(name, "HEAD", message, who).unwrap()
                }
                None => worktree.repository_mut().tag(name, "HEAD").unwrap(),
            }),
            _ => self.query(ask),
        }
    }

    fn query(&self, ask: &Ask) -> Outcome {
        let repository = self.repository();
        let lines = |ids: Vec<String>| Outcome::Text(ids.join("\n"));
        match ask {
            Ask::Log(rev, path) => {
                let log = repository.log(rev).unwrap();
                let log = match path {
                    Some(path) => log.path(path),
                    None => log,
                };
                lines(log.ids().iter().map(|id| id.to_string()).collect())
            }
            Ask::Diff(from, to) => {
                let (from, to) = (repository.tree(from).unwrap(), repository.tree(to).unwrap());
                let format = DiffFormat { full_index: true, ..DiffFormat::default() };
                let text = unified_diff(&diff(&from, &to), format);
                Outcome::Text(String::from_utf8_lossy(&text).trim_end().to_owned())
            }
            Ask::Blame(path) => {
                let blame = repository.blame("HEAD", path).unwrap();
                lines(blame.iter().map(|line| line.commit.to_string()).collect())
            }
            Ask::MergeBase(a, b) => {
                let (a, b) = (repository.resolve(a).unwrap(), repository.resolve(b).unwrap());
                let mut bases: Vec<_> =
                    repository.merge_bases(a, b).iter().map(|id| id.to_string()).collect();
                bases.sort();
                lines(bases)
            }
            _ => unreachable!("{ask:?} changes something"),
        }
    }

    fn head(&self) -> Outcome {
        id(self.repository().head_id().unwrap())
    }
}

fn id(id: driftlab::git::ObjectId) -> Outcome {
    Outcome::Id(id.to_string())
}

fn id_or(result: Result<driftlab::git::ObjectId, GitError>, refused: GitError) -> Outcome {
    match result {
        Ok(made) => id(made),
        Err(error) if error == refused => Outcome::Refused("nothing to commit"),
        Err(other) => panic!("{other}"),
    }
}

fn picked(worktree: &mut Worktree, outcome: PickOutcome) -> Outcome {
    match outcome {
        PickOutcome::Commit(made) => id(made),
        PickOutcome::Empty => Outcome::Refused("empty"),
        PickOutcome::Conflicts(unmerged) => conflicts(worktree, &unmerged),
    }
}

/// What is left at each path in conflict; then all is put back as it was.
fn conflicts(worktree: &mut Worktree, unmerged: &Unmerged) -> Outcome {
    let left = |path: &str| match unmerged.tree.get(path)? {
        Entry::File(_, blob) => Some(blob.id().to_string()),
        _ => None,
    };
    let listed = unmerged.conflicts.iter().filter(|conflict| conflict.has_stages());
    let paths = listed.map(|conflict| (conflict.path.clone(), left(&conflict.path))).collect();
    worktree.abort().unwrap();
    Outcome::Conflicts(paths)
}

impl Theirs {
    fn new(git: PathBuf, renames: bool) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("driftlab-git-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let theirs = Theirs { folder, git, now: 1_767_225_600 };
        theirs.text(&["init", "-q", "-b", "main"]);
        let config = format!(
            "[core]\n\trepositoryformatversion = 0\n\tfsync = none\n\tquotePath = true\n[gc]\n\tauto = 0\n[merge]\n\trenames = {renames}\n[diff]\n\trenames = {renames}\n[advice]\n\tdetachedHead = false\n"
        );
        fs::write(theirs.folder.join(".git/config"), config).unwrap();
        theirs
    }

    fn run(&self, args: &[&str]) -> (bool, Vec<u8>) {
        let date = format!("{} +0000", self.now);
        let mut command = Command::new(&self.git);
        command.args(args).current_dir(&self.folder);
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_EDITOR", "true"),
            ("GIT_MERGE_AUTOEDIT", "no"),
            ("LC_ALL", "C.UTF-8"),
        ] {
            command.env(name, value);
        }
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Ada");
            command.env(format!("GIT_{role}_EMAIL"), "ada@example.com");
            command.env(format!("GIT_{role}_DATE"), &date);
        }
        let output = command.output().unwrap();
        (output.status.success(), output.stdout)
    }

    fn text(&self, args: &[&str]) -> String {
        let (_, out) = self.run(args);
        String::from_utf8_lossy(&out).trim_end().to_owned()
    }

    /// Puts the files that the other side has, and stages them.
    fn write(&self, before: &Tree, after: &Tree) {
        for change in diff(before, after) {
            let path = self.folder.join(&change.path);
            if change.old.is_some() {
                fs::remove_file(&path).unwrap();
            }
            if let Some(Entry::File(mode, blob)) = &change.new {
                put_file(&path, *mode, blob.as_bytes());
            }
        }
        self.text(&["add", "-A"]);
    }

    fn ask(&self, ask: &Ask) -> Outcome {
        match ask {
            Ask::Commit(message) => {
                self.made(&["commit", "-q", "-m", message], Outcome::Refused("nothing to commit"))
            }
            Ask::Branch(name) => self.made(&["branch", name], Outcome::Refused("branch")),
            Ask::Switch(name) => self.made(&["switch", "-q", name], Outcome::Refused("switch")),
            Ask::Merge(from, FastForward::Only) => self
                .made(&["merge", "-q", "--ff-only", from], Outcome::Refused("not a fast-forward")),
            Ask::Merge(from, FastForward::Never) => self.settled(&["merge", "-q", "--no-ff", from]),
            Ask::Merge(from, FastForward::Allowed) => self.settled(&["merge", "-q", from]),
            Ask::Revert(rev, Some(side)) => {
                self.settled(&["revert", "--no-edit", "-m", &side.to_string(), rev])
            }
            Ask::Revert(rev, None) => self.settled(&["revert", "--no-edit", rev]),
            Ask::CherryPick(rev) => self.settled(&["cherry-pick", rev]),
            Ask::Rebase(onto) => self.settled(&["rebase", "-q", onto]),
            Ask::Reset(to) => self.made(&["reset", "-q", "--hard", to], Outcome::Refused("reset")),
            Ask::Tag(name, message) => {
                match message {
                    Some(message) => self.text(&["tag", "-a", "-m", message, name]),
                    None => self.text(&["tag", name]),
                };
                Outcome::Id(self.text(&["rev-parse", name]))
            }
            Ask::Log(rev, path) => Outcome::Text(match path {
                Some(path) => self.text(&["log", "--format=%H", rev, "--", path]),
                None => self.text(&["log", "--format=%H", rev]),
            }),
            Ask::Diff(a, b) => {
                Outcome::Text(self.text(&["diff", "--no-renames", "--full-index", a, b]))
            }
            Ask::Blame(path) => {
                let rows = self.text(&["blame", "--porcelain", "HEAD", "--", path]);
                let ids = rows.lines().filter(|row| {
                    let id = row.split(' ').next().unwrap_or_default();
                    id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit())
                });
                Outcome::Text(ids.map(|row| &row[..40]).collect::<Vec<_>>().join("\n"))
            }
            Ask::MergeBase(a, b) => {
                let bases = self.text(&["merge-base", "--all", a, b]);
                let mut bases: Vec<&str> = bases.lines().collect();
                bases.sort();
                Outcome::Text(bases.join("\n"))
            }
        }
    }

    fn made(&self, args: &[&str], refused: Outcome) -> Outcome {
        match self.run(args).0 {
            true => Outcome::Id(self.text(&["rev-parse", "HEAD"])),
            false => refused,
        }
    }

    fn settled(&self, args: &[&str]) -> Outcome {
        if self.run(args).0 {
            return Outcome::Id(self.text(&["rev-parse", "HEAD"]));
        }
        let listed = self.text(&["ls-files", "-u", "-z"]);
        let paths = listed.split('\0').filter_map(|line| Some(line.split_once('\t')?.1.to_owned()));
        let left = |path: &str| {
            let full = self.folder.join(path);
            let content = match fs::read_link(&full) {
                Ok(target) => target.to_string_lossy().into_owned().into_bytes(),
                Err(_) => fs::read(&full).ok()?,
            };
            Some(Blob::from(content).id().to_string())
        };
        let paths: BTreeMap<_, _> = paths.map(|path| (path.clone(), left(&path))).collect();
        for verb in ["merge", "revert", "cherry-pick", "rebase"] {
            if args[0] == verb {
                self.run(&[verb, "--abort"]);
            }
        }
        self.run(&["reset", "-q", "--hard"]);
        match (paths.is_empty(), args[0]) {
            (true, "revert" | "cherry-pick") => Outcome::Refused("empty"),
            _ => Outcome::Conflicts(paths),
        }
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(unix)]
fn put_file(path: &Path, mode: Mode, content: &[u8]) {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    if mode == Mode::Symlink {
        return std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(content), path).unwrap();
    }
    fs::write(path, content).unwrap();
    let bits = if mode == Mode::Executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// Both sides, step by step.
struct Pair {
    ours: Ours,
    theirs: Theirs,
    commits: Vec<String>,
    branches: Vec<String>,
}

impl Pair {
    fn new(git: PathBuf, renames: bool) -> Self {
        let (ours, theirs) = (Ours::new(renames), Theirs::new(git, renames));
        let mut pair = Pair { ours, theirs, commits: Vec::new(), branches: vec!["main".into()] };
        let start = Edit::Lines { path: 0, at: 0, out: 0, lines: vec![] };
        pair.step(&Step::Save { edits: vec![start], message: "start".into() }).unwrap();
        pair
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.ours.now += 60;
        self.theirs.now += 60;
        if let Step::Save { edits, .. } = step {
            let before = self.ours.worktree.files().clone();
            edits.iter().for_each(|edit| self.ours.edit(edit));
            self.theirs.write(&before, self.ours.worktree.files());
        }
        let Some(ask) = self.named(step) else { return Ok(()) };
        if let Outcome::Id(id) = self.compare(&ask)? {
            self.commits.push(id);
        }
        Ok(())
    }

    fn named(&mut self, step: &Step) -> Option<Ask> {
        let some = |list: &[String], n: usize| list.get(n % list.len().max(1)).cloned();
        let parents = |rev: &str| {
            self.ours.repository().commit_at(rev).map(|commit| commit.parents.len()).unwrap_or(0)
        };
        Some(match step {
            Step::Save { message, .. } => Ask::Commit(message.clone()),
            Step::Branch => {
                let name = format!("topic-{}", self.branches.len());
                self.branches.push(name.clone());
                Ask::Branch(name)
            }
            Step::Switch(n) => Ask::Switch(some(&self.branches, *n)?),
            Step::Merge(n, ff) => Ask::Merge(some(&self.branches, *n)?, *ff),
            Step::Revert(n, side) => {
                let rev = some(&self.commits, *n)?;
                let mainline = (parents(&rev) > 1).then_some(*side);
                Ask::Revert(rev, mainline)
            }
            Step::CherryPick(n) => {
                Ask::CherryPick(some(&self.commits, *n).filter(|rev| parents(rev) < 2)?)
            }
            Step::Rebase(n) => Ask::Rebase(some(&self.branches, *n)?),
            Step::Reset(n) => Ask::Reset(some(&self.commits, *n)?),
            Step::Tag(message) => Ask::Tag(format!("v{}", self.ours.now), message.clone()),
        })
    }

    fn compare(&mut self, ask: &Ask) -> Result<Outcome, TestCaseError> {
        let (ours, theirs) = (self.ours.ask(ask), self.theirs.ask(ask));
        prop_assert_eq!(&ours, &theirs, "ours and git's answer to {:?}", ask);
        Ok(ours)
    }

    /// Questions that change nothing.
    fn look(&mut self) -> Result<(), TestCaseError> {
        let (first, last) = (self.commits[0].clone(), "HEAD".to_owned());
        let middle = self.commits[self.commits.len() / 2].clone();
        let branch = self.branches[self.branches.len() - 1].clone();
        let mut asks = vec![
            Ask::Log(last.clone(), None),
            Ask::Log(last.clone(), Some("base".into())),
            Ask::Diff(first, last.clone()),
            Ask::Diff(last.clone(), middle.clone()),
            Ask::MergeBase(branch, last),
        ];
        let files = self.ours.worktree.files().files().into_iter();
        asks.extend(files.filter(|f| f.1 != Mode::Symlink).take(3).map(|f| Ask::Blame(f.0)));
        asks.iter().try_for_each(|ask| self.compare(ask).map(drop))
    }
}

fn check_histories(renames: bool, everyday: usize) {
    let Some(git) = tool("git") else { return };
    let cases = rounds("DRIFTLAB_HISTORIES", everyday) as u32;
    let config =
        Config { cases, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
    let history = prop::collection::vec(steps(), 1..24);
    let result = TestRunner::new(config).run(&history, |history| {
        let mut pair = Pair::new(git.clone(), renames);
        history.iter().try_for_each(|step| pair.step(step))?;
        pair.look()
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn random_histories_are_the_same_in_git() {
    check_histories(false, 20);
}

#[test]
fn random_histories_in_which_files_move_are_the_same_in_git() {
    check_histories(true, 20);
}

#[test]
fn git_finds_no_fault_with_an_exported_history() {
    let Some(git) = tool("git") else { return };
    let mut ours = Ours::new(true);
    for n in 0..5 {
        ours.edit(&Edit::Lines { path: n, at: n, out: 1, lines: vec![n as u8] });
        ours.ask(&Ask::Commit(format!("Commit {n}")));
        ours.now += 60;
    }
    ours.ask(&Ask::Branch("topic".into()));
    ours.ask(&Ask::Revert("HEAD~2".into(), None));
    ours.ask(&Ask::Tag("v1".into(), Some("One".into())));
    ours.ask(&Ask::Merge("topic".into(), FastForward::Never));
    let mut theirs = Theirs::new(git, true);
    let folder = theirs.folder.join("exported");
    disk::export(ours.repository(), &folder).unwrap();
    theirs.folder = folder;
    let (clean, said) = theirs.run(&["fsck", "--strict", "--no-progress"]);
    assert!(clean && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    let log = Ask::Log("HEAD".into(), None);
    assert_eq!(ours.ask(&log), theirs.ask(&log));
    assert_eq!(
        theirs.text(&["rev-parse", "v1"]),
        ours.repository().resolve("v1").unwrap().to_string()
    );
    theirs.folder = theirs.folder.parent().unwrap().to_owned();
}
