//! What differs between two trees, path by path.

use super::{Entry, Tree};

/// One path at which two trees differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TreeChange {
    /// The path of a file, link or submodule.
    pub path: String,
    /// What stood there; never a folder.
    pub old: Option<Entry>,
    /// What stands there; never a folder.
    pub new: Option<Entry>,
}

/// How a path changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// `A`
    Added,
    /// `D`
    Deleted,
    /// `M`: another content or mode.
    Modified,
    /// `T`: a file became a link, or the like.
    TypeChanged,
}

impl TreeChange {
    /// How the path changed.
    pub fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Deleted,
            (Some(old), Some(new)) if old.mode()[..2] == new.mode()[..2] => ChangeKind::Modified,
            _ => ChangeKind::TypeChanged,
        }
    }
}

impl ChangeKind {
    /// The letter of `git diff --name-status`.
    pub fn letter(self) -> char {
        match self {
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
            ChangeKind::Modified => 'M',
            ChangeKind::TypeChanged => 'T',
        }
    }
}

/// The paths at which two trees differ, in byte order. What both share is not visited.
///
/// ```
/// use driftlab::git::{Tree, diff};
/// let old = Tree::from_files([("a", "1"), ("b/c", "2")])?;
/// let new = old.with_file("b/c", "3")?;
/// let changes = diff(&old, &new);
/// assert_eq!((changes.len(), changes[0].path.as_str()), (1, "b/c"));
/// # Ok::<(), driftlab::git::InvalidPath>(())
/// ```
pub fn diff(old: &Tree, new: &Tree) -> Vec<TreeChange> {
    let mut changes = Vec::new();
    compare("", old, new, &mut changes);
    changes.sort_by(|a: &TreeChange, b| a.path.cmp(&b.path));
    changes
}

fn compare(prefix: &str, old: &Tree, new: &Tree, changes: &mut Vec<TreeChange>) {
    if old.is_same(new) {
        return;
    }
    let (mut olds, mut news) = (old.keys().peekable(), new.keys().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
        };
        let old = if order.is_le() { olds.next() } else { None };
        let new = if order.is_ge() { news.next() } else { None };
        let key = old.or(new).map_or("", |(key, _)| key);
        compare_entries(&format!("{prefix}{key}"), old.map(|o| o.1), new.map(|n| n.1), changes);
    }
}

/// The path of folders ends in a slash here.
fn compare_entries(
    path: &str,
    old: Option<&Entry>,
    new: Option<&Entry>,
    changes: &mut Vec<TreeChange>,
) {
    let none = Tree::default();
    match (old, new) {
        (Some(Entry::Folder(old)), Some(Entry::Folder(new))) => compare(path, old, new, changes),
        (Some(Entry::Folder(old)), _) => compare(path, old, &none, changes),
        (_, Some(Entry::Folder(new))) => compare(path, &none, new, changes),
        (old, new) if old == new => {}
        (old, new) => {
            changes.push(TreeChange { path: path.into(), old: old.cloned(), new: new.cloned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Mode;

    fn summary(old: &Tree, new: &Tree) -> String {
        let line = |c: TreeChange| format!("{}{}", c.kind().letter(), c.path);
        diff(old, new).into_iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn changes_come_by_path_with_their_letter() {
        let old = Tree::from_files([("a", "1"), ("d/x", "1"), ("d/y", "1"), ("z", "1")]).unwrap();
        let new = old.without("a").with_file("d/x", "2").unwrap();
        let new = new.with_file("z/in", "1").unwrap();
        let new = new.with("d/y", Entry::File(Mode::Symlink, "1".into())).unwrap();
        assert_eq!(summary(&old, &new), "Da Md/x Td/y Dz Az/in");
        assert_eq!(summary(&new, &old), "Aa Md/x Td/y Az Dz/in");
        assert_eq!(summary(&old, &old), "");
    }
}
