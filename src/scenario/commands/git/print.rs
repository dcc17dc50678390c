//! What Git prints: summaries of changes, dates, commits.

use crate::git::{
    ChangeKind, Commit, DiffFormat, Entry, ObjectId, Repository, Signature, SigningKey, Tag, Tree,
    TreeChange, diff, named_key, unified_diff,
};
use crate::time::Timestamp;

/// Lines added and removed by one change.
struct Counted {
    added: usize,
    removed: usize,
}

fn count(change: &TreeChange) -> Counted {
    let text = unified_diff(std::slice::from_ref(change), DiffFormat::default());
    let text = String::from_utf8_lossy(&text);
    let body = text.lines().skip_while(|line| !line.starts_with("@@"));
    let mut counted = Counted { added: 0, removed: 0 };
    for line in body {
        counted.added += usize::from(line.starts_with('+'));
        counted.removed += usize::from(line.starts_with('-'));
    }
    counted
}

/// ` 1 file changed, 1 insertion(+), 1 deletion(-)`; empty when nothing changed.
pub(super) fn short_stat(changes: &[TreeChange]) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let counts: Vec<Counted> = changes.iter().map(count).collect();
    let added: usize = counts.iter().map(|c| c.added).sum();
    let removed: usize = counts.iter().map(|c| c.removed).sum();
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let mut line = format!(" {} file{} changed", changes.len(), s(changes.len()));
    if added > 0 || removed == 0 {
        line += &format!(", {added} insertion{}(+)", s(added));
    }
    if removed > 0 || added == 0 {
        line += &format!(", {removed} deletion{}(-)", s(removed));
    }
    line + "\n"
}

/// ` create mode 100644 a` and the like.
pub(super) fn modes(changes: &[TreeChange]) -> String {
    let line = |change: &TreeChange| {
        let mode = |entry: &Option<Entry>| entry.as_ref().map_or("", Entry::mode);
        match change.kind() {
            ChangeKind::Added => format!(" create mode {} {}\n", mode(&change.new), change.path),
            ChangeKind::Deleted => format!(" delete mode {} {}\n", mode(&change.old), change.path),
            _ => String::new(),
        }
    };
    changes.iter().map(line).collect()
}

/// ` hello.yaml | 2 +-`, a line a file, and the sum.
pub(super) fn stat(changes: &[TreeChange]) -> String {
    const BAR: usize = 40;
    let path = changes.iter().map(|change| change.path.chars().count()).max().unwrap_or(0);
    let counts: Vec<Counted> = changes.iter().map(count).collect();
    let most = counts.iter().map(|c| c.added + c.removed).max().unwrap_or(0);
    let digits = most.to_string().len();
    let scale = |n: usize| if most > BAR { (n * BAR).div_ceil(most) } else { n };
    let line = |(change, counted): (&TreeChange, &Counted)| {
        let bar = "+".repeat(scale(counted.added)) + &"-".repeat(scale(counted.removed));
        let total = counted.added + counted.removed;
        let line = format!(" {:<path$} | {total:>digits$} {bar}", change.path);
        line.trim_end().to_owned() + "\n"
    };
    changes.iter().zip(&counts).map(line).collect::<String>() + &short_stat(changes)
}

/// A diff as text.
pub(super) fn patch(changes: &[TreeChange]) -> String {
    String::from_utf8_lossy(&unified_diff(changes, DiffFormat::default())).into_owned()
}

/// What a commit changed against its first parent.
pub(super) fn changes_of(repository: &Repository, commit: &Commit) -> Vec<TreeChange> {
    let parent = commit.parents.first().and_then(|id| repository.find_commit(*id).ok());
    let before = parent.map(|parent| parent.tree.clone()).unwrap_or_default();
    diff(&before, &commit.tree)
}

/// `[main 3f2a1c9] Subject` and what changed, as `git commit` ends.
pub(super) fn committed(repository: &Repository, id: ObjectId, dated: bool) -> String {
    let Ok(commit) = repository.find_commit(id) else { return String::new() };
    let root = if commit.parents.is_empty() { " (root-commit)" } else { "" };
    let branch = repository.current_branch().unwrap_or("detached HEAD");
    let changes = changes_of(repository, commit);
    let date = if dated { format!(" Date: {}\n", date(&commit.author)) } else { String::new() };
    format!(
        "[{branch}{root} {}] {}\n{date}{}{}",
        id.short(),
        commit.subject(),
        short_stat(&changes),
        modes(&changes)
    )
}

/// A commit as `git log` shows it, with what there is to say of its signature if that is asked for.
pub(super) fn long(
    repository: &Repository,
    id: ObjectId,
    commit: &Commit,
    show_signature: bool,
) -> String {
    let mut text = format!("commit {id}{}\n", decoration(repository, id));
    if let Some(Ok(verdict) | Err(verdict)) = signature(commit).filter(|_| show_signature) {
        text += &format!("{verdict}\n");
    }
    if commit.parents.len() > 1 {
        let parents: Vec<String> = commit.parents.iter().map(|id| id.short()).collect();
        text += &format!("Merge: {}\n", parents.join(" "));
    }
    text += &format!("Author: {}\nDate:   {}\n\n", commit.author.person(), date(&commit.author));
    let indented = |line: &str| if line.is_empty() { "\n".into() } else { format!("    {line}\n") };
    text + &commit.message.trim_end().lines().map(indented).collect::<String>()
}

/// What there is to say of a commit's signature; `None` when it has none.
pub(super) fn signature(commit: &Commit) -> Option<Result<String, String>> {
    Some(judged(&commit.committer, &commit.payload(), commit.signature()?))
}

/// The same of a tag.
pub(super) fn tag_signature(tag: &Tag) -> Option<Result<String, String>> {
    let nobody = Signature::new("", "", Timestamp::default());
    let tagger = tag.tagger.as_ref().unwrap_or(&nobody);
    Some(judged(tagger, &tag.payload(), tag.signature()?))
}

/// Only the stand-ins of the people here are known; a signature that came from elsewhere cannot be checked.
fn judged(who: &Signature, payload: &[u8], signature: &str) -> Result<String, String> {
    let key = SigningKey::of(&who.email);
    let (mail, fingerprint) = (&who.email, key.fingerprint());
    match named_key(signature) {
        _ if key.has_signed(payload, signature) => {
            Ok(format!("Good \"git\" signature for {mail} with ED25519 key {fingerprint}"))
        }
        Some(named) if named == fingerprint => {
            Err(format!("Could not verify signature: it is by {mail}, of something else"))
        }
        Some(named) => Err(format!("Can't check signature: no public key for {named}")),
        None => Err("Could not verify signature: it cannot be read".into()),
    }
}

/// `3f2a1c9 (HEAD -> main, tag: v1) Subject`.
pub(super) fn one_line(repository: &Repository, id: ObjectId, commit: &Commit) -> String {
    format!("{}{} {}\n", id.short(), decoration(repository, id), commit.subject())
}

/// The references at a commit, as a terminal shows them.
fn decoration(repository: &Repository, id: ObjectId) -> String {
    let mut names = Vec::new();
    let current = repository.current_branch();
    if repository.head_id() == Some(id) {
        names.push(current.map_or("HEAD".to_owned(), |branch| format!("HEAD -> {branch}")));
    }
    for (tag, at) in repository.tags() {
        let target = repository.find_tag(at).map_or(at, |tag| tag.target);
        names.extend((target == id).then(|| format!("tag: {tag}")));
    }
    for (name, at) in repository.references() {
        let short = name.strip_prefix("refs/remotes/").or(name.strip_prefix("refs/heads/"));
        let other = short.filter(|short| at == id && Some(*short) != current);
        names.extend(other.map(str::to_owned));
    }
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// `Thu Jan 1 00:00:00 2026 +0000`.
pub(super) fn date(who: &Signature) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = who.when.to_string();
    let part = |from: usize, to: usize| &text[from..to];
    let number = |from: usize, to: usize| part(from, to).parse::<usize>().unwrap_or(1);
    let weekday = DAYS[(who.when.as_secs() / 86_400 % 7) as usize];
    let month = MONTHS[number(5, 7) - 1];
    format!("{weekday} {month} {} {} {} +0000", number(8, 10), part(11, 19), part(0, 4))
}

/// The lines of `git status` about one set of changes.
pub(super) fn changed_paths(changes: &[TreeChange]) -> String {
    let word = |change: &TreeChange| match change.kind() {
        ChangeKind::Added => "new file:   ",
        ChangeKind::Deleted => "deleted:    ",
        ChangeKind::Modified => "modified:   ",
        ChangeKind::TypeChanged => "typechange: ",
    };
    changes.iter().map(|change| format!("\t{}{}\n", word(change), change.path)).collect()
}

/// Where the files of a tree are text, with their folders.
pub(super) fn exists(tree: &Tree, path: &str) -> bool {
    tree.get(path).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_git_log_writes_them() {
        let at = |text: &str| date(&Signature::new("A", "a@b", text.parse::<Timestamp>().unwrap()));
        assert_eq!(at("2026-01-01T00:00:00Z"), "Thu Jan 1 00:00:00 2026 +0000");
        assert_eq!(at("2026-11-23T20:39:09Z"), "Mon Nov 23 20:39:09 2026 +0000");
    }

    #[test]
    fn changes_are_summed_up_as_git_does() {
        let tree = |files: &[(&str, &str)]| Tree::from_files(files.iter().copied()).unwrap();
        let check = |old: &Tree, new: &Tree, expected: &str| {
            assert_eq!(short_stat(&diff(old, new)), expected);
        };
        let (one, two) = (tree(&[("f", "1\n")]), tree(&[("f", "2\n")]));
        check(&one, &two, " 1 file changed, 1 insertion(+), 1 deletion(-)\n");
        check(&Tree::default(), &one, " 1 file changed, 1 insertion(+)\n");
        check(&one, &Tree::default(), " 1 file changed, 1 deletion(-)\n");
        check(&one, &one, "");
        let both = tree(&[("f", "2\n"), ("g.yaml", "a\nb\n")]);
        let expected =
            " f      | 2 +-\n g.yaml | 2 ++\n 2 files changed, 3 insertions(+), 1 deletion(-)\n";
        assert_eq!(stat(&diff(&one, &both)), expected);
    }
}
