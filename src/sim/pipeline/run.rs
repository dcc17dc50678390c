//! Runs of pipelines: each stage at its time, and the end at the first that fails.

use std::sync::Arc;

use super::tag::set_tag;
use super::{Delivery, Grant, Pipeline, run_tests};
use crate::api::{ApiRequest, FetchRequest, GitReference, Request, Response, Status, WriteOptions};
use crate::git::forge::CheckState;
use crate::git::{Blob, Entry, ObjectId, Tree};
use crate::manifest;
use crate::object::Object;
use crate::sim::actor::Fate;
use crate::sim::agenda::Item;
use crate::sim::choice::Choice;
use crate::sim::forge::{name_in, place, signature};
use crate::sim::strike::Verdict;
use crate::sim::world::{Author, Inner, World};
use crate::time::Duration;
use crate::trace::{Role, What};

/// One run of a pipeline, for one commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// What runs.
    pub pipeline: Arc<Pipeline>,
    /// For which commit of the application.
    pub commit: ObjectId,
    /// Of which branch.
    pub branch: String,
    /// How far it is.
    pub stage: Stage,
    /// What is still to be applied, the next one last.
    left: Vec<Object>,
    fate: Option<Fate>,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The commit is checked out.
    Checkout,
    /// The image is built.
    Build,
    /// The tests run.
    Test,
    /// The image is pushed.
    Push,
    /// What was built is delivered.
    Deliver,
    /// All went well.
    Passed,
    /// It ended early, and why.
    Failed(String),
}

/// There is no pipeline, or no commit, of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoPipeline(String);

/// Between two requests of a runner's `kubectl`.
const KUBECTL: Duration = Duration::from_millis(200);

impl World {
    /// Adds a pipeline, and grants it the credentials that it needs.
    pub fn add_pipeline(&mut self, pipeline: Pipeline) {
        for grant in pipeline.needs() {
            self.grant(&pipeline.name, grant);
        }
        self.inner_mut().pipelines.push(Arc::new(pipeline));
    }

    /// The pipelines.
    pub fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        self.inner.pipelines.iter().map(|pipeline| &**pipeline)
    }

    /// The runs so far, in the order they began.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.inner.runs.iter()
    }

    /// Runs a pipeline once more for a commit, or any revision, of its repository: how one rolls back
    /// where a pipeline deploys.
    ///
    /// # Errors
    ///
    /// When there is no such pipeline or revision.
    pub fn rerun(&mut self, pipeline: &str, revision: &str) -> Result<(), NoPipeline> {
        let found = self.inner.pipelines.iter().find(|p| p.name == pipeline).cloned();
        let found =
            found.ok_or_else(|| NoPipeline(format!("there is no pipeline {pipeline:?}")))?;
        let repository = self.repository(&found.repository);
        let commit = repository
            .and_then(|repository| repository.resolve_commit(revision).ok())
            .ok_or_else(|| NoPipeline(format!("{} has no {revision:?}", found.repository)))?;
        let branch = found.branch.clone();
        self.inner_mut().begin_run(found, &branch, commit);
        Ok(())
    }
}

impl Inner {
    /// Starts the pipelines of a repository whose branch moved.
    pub(in crate::sim) fn trigger(&mut self, url: &str, reference: &str, to: ObjectId) {
        let Some(branch) = reference.strip_prefix("refs/heads/") else { return };
        let moved = |p: &&Arc<Pipeline>| {
            name_in(&p.repository) == name_in(url) && (p.checks || branch == p.branch)
        };
        let triggered: Vec<_> = self.pipelines.iter().filter(moved).cloned().collect();
        triggered.into_iter().for_each(|pipeline| self.begin_run(pipeline, branch, to));
    }

    fn begin_run(&mut self, pipeline: Arc<Pipeline>, branch: &str, commit: ObjectId) {
        let (branch, stage) = (branch.to_owned(), Stage::Checkout);
        let run = Run { pipeline, commit, branch, stage, left: Vec::new(), fate: None };
        self.report(&run, CheckState::Pending);
        self.runs.push_back_mut(run);
        let at = self.now + self.latency.webhook.least;
        self.agenda.put(at, Item::Run(self.runs.len() - 1));
    }

    /// A stage of a run is over.
    pub(in crate::sim) fn advance_run(&mut self, index: usize, choice: &mut dyn Choice) {
        let mut run = self.runs[index].clone();
        let wait = match self.run_stage(&mut run, choice) {
            Ok(wait) => wait,
            Err(Stop::Later(by)) => Some(by),
            Err(Stop::Failed(why)) => {
                self.tell_run(&run, false, &why);
                if matches!(run.stage, Stage::Checkout | Stage::Build | Stage::Test) {
                    self.report(&run, CheckState::Failure);
                }
                run.stage = Stage::Failed(why);
                None
            }
        };
        self.runs.set_mut(index, run);
        if let Some(wait) = wait {
            self.agenda.put(self.now + wait, Item::Run(index));
        }
    }

    /// Ends the stage that a run is at and begins the next; gives how long that takes.
    fn run_stage(
        &mut self,
        run: &mut Run,
        choice: &mut dyn Choice,
    ) -> Result<Option<Duration>, Stop> {
        let pipeline = run.pipeline.clone();
        match run.stage {
            Stage::Checkout => {
                self.must_reach(run, fetch(&pipeline.repository), choice)?;
                self.source(run)?;
                Ok(run.go_to(Stage::Build, pipeline.build))
            }
            Stage::Build => {
                build(&self.source(run)?)?;
                self.tell_run(run, true, &format!("{}:{}", pipeline.image, run.tag()));
                Ok(run.go_to(Stage::Test, pipeline.test))
            }
            Stage::Test => {
                let passed = run_tests(&self.source(run)?)?;
                self.tell_run(run, true, &format!("{passed} passed"));
                self.report(run, CheckState::Success);
                if run.branch != pipeline.branch {
                    run.stage = Stage::Passed;
                    return Ok(None);
                }
                Ok(run.go_to(Stage::Push, pipeline.push))
            }
            Stage::Push => {
                self.push_image(run, choice)?;
                Ok(run.go_to(Stage::Deliver, KUBECTL))
            }
            Stage::Deliver => self.deliver(run, choice),
            Stage::Passed | Stage::Failed(_) => Ok(None),
        }
    }

    /// Reports to the forge, if the pipeline does.
    fn report(&mut self, run: &Run, state: CheckState) {
        let Pipeline { checks, repository, name, .. } = &*run.pipeline;
        if *checks {
            // A repository that is gone has nobody who waits for it.
            let _gone = self.forge.report_check(repository, run.commit, name, state);
        }
    }

    fn push_image(&mut self, run: &mut Run, choice: &mut dyn Choice) -> Result<(), Stop> {
        let name = format!("{}:{}", run.pipeline.image, run.tag());
        self.must_reach(run, Request::Pull { image: name.clone() }, choice)?;
        self.must_hold(run, &Grant::Images(run.pipeline.image.clone()))?;
        let pushed = self.registry.push(&name, &run.commit.to_string(), self.now);
        let digest = pushed.map_err(|error| Stop::Failed(error.to_string()))?;
        self.tell_run(run, true, &format!("{name}@{}", &digest[..digest.len().min(19)]));
        Ok(())
    }

    fn deliver(
        &mut self,
        run: &mut Run,
        choice: &mut dyn Choice,
    ) -> Result<Option<Duration>, Stop> {
        let pipeline = run.pipeline.clone();
        match &pipeline.delivery {
            Delivery::None => run.stage = Stage::Passed,
            Delivery::Commit { repository, folder } => {
                self.must_reach(run, fetch(repository), choice)?;
                self.must_hold(run, &Grant::Repository(repository.clone()))?;
                self.commit_tag(run, repository, folder)?;
                run.stage = Stage::Passed;
            }
            Delivery::Apply { folder, caller } => {
                self.must_hold(run, &Grant::Cluster(caller.clone()))?;
                if run.left.is_empty() {
                    run.left = self.manifests(run, folder)?;
                }
                return self.apply_next(run, choice);
            }
        }
        Ok(None)
    }

    /// Commits the tag to the configuration repository, on top of what is there now.
    fn commit_tag(&mut self, run: &Run, url: &str, folder: &str) -> Result<(), Stop> {
        let (name, image, tag) = (&run.pipeline.name, &run.pipeline.image, run.tag());
        let who = signature(name, self.now);
        let pushed = self.push(name, Role::Pipeline, url, |repository| {
            let Some(tree) = set_tag(&repository.tree("HEAD")?, folder, image, &tag) else {
                return Ok(false);
            };
            repository.commit(tree, &format!("Release {image}:{tag}"), who.clone(), who);
            Ok(true)
        });
        match pushed {
            Ok(true) => {}
            Ok(false) => self.tell(run, "commit", true, &format!("{image}:{tag} is there already")),
            Err(error) => return Err(Stop::Failed(error.to_string())),
        }
        Ok(())
    }

    /// The manifests to apply, the first one last.
    fn manifests(&self, run: &Run, folder: &str) -> Result<Vec<Object>, Stop> {
        let source = self.source(run)?;
        let tagged = set_tag(&source, folder, &run.pipeline.image, &run.tag()).unwrap_or(source);
        let tree = tagged
            .folder(folder)
            .ok_or_else(|| Stop::Failed(format!("error: the path {folder:?} does not exist")))?;
        let mut objects = Vec::new();
        for (path, blob) in manifests_in(&tree) {
            let text = blob.as_text().ok_or_else(|| Stop::Failed(format!("{path}: not UTF-8")))?;
            let read = manifest::objects(path, text);
            objects.extend(read.map_err(|error| Stop::Failed(error.to_string()))?);
        }
        objects.reverse();
        Ok(objects)
    }

    /// Applies the next manifest: `kubectl` makes one request after the other, and stops at the first
    /// that is refused.
    fn apply_next(
        &mut self,
        run: &mut Run,
        choice: &mut dyn Choice,
    ) -> Result<Option<Duration>, Stop> {
        let Delivery::Apply { caller, .. } = &run.pipeline.clone().delivery else {
            return Ok(None);
        };
        let Some(object) = run.left.last().cloned() else {
            run.stage = Stage::Passed;
            return Ok(None);
        };
        let options = WriteOptions { force: true, ..WriteOptions::default() };
        let request = ApiRequest::apply(&object, options);
        let lost = self.reach(run, request.clone().into(), choice)?;
        let revision = format!("{}@sha1:{}", run.branch, run.commit);
        let who = Author { actor: &run.pipeline.name, role: Role::Pipeline, revision: &revision };
        let answer = self.write(&who, caller, request, choice);
        if let Some(lost) = lost {
            return Err(lost);
        }
        answer
            .map_err(|status: Status| Stop::Failed(format!("{}: {status}", object.reference())))?;
        run.left.pop();
        if run.left.is_empty() {
            self.tell_run(run, true, "applied");
            run.stage = Stage::Passed;
            return Ok(None);
        }
        Ok(Some(KUBECTL))
    }

    /// Reaches out, unless a fault stands in the way. `Some` when what is asked is done, but the run
    /// ends all the same.
    fn reach(
        &mut self,
        run: &mut Run,
        request: Request,
        choice: &mut dyn Choice,
    ) -> Result<Option<Stop>, Stop> {
        let fate = run.fate.take();
        match self.judge(&run.pipeline.name, fate, &request, choice) {
            Verdict::Pass => Ok(None),
            Verdict::Refused(response) => Err(Stop::Failed(refusal_in(&response))),
            Verdict::Lost(response) => Ok(Some(Stop::Failed(refusal_in(&response)))),
            Verdict::Later(by, fate) => {
                run.fate = Some(fate);
                Err(Stop::Later(by))
            }
            Verdict::Crash { after_request: true, .. } => Ok(Some(Stop::lost_runner())),
            Verdict::Crash { after_request: false, .. } => Err(Stop::lost_runner()),
        }
    }

    fn must_reach(
        &mut self,
        run: &mut Run,
        request: Request,
        choice: &mut dyn Choice,
    ) -> Result<(), Stop> {
        self.reach(run, request, choice)?.map_or(Ok(()), Err)
    }

    fn must_hold(&self, run: &Run, grant: &Grant) -> Result<(), Stop> {
        let held = |c: &super::Credential| c.holder == run.pipeline.name && c.grant == *grant;
        match self.credentials.iter().any(held) {
            true => Ok(()),
            false => {
                Err(Stop::Failed(format!("{} holds no credential for {grant}", run.pipeline.name)))
            }
        }
    }

    /// The files of the commit that a run is for.
    fn source(&self, run: &Run) -> Result<Tree, Stop> {
        let url = &run.pipeline.repository;
        let repository = self
            .forge
            .repository(url)
            .ok_or_else(|| Stop::Failed(format!("there is no repository at {url:?}")))?;
        let commit = repository.find_commit(run.commit);
        commit.map(|commit| commit.tree.clone()).map_err(|error| Stop::Failed(error.to_string()))
    }

    fn tell_run(&mut self, run: &Run, ok: bool, message: &str) {
        self.tell(run, run.stage.name(), ok, message);
    }

    fn tell(&mut self, run: &Run, stage: &str, ok: bool, message: &str) {
        let revision = format!("{}@sha1:{}", run.pipeline.branch, run.commit);
        let who = Author { actor: &run.pipeline.name, role: Role::Pipeline, revision: &revision };
        let what = What::Pipeline {
            place: place(&run.pipeline.repository).into(),
            stage: stage.into(),
            ok,
            message: message.into(),
        };
        self.note_for(&who, what);
    }
}

/// Why a run does not go on.
enum Stop {
    /// It goes on later.
    Later(Duration),
    /// It ends.
    Failed(String),
}

impl Stop {
    fn lost_runner() -> Self {
        Stop::Failed("the runner was lost".into())
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Stop::Failed(why)
    }
}

impl Run {
    /// The image's tag: the first digits of the commit.
    pub fn tag(&self) -> String {
        self.commit.short()
    }

    fn go_to(&mut self, stage: Stage, takes: Duration) -> Option<Duration> {
        self.stage = stage;
        Some(takes)
    }
}

impl Stage {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Stage::Checkout => "checkout",
            Stage::Build => "build",
            Stage::Test => "test",
            Stage::Push => "push",
            Stage::Deliver => "deploy",
            Stage::Passed => "passed",
            Stage::Failed(_) => "failed",
        }
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        matches!(self, Stage::Passed | Stage::Failed(_))
    }
}

/// The files that `kubectl apply -f FOLDER` reads: those of the folder itself, by their endings.
fn manifests_in(folder: &Tree) -> impl Iterator<Item = (&str, &Blob)> {
    folder.entries().filter_map(|(name, entry)| match entry {
        Entry::File(_, blob)
            if [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) =>
        {
            Some((name, blob))
        }
        _ => None,
    })
}

fn build(source: &Tree) -> Result<(), Stop> {
    match source.file("Dockerfile") {
        Some(_) => Ok(()),
        None => Err(Stop::Failed(
            "failed to read dockerfile: open Dockerfile: no such file or directory".into(),
        )),
    }
}

fn fetch(url: &str) -> Request {
    let reference = GitReference::default();
    Request::Fetch(FetchRequest { url: url.into(), reference, ignore: None, have: String::new() })
}

fn refusal_in(response: &Response) -> String {
    match response {
        Response::Api(Err(status)) => status.message.clone(),
        Response::Fetched(Err(error)) | Response::Downloaded(Err(error)) => error.message.clone(),
        Response::Pulled(Err(error)) => error.to_string(),
        _ => "no answer".into(),
    }
}
