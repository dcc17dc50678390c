//! Which files are left out: patterns in the form of `.gitignore`.

use super::{Entry, Tree};

/// Patterns in the form of `gitignore(5)`: of those that match a path, the last decides.
///
/// They are read as the `gitignore` of go-git reads them, which is what Flux uses: a file can be taken
/// in again although its folder is left out.
///
/// ```
/// use driftlab::git::Ignore;
/// let ignore = Ignore::parse("/docs\n*.png\n!logo.png\n");
/// assert!(ignore.matches("docs/index.md", false));
/// assert!(ignore.matches("img/a.png", false) && !ignore.matches("img/logo.png", false));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pattern {
    /// The folder whose file it stands in.
    domain: Vec<String>,
    parts: Vec<String>,
    take_in: bool,
    folders_only: bool,
    anchored: bool,
}

impl Ignore {
    /// Reads patterns, a line each; blank lines and lines that begin with `#` are none.
    pub fn parse(text: &str) -> Self {
        Self::parse_in("", text)
    }

    /// The same, of a file that stands in a folder: it is about what is below that.
    pub fn parse_in(folder: &str, text: &str) -> Self {
        let domain: Vec<String> = steps(folder).map(str::to_owned).collect();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        Ignore { patterns: lines.map(|line| Pattern::parse(&domain, line)).collect() }
    }

    /// These patterns, and then others, which overrule them.
    pub fn and(mut self, later: Ignore) -> Self {
        self.patterns.extend(later.patterns);
        self
    }

    /// Whether a path is left out.
    pub fn matches(&self, path: &str, is_folder: bool) -> bool {
        let path: Vec<&str> = steps(path).collect();
        let last = self.patterns.iter().rev().find(|pattern| pattern.matches(&path, is_folder));
        last.is_some_and(|pattern| !pattern.take_in)
    }

    /// The tree without the files that are left out.
    pub fn filter(&self, tree: &Tree) -> Tree {
        let mut left = tree.clone();
        for (path, _, _) in tree.files() {
            if self.matches(&path, false) {
                left = left.without(&path);
            }
        }
        left
    }

    /// The patterns of every file of this name in a tree, those of deeper folders later.
    pub fn collect(tree: &Tree, file: &str) -> Self {
        let mut found = Ignore::default();
        collect(tree, "", file, &mut found);
        found
    }
}

fn collect(tree: &Tree, folder: &str, file: &str, found: &mut Ignore) {
    if let Some(text) = tree.text(file) {
        found.patterns.extend(Ignore::parse_in(folder, text).patterns);
    }
    for (name, entry) in tree.entries() {
        if let Entry::Folder(inner) = entry {
            collect(inner, &format!("{folder}/{name}"), file, found);
        }
    }
}

impl Pattern {
    fn parse(domain: &[String], line: &str) -> Self {
        let (take_in, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let line = if line.ends_with("\\ ") { line } else { line.trim_end_matches(' ') };
        let (folders_only, line) =
            line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        Pattern {
            domain: domain.to_vec(),
            parts: line.split('/').map(str::to_owned).collect(),
            take_in,
            folders_only,
            anchored: line.contains('/'),
        }
    }

    fn matches(&self, path: &[&str], is_folder: bool) -> bool {
        let inside = path.len() > self.domain.len()
            && self.domain.iter().zip(path).all(|(wanted, step)| wanted == step);
        inside && {
            let path = &path[self.domain.len()..];
            if self.anchored {
                self.matches_path(path, is_folder)
            } else {
                self.matches_name(path, is_folder)
            }
        }
    }

    /// A name alone matches at any depth, and with it all that is below.
    fn matches_name(&self, path: &[&str], is_folder: bool) -> bool {
        match path.iter().position(|step| glob(&self.parts[0], step)) {
            Some(at) => !(self.folders_only && !is_folder && at + 1 == path.len()),
            None => false,
        }
    }

    fn matches_path(&self, path: &[&str], is_folder: bool) -> bool {
        let parts: Vec<&str> =
            self.parts.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
        match left_after(&parts, path) {
            Some(rest) => !(self.folders_only && !is_folder && rest == 0),
            None => false,
        }
    }
}

/// How many steps of the path are left when the parts are used up; `None` when they do not match.
///
/// Keeps the set of places that the parts so far can lead to, so that no pattern takes long.
fn left_after(parts: &[&str], path: &[&str]) -> Option<usize> {
    let mut places = vec![false; path.len() + 1];
    places[0] = true;
    for (at, part) in parts.iter().enumerate() {
        let first = places.iter().position(|reached| *reached)?;
        places = match *part {
            "**" if at + 1 == parts.len() => {
                return (first < path.len()).then_some(path.len() - first);
            }
            "**" => (0..=path.len()).map(|place| place >= first).collect(),
            part => {
                let step = |place: usize| places[place - 1] && glob(part, path[place - 1]);
                (0..=path.len()).map(|place| place > 0 && step(place)).collect()
            }
        };
    }
    places.iter().position(|reached| *reached).map(|place| path.len() - place)
}

/// Whether a name matches a pattern with `*`, `?`, `[a-z]` and `\`, as Go's `filepath.Match` has it.
fn glob(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            None if n == name.len() => return true,
            Some(_) if n < name.len() => {
                if let Some(next) = one(&pattern, p, name[n]) {
                    (p, n) = (next, n + 1);
                    continue;
                }
            }
            _ => {}
        }
        match star {
            Some((after, from)) if from < name.len() => {
                star = Some((after, from + 1));
                (p, n) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one character with the piece of the pattern at a position; gives the position after it.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match pattern[at] {
        '?' => Some(at + 1),
        '[' => class(pattern, at + 1, c),
        '\\' => (*pattern.get(at + 1)? == c).then_some(at + 2),
        plain => (plain == c).then_some(at + 1),
    }
}

/// Matches one character with a class such as `a-z]` or `^0-9]`.
fn class(pattern: &[char], start: usize, c: char) -> Option<usize> {
    let negated = matches!(pattern.get(start), Some('^' | '!'));
    let (mut at, mut found) = (start + usize::from(negated), false);
    let first = at;
    loop {
        match pattern.get(at)? {
            ']' if at > first => return (found != negated).then_some(at + 1),
            low => {
                let range = pattern.get(at + 1) == Some(&'-') && pattern.get(at + 2) != Some(&']');
                let high = if range { pattern.get(at + 2)? } else { low };
                found |= (*low..=*high).contains(&c);
                at += if range { 3 } else { 1 };
            }
        }
    }
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|step| !matches!(*step, "" | "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_left_out_as_gitignore_says() {
        let check = |patterns: &str, path: &str, expected: bool| {
            let found = Ignore::parse(patterns).matches(path, false);
            assert_eq!(found, expected, "{patterns:?} {path}");
        };
        check("*.png", "a/b.png", true);
        check("*.png", "a/b.pngx", false);
        check("/a", "a/b", true);
        check("/a", "b/a", false);
        check("a/b", "a/b/c", true);
        check("a/b", "x/a/b", false);
        check("**/a", "x/y/a", true);
        check("**/a", "a", true);
        check("a/**", "a/b/c", true);
        check("a/**", "a", false);
        check("a/**/z", "a/b/c/z", true);
        check("docs/", "docs/x", true);
        check("docs/", "docs", false);
        check("a?[0-9].*", "ab7.txt", true);
        check("a?[^0-9].*", "ab7.txt", false);
        check("# a\n\n\\#x", "#x", true);
        check("*\n!keep.yaml", "x/keep.yaml", false);
        check("a*b*c", "aXbYbZc", true);
        check("[", "[", false);
    }

    #[test]
    fn a_folders_own_file_is_about_what_is_below_it() {
        let tree = Tree::from_files([
            (".sourceignore", "*.md"),
            ("a/.sourceignore", "!README.md\n/x"),
            ("a/README.md", ""),
            ("a/x", ""),
            ("x", ""),
            ("README.md", ""),
        ])
        .unwrap();
        let left = Ignore::collect(&tree, ".sourceignore").filter(&tree);
        let paths: Vec<String> = left.files().into_iter().map(|(path, ..)| path).collect();
        assert_eq!(paths, [".sourceignore", "a/.sourceignore", "a/README.md", "x"]);
    }
}
