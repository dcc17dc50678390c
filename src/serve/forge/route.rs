//! What a path of the API names.

use crate::serve::caller::unescaped;

/// Where the API is.
pub(in crate::serve) const PREFIX: &str = "/api/v3/";

/// One thing that the API knows, below `repos/NAME` for all but the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    User,
    Repository,
    Pulls,
    Pull(u64),
    Reviews(u64),
    Merge(u64),
    /// The revision whose checks are asked for.
    Checks(String),
    /// The revision of which a check is reported.
    Report(String),
    Branch(String),
}

/// The repository, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) thing: Thing,
}

impl Route {
    /// What a path names, if anything. A name may have any number of parts, so a path is read from its end.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix(PREFIX)?;
        if path == "user" {
            return Some(Route { name: String::new(), thing: Thing::User });
        }
        let parts: Vec<String> = path.strip_prefix("repos/")?.split('/').map(unescaped).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (name, thing) = thing(&parts)?;
        let is_name = !name.is_empty() && !name.contains(&"");
        is_name.then(|| Route { name: name.join("/"), thing })
    }
}

fn thing<'p>(parts: &'p [&'p str]) -> Option<(&'p [&'p str], Thing)> {
    let numbered = |number: &str, thing: fn(u64) -> Thing| number.parse().ok().map(thing);
    let branch = |window: &[&str]| window == ["git", "refs", "heads"];
    Some(match parts {
        [name @ .., "pulls"] => (name, Thing::Pulls),
        [name @ .., "pulls", number] => (name, numbered(number, Thing::Pull)?),
        [name @ .., "pulls", number, "reviews"] => (name, numbered(number, Thing::Reviews)?),
        [name @ .., "pulls", number, "merge"] => (name, numbered(number, Thing::Merge)?),
        [name @ .., "statuses", revision] => (name, Thing::Report((*revision).into())),
        [name @ .., "commits", revision, "status"] => (name, Thing::Checks((*revision).into())),
        parts => match parts.windows(3).position(branch) {
            Some(at) => (&parts[..at], Thing::Branch(parts[at + 3..].join("/"))),
            None => (parts, Thing::Repository),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_its_end() {
        let check = |path: &str, expected: Option<(&str, Thing)>| {
            let expected = expected.map(|(name, thing)| Route { name: name.into(), thing });
            assert_eq!(Route::of(&format!("/api/v3/{path}")), expected, "{path}");
        };
        check("user", Some(("", Thing::User)));
        check("repos/config", Some(("config", Thing::Repository)));
        check("repos/acme/config", Some(("acme/config", Thing::Repository)));
        check("repos/acme/pulls/pulls", Some(("acme/pulls", Thing::Pulls)));
        check("repos/config/pulls/7", Some(("config", Thing::Pull(7))));
        check("repos/a/b/c/pulls/7/reviews", Some(("a/b/c", Thing::Reviews(7))));
        check("repos/config/pulls/7/merge", Some(("config", Thing::Merge(7))));
        check("repos/config/statuses/five", Some(("config", Thing::Report("five".into()))));
        let checks = Thing::Checks("fix/1".into());
        check("repos/a/b/commits/fix%2F1/status", Some(("a/b", checks)));
        let branch = Thing::Branch("fix/\u{fc}".into());
        check("repos/config/git/refs/heads/fix/%C3%BC", Some(("config", branch)));
        for none in ["", "repos", "repos/", "repos//pulls", "repos/pulls", "repos/x/pulls/-1"] {
            check(none, None);
        }
        check("repos/x/pulls/99999999999999999999", None);
    }
}
