//! The YAML a person writes: a world, a script, expectations.
//!
//! [`read`] makes a [`Scenario`] of a file's text, or says where the mistakes are; [`load`] also brings
//! what it names, and [`of_repository`] takes somebody's configuration as it is.
//!
//! # The file
//!
//! | Key | What it says |
//! |---|---|
//! | `scenario`, `about` | a title, and what it shows |
//! | `seed`, `until` | what decides all that the world leaves open (1 if not given); when it ends |
//! | `repositories` | by name: `files` (path to content) or `from` (a folder or repository on disk); `url`, `branch`; `approvals` that a pull request needs; `signed: true` for a branch that takes signed commits only; who may do what: `private`, `roles` (`alice: write`); `protect`, rules by branch: `approvals`, `checks`, `dismissStale`, `force`, `deletion`, `signed`, `linear`, `sparesAdmins`; `hooks`, addresses that are told of events |
//! | `tokens` | by secret, whose they are: `s3cret: alice`, or `{user, scopes, repositories, until}` with scopes of `contents:read`, `contents:write`, `pull_requests:write`, `statuses:write`. Where there are any, `driftlab serve` lets nobody push without |
//! | `cluster` | `nodes` (3), `flux` (true), `apply` (manifests that are there), `people` (who may do only what roles allow, and their groups: `alice: [dev]`; everybody else is an administrator), `policies` (where the engine is safer than Flux: [`Policies`](crate::engine::Policies)) |
//! | `registry` | the images there are; without it every image is |
//! | `pipelines` | by name: the `repository` it builds, the `image` it makes; `commit: {repository, folder}` to have it pulled or `apply: {folder}` to push it; how long `build` and `test` take; `checks: true` to build and test every branch, and report it as a check of that name |
//! | `sync` | by name: the `repository`, and fields of a Flux Kustomization's spec; `sourceInterval`; `webhook: true` to be woken by each push, not only by the interval |
//! | `webhooks` | who answers admission webhooks, by name: the `service` (`NAMESPACE/NAME`, with a `path`) or `url` that a webhook configuration leads to, and what it `does`: `inject` a container, `set`, `stamp` or `remove` a field, `patch`, `warn`, `deny`, `hang`, `fail`, each with a `when` if it depends: [`Webhook`](crate::apiserver::webhook::Webhook) |
//! | `faults` | what goes wrong, when or how often: [`Fault`](crate::sim::Fault) |
//! | `steps` | in order of time: `at`, `as` (alice), `in` a repository, and what is done: `run` commands of kubectl, git, flux and gh as people type them (with the `exit` and the `output` wanted), `edit`/`replace`/`with`, `write`, `remove`, `note`, `image`, `fault`/`for`, `metrics`; what it has to come to: `expect` |
//! | `expect` | what must hold |
//!
//! An expectation is about one of these, and says when:
//!
//! | Key | About |
//! |---|---|
//! | `field: PATH`, `of: KIND/NAME -n NS` | a field: `is`, `isNot`, `contains`, `exists`, `setBy` a field manager |
//! | `object: KIND/NAME -n NS` | that it is there, or with `exists: false` that it is not |
//! | `converged: true` | that every Kustomization is Ready at the newest revision of its branch, and nothing has drifted |
//! | `pods: COUNT`, `of`, `are: STATE` | the pods of a workload, in the words of `kubectl get pods` |
//! | `writes: COUNT`, `actor`, `of` | writes to the API that changed something |
//! | `writers: [NAME]`, `of` | that nobody else wrote |
//! | `commits: COUNT`, `in` | commits that arrived at a repository |
//! | `drift: SPAN`, `of` | that no drift lasted longer |
//!
//! A count is `3`, `at most 3` or `at least 3`. Without a time it is about the end.
//!
//! | Key | When |
//! |---|---|
//! | `at: T` | at that time, after what is done at that very time |
//! | `by: T`, in a step `within: SPAN` | not later, and still so then; what is done at T itself comes after. The verdict says since when it is so, or that it was so all along, which proves nothing |
//! | `always: true`, `never: true` | all the time, or at no time, `until: T` or to the end |
//! | `from: T` | only what is so, or happens, from then on counts; what a step expects counts from that step |
//!
//! ```
//! use driftlab::scenario;
//!
//! let run = scenario::read("heal.yaml", "\
//! scenario: Heal
//! repositories:
//!   config:
//!     files:
//!       settings.yaml: |
//!         apiVersion: v1
//!         kind: ConfigMap
//!         metadata: {name: settings, namespace: default}
//!         data: {colour: green}
//! sync:
//!   apps: {repository: config}
//! steps:
//!   - at: 2m
//!     as: alice
//!     run: kubectl delete configmap settings
//!     expect:
//!       - {object: configmap/settings, within: 65s}
//!       - {writes: 1, actor: kustomize-controller, of: configmap/settings}
//! ")
//! .unwrap()
//! .play()
//! .unwrap();
//! assert!(run.holds(), "{:?}", run.verdicts);
//! ```

mod blame;
mod cause;
mod commands;
mod explain;
mod file;
mod mistake;
mod names;
mod origin;
mod prepare;
mod reading;
mod repository;
mod run;
mod standing;
mod verify;
mod written;

pub use blame::{Blame, BlamedLine};
pub use explain::{Explanation, Write};
pub use mistake::{Mistake, Place};
pub use origin::{Line, Origin, Pull};
pub use repository::History;
pub use run::{Run, RunOptions, Verdict};
pub use standing::Standing;

pub use crate::sim::Scenario;

use std::path::Path;

use prepare::Script;

use crate::apiserver::Authorization;
use crate::sim::{Controllers, World};
use crate::time::Timestamp;

/// Reads a scenario; `file` is its name for messages.
///
/// ```
/// let mistakes = driftlab::scenario::read("heal.yaml", "scenario: Heal\nstesp: []\n").unwrap_err();
/// assert_eq!(mistakes[0].to_string(), "\
/// heal.yaml:2:1: unknown key 'stesp' in a scenario
///   |
/// 2 | stesp: []
///   | ^^^^^
///   = expected one of: scenario, about, seed, until, repositories, tokens, cluster, registry, pipelines, sync, webhooks, faults, steps, expect
///   = did you mean 'steps'?");
/// ```
///
/// # Errors
///
/// Every mistake that is found, each with its place in the file.
pub fn read(file: &str, source: &str) -> Result<Scenario, Vec<Mistake>> {
    let read = reading::read(file, source)?;
    Ok(read.scenario)
}

/// A scenario file that is read and found to be without mistakes, ready to be played.
#[derive(Clone)]
pub struct Loaded {
    script: Script,
}

/// Reads a scenario file, and everything that it names: its commands, the repositories it copies.
///
/// # Errors
///
/// When the file cannot be read, and every mistake that can be found before anything runs.
pub fn load(path: &Path) -> Result<Loaded, Vec<Mistake>> {
    let file = path.display().to_string();
    let source = file::read(path).map_err(|mistake| vec![mistake])?;
    let read = reading::read(&file, &source)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let script = Script::read(&read.scenario, base).map_err(|mistakes| {
        mistakes.into_iter().map(|mistake| read.places.locate(mistake)).collect::<Vec<_>>()
    })?;
    Ok(Loaded { script })
}

/// A folder or Git repository of manifests, as a scenario in which nothing happens but that it is
/// reconciled.
///
/// # Errors
///
/// When it cannot be read, has no such folder, or the folder cannot be built.
pub fn of_repository(
    path: &Path,
    folder: Option<&str>,
    history: History,
) -> Result<Loaded, Vec<Mistake>> {
    let script = repository::script(path, folder, history).map_err(|mistake| vec![mistake])?;
    Ok(Loaded { script })
}

impl Loaded {
    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.script.scenario
    }

    /// The world as it is when the scenario begins, at `start`; what people do in it is left to them, as far
    /// as roles allow it: it authorizes as a real cluster does.
    pub fn world(&self, start: Timestamp, controllers: Controllers) -> World {
        let builder = World::builder().start_at(start).seed(self.script.scenario.seed);
        let builder = builder.authorization(Authorization::Rbac);
        run::begin::set_up(&self.script, builder, controllers)
    }

    /// Plays it to its end.
    pub fn play(&self, options: &RunOptions) -> Run {
        run::run(&self.script, options)
    }
}
