//! The forge in a world: who pushes to it, what that sets off, and what the trace tells of it.

use std::collections::BTreeMap;

use super::agenda::Item;
use super::world::{Inner, World};
use crate::git::forge::{
    AccessError, Caller, CheckState, Forge, PullError, PullRequest, PullState, Pulled, Pushed,
    Role as ForgeRole, WebhookEvent, served,
};
use crate::git::{GitError, InvalidPath, ObjectId, RefUpdate, Repository, Signature};
use crate::time::Timestamp;
use crate::trace::{Role, What};

/// Where repositories are unless told otherwise.
pub(super) const BASE: &str = "https://git.example.com";

/// Git in a world: one forge with every repository.
impl World {
    /// The forge.
    pub fn forge(&self) -> &Forge {
        &self.inner.forge
    }

    /// Sets the forge up: rules, roles, hooks. Nothing of this is told in the trace.
    pub fn forge_mut(&mut self) -> &mut Forge {
        &mut self.inner_mut().forge
    }

    /// The repository that a URL leads to, if there is one.
    pub fn repository(&self, url: &str) -> Option<&Repository> {
        self.inner.forge.repository(url)
    }

    /// Puts a repository at a URL, in place of the one that was there. Everybody who was made known may
    /// push to it.
    pub fn add_repository(&mut self, url: &str, repository: Repository) {
        let inner = self.inner_mut();
        let name = name_in(url);
        inner.forge.host(name, repository);
        for login in &inner.people {
            inner.forge.grant(name, login, ForgeRole::Write);
        }
    }

    /// Makes somebody known to the forge, who may push to every repository without roles of its own. Who
    /// pushes with [`World::push`] is made known so.
    pub fn add_person(&mut self, login: &str) {
        let inner = self.inner_mut();
        if inner.people.insert(login.to_owned()) {
            let who = signature(login, inner.now);
            inner.forge.add_user(login, &who.name, &who.email);
            let names: Vec<String> = inner.forge.repositories().map(str::to_owned).collect();
            for name in names.into_iter().filter(|name| !inner.closed.contains(name)) {
                inner.forge.grant(&name, login, ForgeRole::Write);
            }
        }
    }

    /// Says who may do what to the repository at a URL. From then on nobody else may, not even those who
    /// are made known later.
    pub fn set_roles(&mut self, url: &str, roles: &BTreeMap<String, ForgeRole>) {
        roles.keys().for_each(|login| self.add_person(login));
        let inner = self.inner_mut();
        let name = name_in(url);
        inner.closed.insert(name.to_owned());
        for login in &inner.people {
            match roles.get(login) {
                Some(role) => inner.forge.grant(name, login, *role),
                None => inner.forge.revoke(name, login),
            }
        }
    }

    /// Does something at the forge as somebody: push a clone, open, review or merge a pull request. What
    /// moved is told in the trace and starts pipelines; the webhooks that come back are delivered.
    pub fn at_forge<T>(
        &mut self,
        actor: &str,
        act: impl FnOnce(&mut Forge, Timestamp) -> (T, Vec<WebhookEvent>),
    ) -> T {
        self.inner_mut().at_forge(actor, Role::Person, act)
    }

    /// Does something to a pull request as somebody, with all that it sets off: [`World::at_forge`].
    ///
    /// # Errors
    ///
    /// Why the forge refuses; then nothing is changed.
    pub fn at_pull(
        &mut self,
        actor: &str,
        act: impl FnOnce(&mut Forge, Timestamp) -> Result<Pulled, PullError>,
    ) -> Result<Pulled, PullError> {
        self.at_forge(actor, |forge, now| {
            let done = act(forge, now);
            let events = done.as_ref().map(|pulled| pulled.events.clone()).unwrap_or_default();
            (done, events)
        })
    }

    /// Reports a check on what a revision names, as somebody; gives the commit.
    ///
    /// # Errors
    ///
    /// As [`Forge::report_status`].
    pub fn report_status(
        &mut self,
        (actor, caller): (&str, &Caller),
        url: &str,
        revision: &str,
        (name, state): (&str, CheckState),
    ) -> Result<ObjectId, PullError> {
        let inner = self.inner_mut();
        let now = inner.now;
        let commit = inner.forge.report_status(url, caller, revision, (name, state), now)?;
        let what = What::Pipeline {
            place: place(url).to_owned(),
            stage: "check".into(),
            ok: state != CheckState::Failure,
            message: format!("{name} on {} is {}", commit.short(), state.name()),
        };
        inner.note(actor, Role::Person, what);
        Ok(commit)
    }

    /// Changes the repository at a URL as somebody, with anything that a [`Repository`] can do: commit,
    /// merge, revert, reset, tag. Branches may be rewritten, as with `git push --force`.
    ///
    /// # Errors
    ///
    /// When there is no repository at the URL, the change itself fails, or the forge refuses it: then
    /// nothing is changed.
    pub fn push<T>(
        &mut self,
        actor: &str,
        url: &str,
        change: impl FnOnce(&mut Repository) -> Result<T, PushError>,
    ) -> Result<T, PushError> {
        self.add_person(actor);
        self.inner_mut().push(actor, Role::Person, url, change)
    }

    /// Takes a push in as it comes from a client of Git's protocol: each reference from what it was to
    /// what it is to be, with the objects of a repository. With `atomic` it is all of them or none.
    ///
    /// # Errors
    ///
    /// When the caller may not push at all. What is refused for a single reference is in the result.
    pub fn receive_push(
        &mut self,
        (actor, caller): (&str, &Caller),
        url: &str,
        from: &Repository,
        updates: Vec<RefUpdate>,
        atomic: bool,
    ) -> Result<Pushed, AccessError> {
        self.at_forge(actor, |forge, now| {
            let before = forge.clone();
            let pushed = forge.update_references(url, caller, from, updates, now);
            let pushed = pushed.map(|pushed| match atomic && !pushed.is_ok() {
                true => {
                    *forge = before;
                    pushed.undone()
                }
                false => pushed,
            });
            let events = pushed.as_ref().map(|pushed| pushed.events.clone()).unwrap_or_default();
            (pushed, events)
        })
    }

    /// Commits files (`None` removes one) on top of the branch that HEAD is on, as somebody.
    ///
    /// # Errors
    ///
    /// As [`World::push`], and when a path leads out of the tree.
    pub fn commit(
        &mut self,
        actor: &str,
        url: &str,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> Result<ObjectId, PushError> {
        let who = signature(actor, self.inner.now);
        self.push(actor, url, |repository| {
            let start = repository.head_id().map(|_| repository.tree("HEAD")).transpose()?;
            let mut tree = start.unwrap_or_default();
            for (path, content) in files {
                tree = match content {
                    Some(content) => tree.with_file(path, *content)?,
                    None => tree.without(path),
                };
            }
            Ok(repository.commit(tree, message, who.clone(), who))
        })
    }
}

/// Why a push came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// There is no repository at the URL.
    #[error("there is no repository at {0:?}")]
    NoRepository(String),
    /// Git refuses.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A path leads out of the tree.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// The pusher may not.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A rule of the forge forbids it: what `git push` prints.
    #[error("{0}")]
    Refused(String),
}

/// How somebody signs a commit: name, and an address made of it.
pub fn signature(actor: &str, now: Timestamp) -> Signature {
    let address: String =
        actor.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    Signature::new(actor, &format!("{}@example.com", address.to_lowercase()), now)
}

impl Inner {
    pub(super) fn push<T>(
        &mut self,
        actor: &str,
        role: Role,
        url: &str,
        change: impl FnOnce(&mut Repository) -> Result<T, PushError>,
    ) -> Result<T, PushError> {
        let found = self.forge.repository(url).cloned();
        let before = found.ok_or_else(|| PushError::NoRepository(url.into()))?;
        let mut after = before.clone();
        let made = change(&mut after)?;
        let updates = updates(&before, &after);
        let caller = Caller::User(actor.into());
        let pushed = self.at_forge(actor, role, |forge, now| {
            let pushed = forge.update_references(url, &caller, &after, updates, now);
            let events = pushed.as_ref().map(|pushed| pushed.events.clone()).unwrap_or_default();
            (pushed, events)
        })?;
        if pushed.is_ok() { Ok(made) } else { Err(PushError::Refused(pushed.to_string())) }
    }

    pub(super) fn at_forge<T>(
        &mut self,
        actor: &str,
        role: Role,
        act: impl FnOnce(&mut Forge, Timestamp) -> (T, Vec<WebhookEvent>),
    ) -> T {
        let before = self.forge.clone();
        let (made, webhooks) = act(&mut self.forge, self.now);
        let names: Vec<String> = self.forge.repositories().map(str::to_owned).collect();
        for name in names {
            self.follow(actor, role, &name, &before);
        }
        let at = self.now + self.latency.webhook.least;
        for webhook in webhooks {
            self.agenda.put(at, Item::Webhook(webhook));
        }
        made
    }

    /// Tells what moved in a repository, and starts what that starts.
    fn follow(&mut self, actor: &str, role: Role, name: &str, before: &Forge) {
        let after = self.forge.clone();
        let Some(repository) = after.repository(name) else { return };
        let empty = Repository::new();
        for update in updates(before.repository(name).unwrap_or(&empty), repository) {
            if !update.name.starts_with("refs/pull/") {
                self.note(actor, role, told(name, &update, repository));
            }
            if let Some(to) = update.new {
                self.trigger(name, &update.name, to);
            }
        }
        let pulls: BTreeMap<u64, &PullRequest> =
            before.pulls(name).map(|pull| (pull.number, pull)).collect();
        for pull in after.pulls(name) {
            for (stage, message) in news_of(pull, pulls.get(&pull.number).copied()) {
                let place = place(name).to_owned();
                self.note(actor, role, What::Pipeline { place, stage, ok: true, message });
            }
        }
    }
}

/// What has to be updated to make one repository the other.
fn updates(before: &Repository, after: &Repository) -> Vec<RefUpdate> {
    let update = |name: &str, old: Option<ObjectId>, new: Option<ObjectId>| RefUpdate {
        name: name.into(),
        old,
        new,
        force: true,
    };
    let moved = after.references().filter_map(|(name, to)| {
        let from = before.reference(name);
        (from != Some(to)).then(|| update(name, from, Some(to)))
    });
    let gone = before.references().filter(|(name, _)| after.reference(name).is_none());
    moved.chain(gone.map(|(name, from)| update(name, Some(from), None))).collect()
}

fn told(name: &str, update: &RefUpdate, after: &Repository) -> What {
    let commit = update.new.and_then(|id| after.find_commit(id).ok());
    let rewritten = |(from, to)| !after.is_ancestor(from, to);
    let text = |id: Option<ObjectId>| id.map(|id| id.to_string()).unwrap_or_default();
    What::RefMoved {
        repository: place(name).into(),
        reference: update.name.splitn(3, '/').nth(2).unwrap_or(&update.name).into(),
        from: text(update.old),
        to: text(update.new),
        subject: commit.map(|commit| commit.subject().to_owned()).unwrap_or_default(),
        forced: update.name.starts_with("refs/heads/")
            && update.old.zip(update.new).is_some_and(rewritten),
    }
}

/// What happened to a pull request: the stage, and the sentence for a person.
fn news_of(pull: &PullRequest, before: Option<&PullRequest>) -> Vec<(String, String)> {
    let mut news = Vec::new();
    let number = pull.number;
    if before.is_none() {
        news.push(("pull request".into(), format!("#{number} {}", pull.title)));
    }
    for review in &pull.reviews[before.map_or(0, |before| before.reviews.len())..] {
        let verdict = match review.verdict {
            crate::git::forge::Verdict::Approve => "approved",
            crate::git::forge::Verdict::RequestChanges => "requested changes to",
            crate::git::forge::Verdict::Comment => "commented on",
        };
        news.push(("review".into(), format!("{} {verdict} #{number}", review.author)));
    }
    if before.is_none_or(|before| before.state != pull.state) {
        match &pull.state {
            PullState::Open => {}
            PullState::Closed => news.push(("close".into(), format!("#{number} {}", pull.title))),
            PullState::Merged { .. } => {
                news.push(("merge".into(), format!("#{number} {}", pull.title)));
            }
        }
    }
    news
}

/// The name under which the forge hosts what a URL leads to.
pub(super) fn name_in(url: &str) -> &str {
    let rest = url.trim_end_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest);
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    let rest = match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => rest,
    };
    let host = BASE.trim_start_matches("https://");
    let path = || rest.strip_prefix(host).map_or(rest, |path| path.trim_start_matches([':', '/']));
    served(rest).unwrap_or_else(path)
}

/// The last part of a URL or name: what people call the repository.
pub(super) fn place(url: &str) -> &str {
    name_in(url).rsplit(['/', ':']).next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_the_name_under_which_it_is_hosted() {
        let mut forge = Forge::new(BASE);
        for url in [
            "https://git.example.com/config",
            "https://git.example.com/acme/config.git",
            "ssh://git@github.com/acme/app.git",
            "git@gitlab.com:acme/app.git",
            "app",
            "http://127.0.0.1:8080/git/acme/app.git",
            "http://ada:secret@localhost:8080/git/config",
            "https://[::1]:8443/git/config.git/",
        ] {
            forge.host(name_in(url), Repository::new());
            assert!(forge.repository(url).is_some(), "{url}: {}", name_in(url));
        }
        assert_eq!(place("https://git.example.com/acme/config.git"), "config");
        assert_eq!(name_in("http://127.0.0.1:1/git/app.git"), "app");
        assert_eq!(name_in("http://127.0.0.1:1/app.git"), "127.0.0.1:1/app");
    }
}
