//! kubectl: its commands, its words, its field managers.

mod apply;
mod ask;
mod change;
mod delete;
mod flags;
mod kinds;
mod make;
mod parse;
mod parse_targets;
mod rollout;
mod run;
mod show;
mod three_way;
mod wait;

use serde_json::Value;

use super::words::Word;
use crate::apiserver::table::jsonpath::{self, Template};
use crate::object::{FieldSelector, LabelSelector, Object};
use crate::scenario::mistake::Mistake;
use crate::time::Duration;

pub(crate) use ask::caller;
pub(crate) use kinds::{kinds, suggestion};
pub(crate) use run::run;
pub(super) use show::table;
pub(crate) use wait::{Awaited, pod_state};

/// A kubectl command.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    /// `-n`.
    pub(crate) namespace: Option<Word>,
    pub(crate) verb: Verb,
}

/// What kubectl is to do.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Apply {
        files: Files,
        server_side: Option<ServerSide>,
        dry_run: DryRun,
    },
    Create {
        files: Files,
        dry_run: DryRun,
    },
    CreateObject {
        object: Object,
        dry_run: DryRun,
    },
    Replace {
        files: Files,
        dry_run: DryRun,
    },
    Get {
        targets: Targets,
        view: View,
    },
    Describe {
        targets: Targets,
    },
    Delete {
        what: Victims,
        options: Deletion,
    },
    Scale {
        targets: Targets,
        replicas: i64,
        current: Option<i64>,
    },
    Patch {
        targets: Targets,
        body: Value,
        kind: PatchType,
        subresource: Option<String>,
        dry_run: DryRun,
    },
    SetImage {
        targets: Targets,
        images: Pairs,
    },
    SetEnv {
        targets: Targets,
        container: Option<String>,
        variables: Pairs,
    },
    Metadata {
        targets: Targets,
        field: MetaField,
        changes: Pairs,
        overwrite: bool,
    },
    Rollout {
        targets: Targets,
        what: Rollout,
    },
    Wait {
        targets: Targets,
        until: Until,
        timeout: Duration,
    },
    Diff {
        files: Files,
        server_side: Option<ServerSide>,
    },
    Cordon {
        nodes: Vec<String>,
        unschedulable: bool,
    },
    Drain {
        nodes: Vec<String>,
        ignore_daemonsets: bool,
        force: bool,
        timeout: Option<Duration>,
    },
    Autoscale {
        targets: Targets,
        min: Option<i64>,
        max: i64,
        cpu: Option<i64>,
        name: Option<String>,
    },
}

/// Names with values, or (`None`) to be removed.
pub(crate) type Pairs = Vec<(String, Option<String>)>;

/// Which objects: kinds with names perhaps, and selectors.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    pub(crate) kinds: Vec<(Word, Option<String>)>,
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
    pub(crate) all_namespaces: bool,
}

/// Which files of the working copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) paths: Vec<Word>,
    pub(crate) kustomize: Option<Word>,
    pub(crate) recursive: bool,
}

/// What of a server-side apply can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct ServerSide {
    pub(crate) force: bool,
    pub(crate) manager: String,
}

/// Whether anything is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    No,
    Client,
    Server,
}

/// How `get` shows what it finds.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) output: Output,
    pub(crate) show_labels: bool,
    pub(crate) no_headers: bool,
    pub(crate) ignore_not_found: bool,
    pub(crate) managed_fields: bool,
}

/// The format of an output.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    Table { wide: bool },
    Yaml,
    Json,
    Name,
    JsonPath(Template),
    Columns(Vec<(String, Template)>),
}

/// What is deleted.
#[derive(Clone, Debug)]
pub(crate) enum Victims {
    Files(Files),
    Targets(Targets),
}

/// How it is deleted.
#[derive(Clone, Debug)]
pub(crate) struct Deletion {
    pub(crate) ignore_not_found: bool,
    pub(crate) wait: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cascade: &'static str,
    pub(crate) grace_period: Option<i64>,
    pub(crate) dry_run: DryRun,
}

/// The media type of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchType {
    Strategic,
    Merge,
    Json,
}

/// Which texts of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaField {
    Labels,
    Annotations,
}

/// What of a rollout.
#[derive(Clone, Debug)]
pub(crate) enum Rollout {
    Status { timeout: Option<Duration>, watch: bool },
    Undo { to_revision: Option<i64> },
    Restart,
    History,
    Pause(bool),
}

/// What `kubectl wait` waits for.
#[derive(Clone, Debug)]
pub(crate) enum Until {
    Created,
    Deleted,
    Condition { name: String, status: String },
    Path { template: Template, value: String },
}

/// Reads a command line.
pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Kubectl, Mistake> {
    parse::parse(tool, words)
}
