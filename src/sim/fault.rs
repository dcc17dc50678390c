//! Faults as data: what goes wrong, and when.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Duration;

/// The faults of a run. It is plain data: it travels in a scenario file, and a failing run shrinks by
/// leaving faults out.
///
/// ```
/// use driftlab::sim::FaultPlan;
/// let plan: FaultPlan = serde_json::from_str(r#"[
///     {"when": {"at": "2m"}, "what": {"gitDown": {}}, "for": "30s"},
///     {"when": {"request": {"actor": "kustomize-controller", "verb": "patch", "nth": 3}},
///      "what": {"crash": {"restartAfter": "1s"}}}
/// ]"#).unwrap();
/// assert_eq!(plan.faults[1].to_string(), "kustomize-controller's 3rd patch: crash, back after 1s");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultPlan {
    /// The faults; each stands for itself.
    pub faults: Vec<Fault>,
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins.
    pub when: Trigger,
    /// What goes wrong.
    pub what: FaultAction,
    /// How long it lasts. Unset, a fault that strikes a request strikes once, and a fault that changes
    /// the surroundings stays to the end.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Duration>,
}

/// When a fault begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Trigger {
    /// At a time since the start of the run.
    At(Duration),
    /// At a controller's request: the `nth` that matches, counted from 1.
    Request {
        /// Which requests.
        #[serde(flatten)]
        requests: Requests,
        /// Which of them, counted from 1.
        nth: u32,
    },
    /// At each matching request between two times, with a chance of one in `one_in`.
    #[serde(rename_all = "camelCase")]
    Sometimes {
        /// The earliest time since the start of the run.
        #[serde(default)]
        from: Duration,
        /// The latest time.
        until: Duration,
        /// One in how many.
        one_in: u32,
        /// Which requests.
        #[serde(default, skip_serializing_if = "Requests::is_any")]
        requests: Requests,
    },
}

/// Which requests of controllers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// The controller's name; empty for any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// `get`, `list`, `patch` …, `fetch`, `download`, `pull`; empty for any, `write` for any write.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verb: String,
    /// The kind; empty for any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum FaultAction {
    /// The Git remote does not answer.
    GitDown {
        /// Its URL; empty for all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        url: String,
    },
    /// The Git remote is slow. A fetch that takes longer than a minute times out.
    GitSlow {
        /// Its URL; empty for all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        url: String,
        /// How much longer a fetch takes.
        by: Duration,
    },
    /// The image registry does not answer.
    RegistryDown {},
    /// Webhooks are lost on their way into the cluster.
    WebhooksLost {},
    /// An admission webhook refuses connections.
    AdmissionDown {
        /// Its name; empty for all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        webhook: String,
    },
    /// The Kubernetes API refuses requests.
    ApiError {
        /// 409, 429, 500, 503 or 504.
        code: u16,
        /// Which requests.
        #[serde(default, skip_serializing_if = "Requests::is_any")]
        requests: Requests,
    },
    /// Requests are carried out, but the answer is lost: the controller sees a timeout (504).
    AnswerLost {
        /// Which requests.
        #[serde(default, skip_serializing_if = "Requests::is_any")]
        requests: Requests,
    },
    /// Requests take longer.
    Slow {
        /// Which requests.
        #[serde(default, skip_serializing_if = "Requests::is_any")]
        requests: Requests,
        /// How much longer.
        by: Duration,
    },
    /// A controller crashes: it loses its memory, and comes back with a list of everything.
    #[serde(rename_all = "camelCase")]
    Crash {
        /// The controller; empty for the one whose request it is.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        actor: String,
        /// Whether the request it is at is still carried out.
        #[serde(default, skip_serializing_if = "is_false")]
        after_request: bool,
        /// When it comes back.
        restart_after: Duration,
    },
    /// A controller reaches nothing: neither API, nor Git, nor registry.
    Partition {
        /// The controller.
        actor: String,
    },
    /// A controller's watches are late: its cache shows the past until the fault ends.
    Stale {
        /// The controller.
        actor: String,
        /// The kind; empty for all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        kind: String,
    },
    /// Watch events are lost: the cache moves on, the controller is not told.
    DropEvents {
        /// The controller.
        actor: String,
        /// The kind; empty for all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        kind: String,
    },
    /// A controller that reconnects meets an API server that is behind: it sees the past again.
    Rewind {
        /// The controller.
        actor: String,
        /// How many writes back.
        versions: u64,
    },
    /// The API server forgets its log: watches that are behind must list anew (410 Gone).
    Compact {},
    /// A node fails: its kubelet is dead until the fault ends.
    NodeDown {
        /// The node.
        node: String,
    },
    /// A controller's clock is wrong.
    #[serde(rename_all = "camelCase")]
    ClockSkew {
        /// The controller.
        actor: String,
        /// How far ahead, in milliseconds; negative for behind.
        ahead_ms: i64,
    },
}

impl Requests {
    /// Whether any request is meant.
    pub fn is_any(&self) -> bool {
        *self == Requests::default()
    }

    /// Whether a request is meant: of this controller, with this verb, for this kind.
    pub fn include(&self, actor: &str, verb: &str, kind: &str) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        is(&self.actor, actor)
            && (is(&self.verb, verb) || self.verb == "write" && is_write(verb))
            && is(&self.kind, kind)
    }
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nothing goes wrong.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}

impl FromIterator<Fault> for FaultPlan {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        FaultPlan { faults: faults.into_iter().collect() }
    }
}

impl Fault {
    /// A fault at a time since the start of the run.
    pub fn at(time: Duration, what: FaultAction) -> Self {
        Fault { when: Trigger::At(time), what, lasts: None }
    }

    /// A fault at the `nth` request of a controller (empty: any) with a verb (empty: any).
    pub fn at_request(actor: &str, verb: &str, nth: u32, what: FaultAction) -> Self {
        let requests = Requests { actor: actor.into(), verb: verb.into(), kind: String::new() };
        Fault { when: Trigger::Request { requests, nth }, what, lasts: None }
    }

    /// The same, ending after a span.
    pub fn lasting(mut self, span: Duration) -> Self {
        self.lasts = Some(span);
        self
    }
}

impl FaultAction {
    /// The word for it, as scenario files write it.
    pub fn name(&self) -> &'static str {
        match self {
            FaultAction::GitDown { .. } => "gitDown",
            FaultAction::GitSlow { .. } => "gitSlow",
            FaultAction::RegistryDown {} => "registryDown",
            FaultAction::WebhooksLost {} => "webhooksLost",
            FaultAction::AdmissionDown { .. } => "admissionDown",
            FaultAction::ApiError { .. } => "apiError",
            FaultAction::AnswerLost { .. } => "answerLost",
            FaultAction::Slow { .. } => "slow",
            FaultAction::Crash { .. } => "crash",
            FaultAction::Partition { .. } => "partition",
            FaultAction::Stale { .. } => "stale",
            FaultAction::DropEvents { .. } => "dropEvents",
            FaultAction::Rewind { .. } => "rewind",
            FaultAction::Compact {} => "compact",
            FaultAction::NodeDown { .. } => "nodeDown",
            FaultAction::ClockSkew { .. } => "clockSkew",
        }
    }

    /// What it does, in a few words: `apiError 503`.
    pub(super) fn effect(&self) -> String {
        let name = self.name();
        match self {
            FaultAction::GitDown { url } => words(&[name, url]),
            FaultAction::GitSlow { url, by } => words(&[name, url, &format!("by {by}")]),
            FaultAction::ApiError { code, .. } => format!("{name} {code}"),
            FaultAction::Slow { by, .. } => format!("{name} by {by}"),
            FaultAction::Crash { actor, after_request, restart_after } => {
                let when = if *after_request { "after the request" } else { "" };
                format!("{}, back after {restart_after}", words(&[name, actor, when]))
            }
            FaultAction::AdmissionDown { webhook } => words(&[name, webhook]),
            FaultAction::Partition { actor } => format!("{name} {actor}"),
            FaultAction::Stale { actor, kind } | FaultAction::DropEvents { actor, kind } => {
                words(&[name, actor, kind])
            }
            FaultAction::Rewind { actor, versions } => format!("{name} {actor} by {versions}"),
            FaultAction::NodeDown { node } => format!("{name} {node}"),
            FaultAction::ClockSkew { actor, ahead_ms } => format!("{name} {actor} by {ahead_ms}ms"),
            FaultAction::AnswerLost { .. }
            | FaultAction::RegistryDown {}
            | FaultAction::WebhooksLost {}
            | FaultAction::Compact {} => name.into(),
        }
    }
}

/// `2m0s: gitDown for 30s`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.when, self.what)?;
        self.lasts.map_or(Ok(()), |span| write!(f, " for {span}"))
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::At(time) => write!(f, "{time}"),
            Trigger::Request { requests, nth } => f.write_str(&requests.describe(&ordinal(*nth))),
            Trigger::Sometimes { from, until, one_in, requests } => {
                write!(f, "{from} to {until}, {}", requests.describe(&format!("1 in {one_in}")))
            }
        }
    }
}

/// What it does, and to which requests: `apiError 503 to kustomize-controller's every patch`.
impl fmt::Display for FaultAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.effect())?;
        match self {
            FaultAction::ApiError { requests, .. }
            | FaultAction::AnswerLost { requests }
            | FaultAction::Slow { requests, .. } => f.write_str(&requests.suffix()),
            _ => Ok(()),
        }
    }
}

impl Requests {
    /// `kustomize-controller's 3rd patch of Deployment`.
    fn describe(&self, which: &str) -> String {
        let verb = if self.verb.is_empty() { "request" } else { &self.verb };
        let of = if self.kind.is_empty() { String::new() } else { format!("of {}", self.kind) };
        let whose = if self.actor.is_empty() { String::new() } else { format!("{}'s", self.actor) };
        words(&[&whose, which, verb, &of])
    }

    fn suffix(&self) -> String {
        if self.is_any() { String::new() } else { format!(" to {}", self.describe("every")) }
    }
}

/// The words that are not empty, with a space between.
pub(super) fn words(words: &[&str]) -> String {
    words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

fn ordinal(n: u32) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

fn is_write(verb: &str) -> bool {
    matches!(verb, "create" | "update" | "patch" | "apply" | "delete" | "deletecollection")
}

fn is_false(flag: &bool) -> bool {
    !flag
}
