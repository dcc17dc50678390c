//! What a run looks like: timelines of hand-made events, as snapshots.

use driftlab::object::ObjectRef;
use driftlab::reconciler::{Change, ChangeAction, Phase};
use driftlab::report::{Glyphs, Options, Summary, drifts, json_lines, timeline};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::{Event, FieldChange, Role, Trace, What};
use serde_json::{Value, json};

const FIRST: &str = "main@sha1:3f2a1c9d5e6f708192a3b4c5d6e7f8091a2b3c4d";

/// A trace that is written event by event.
#[derive(Default)]
struct Story {
    trace: Trace,
    at: u64,
    actor: &'static str,
    role: Role,
}

impl Story {
    fn at(&mut self, secs: u64) -> &mut Self {
        self.at = secs;
        self
    }

    fn by(&mut self, actor: &'static str, role: Role) -> &mut Self {
        (self.actor, self.role) = (actor, role);
        self
    }

    fn tells(&mut self, what: What) -> &mut Self {
        let revision = if self.role == Role::Engine { FIRST } else { "" };
        self.trace.push(Event {
            at: Timestamp::START + Duration::from_secs(self.at),
            actor: self.actor.into(),
            role: self.role,
            revision: revision.into(),
            what,
        });
        self
    }

    fn types(&mut self, line: &str) -> &mut Self {
        self.tells(What::Typed { line: line.into() })
    }

    fn reads(&mut self, line: &str, output: &str, exit: u8) -> &mut Self {
        self.tells(What::Answered { line: line.into(), output: output.into(), exit })
    }

    fn writes(
        &mut self,
        verb: &str,
        object: ObjectRef,
        changes: &[(&str, Value, Value)],
    ) -> &mut Self {
        // The engine applies what it makes and changes; what is new has no fields of before.
        let new = verb == "create" || changes.iter().any(|(path, ..)| *path == "kind");
        let changed: Vec<FieldChange> = changes
            .iter()
            .map(|(path, before, after)| FieldChange {
                path: (*path).into(),
                before: Some(before.clone()).filter(|v| !v.is_null()),
                after: Some(after.clone()).filter(|v| !v.is_null()),
            })
            .collect();
        self.tells(What::Request {
            verb: verb.into(),
            object,
            subresource: String::new(),
            manager: self.actor.into(),
            dry_run: false,
            code: if new { 201 } else { 200 },
            error: String::new(),
            changed,
        })
    }

    fn finishes(&mut self, target: ObjectRef, changes: Vec<Change>) -> &mut Self {
        self.tells(What::Finished {
            target,
            changes,
            message: String::new(),
            failed: false,
            next: Some(Duration::from_secs(60)),
        })
    }
}

fn hello() -> ObjectRef {
    ObjectRef::new("apps", "Deployment", "hello", "hello")
}

fn apps() -> ObjectRef {
    ObjectRef::new("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "apps")
}

fn pod(name: &str) -> ObjectRef {
    ObjectRef::new("", "Pod", "hello", name)
}

fn change(object: ObjectRef, action: ChangeAction) -> Change {
    Change { object, action, fields: Vec::new() }
}

fn running(name: &str) -> What {
    What::Workload { object: pod(name), state: "Running".into(), message: String::new() }
}

/// The first thing a person sees: installed from Git, scaled by hand, healed.
fn heal() -> Trace {
    let namespace = || ObjectRef::new("", "Namespace", "", "hello");
    let mut story = Story::default();
    story.by("alice", Role::Person).types("git push origin main").tells(What::RefMoved {
        repository: "config".into(),
        reference: "main".into(),
        from: String::new(),
        to: FIRST[10..].into(),
        subject: "Run hello, three of it".into(),
        forced: false,
    });
    story.at(1).by("source-controller", Role::Engine).tells(What::Fetched {
        url: "https://git.example.com/acme/config.git".into(),
        revision: FIRST.into(),
        error: String::new(),
    });
    let created = [
        ("kind", Value::Null, json!("Deployment")),
        ("spec.replicas", Value::Null, json!(3)),
        ("spec.template.spec.containers[name=hello].image", Value::Null, json!("nginx:1.27")),
    ];
    story.by("kustomize-controller", Role::Engine);
    story.tells(What::Started { target: apps() });
    story.tells(What::Phase { target: apps(), phase: Phase::Reconcile });
    story.writes("apply", namespace(), &[("kind", Value::Null, json!("Namespace"))]);
    story.writes("apply", hello(), &created);
    story.finishes(
        apps(),
        vec![change(namespace(), ChangeAction::Created), change(hello(), ChangeAction::Created)],
    );
    story.at(2).by("replicaset-controller", Role::ControlPlane);
    for name in ["hello-6d4b9c-aaaaa", "hello-6d4b9c-bbbbb", "hello-6d4b9c-ccccc"] {
        story.writes("create", pod(name), &[("kind", Value::Null, json!("Pod"))]);
    }
    story.at(4).by("kubelet", Role::ControlPlane);
    for name in ["hello-6d4b9c-aaaaa", "hello-6d4b9c-bbbbb", "hello-6d4b9c-ccccc"] {
        story.tells(running(name));
    }
    let in_sync = || {
        vec![change(namespace(), ChangeAction::Unchanged), change(hello(), ChangeAction::Unchanged)]
    };
    story.by("kustomize-controller", Role::Engine);
    story.at(61).finishes(apps(), in_sync()).at(121).finishes(apps(), in_sync());
    let scale = "kubectl scale deployment/hello -n hello --replicas=5";
    story.at(150).by("alice", Role::Person).types(scale);
    story.writes("patch", hello(), &[("spec.replicas", json!(3), json!(5))]);
    story.reads(scale, "deployment.apps/hello scaled\n", 0);
    story.at(151).by("replicaset-controller", Role::ControlPlane);
    for name in ["hello-6d4b9c-ddddd", "hello-6d4b9c-eeeee"] {
        story.writes("create", pod(name), &[("kind", Value::Null, json!("Pod"))]);
    }
    story.at(180).by("kustomize-controller", Role::Engine);
    story.writes("apply", hello(), &[("spec.replicas", json!(5), json!(3))]);
    story.finishes(
        apps(),
        vec![
            change(namespace(), ChangeAction::Unchanged),
            change(hello(), ChangeAction::Configured),
        ],
    );
    for minute in 4..16 {
        story.at(minute * 60).finishes(apps(), in_sync());
    }
    story.by("", Role::World).at(960).tells(What::Expectation {
        text: "deployment/hello -n hello spec.replicas is 3 by 5m".into(),
        holds: true,
        difference: String::new(),
    });
    story.trace
}

/// Everything that can go wrong in a picture: faults, refusals, failures, long lines, outputs.
fn trouble() -> Trace {
    let mut story = Story::default();
    story.by("", Role::World).tells(What::Note { text: "The API server is about to fail.".into() });
    story.at(30).tells(What::Fault {
        name: "api-error".into(),
        message: "the API server answers 503 to kustomize-controller until +1m0s".into(),
    });
    story.at(31).by("source-controller", Role::Engine).tells(What::Fetched {
        url: "https://git.example.com/acme/config.git".into(),
        revision: String::new(),
        error: "failed to checkout and determine revision: unable to clone: connection refused"
            .into(),
    });
    story.at(35).by("kustomize-controller", Role::Engine).tells(What::Finished {
        target: apps(),
        changes: Vec::new(),
        message: "Deployment/hello/hello dry-run failed: the server is currently unable to handle the request".into(),
        failed: true,
        next: None,
    });
    story.at(40).by("bob", Role::Person).types("kubectl get pods -n hello").reads(
        "kubectl get pods -n hello",
        "NAME                 READY   STATUS             RESTARTS   AGE\nhello-6d4b9c-aaaaa   0/1     ImagePullBackOff   0          40s\n",
        0,
    );
    story.at(41).types("kubectl delete deployment nginx").reads(
        "kubectl delete deployment nginx",
        "Error from server (NotFound): deployments.apps \"nginx\" not found\n",
        1,
    );
    story.by("kubelet", Role::ControlPlane).tells(What::Workload {
        object: pod("hello-6d4b9c-aaaaa"),
        state: "ImagePullBackOff".into(),
        message: "Back-off pulling image \"nginx:nope\"".into(),
    });
    story.at(60).by("ci", Role::Pipeline).tells(What::Pipeline {
        place: "app".into(),
        stage: "test".into(),
        ok: false,
        message: "1 of 12 tests failed".into(),
    });
    story.by("", Role::World).at(3700).tells(What::Expectation {
        text: "converged within 5m".into(),
        holds: false,
        difference: "Kustomization/apps is not Ready: ReconciliationFailed\nfirst diverged at +35s"
            .into(),
    });
    story.trace
}

#[test]
fn a_healed_drift_is_told_on_a_page() {
    insta::assert_snapshot!("heal", timeline(&heal(), &Options::default()));
}

#[test]
fn faults_failures_and_outputs_are_plain_to_see() {
    insta::assert_snapshot!("trouble", timeline(&trouble(), &Options::default()));
}

#[test]
fn a_narrow_ascii_terminal_shows_the_same() {
    let options = Options { width: 72, glyphs: Glyphs::Ascii, ..Options::default() };
    let text = timeline(&trouble(), &options);
    insta::assert_snapshot!("trouble_narrow_ascii", text);
    assert!(text.is_ascii());
    assert!(timeline(&heal(), &options).is_ascii());
}

#[test]
fn no_line_is_wider_than_asked() {
    for width in [60, 72, 80, 100, 140] {
        let options = Options { width, ..Options::default() };
        for line in timeline(&heal(), &options).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colours_change_no_character() {
    let coloured = timeline(&heal(), &Options { colour: true, ..Options::default() });
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut escape = false;
    for c in coloured.chars() {
        match c {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            c if !escape => plain.push(c),
            _ => {}
        }
    }
    assert_eq!(plain, timeline(&heal(), &Options::default()));
}

#[test]
fn json_lines_tell_every_event() {
    let trace = trouble();
    let lines = json_lines(&trace);
    assert_eq!(lines.lines().count(), trace.len());
    insta::assert_snapshot!("trouble_json", lines);
}

#[test]
fn a_summary_counts_who_wrote_and_what_drifted() {
    let summary = Summary::of(&heal());
    let writes = |who: &str| summary.writes[who].count;
    assert_eq!((writes("alice"), writes("kustomize-controller")), (1, 3));
    assert_eq!(summary.writes["kustomize-controller"].from_git, 3);
    assert_eq!((summary.cycles, summary.quiet, summary.failed), (16, 14, 0));
    let drift = &summary.drifts[0];
    assert_eq!(drift.values, [Some(json!(3)), Some(json!(5)), Some(json!(3))]);
    assert_eq!(drift.lasted(Timestamp::START), Duration::from_secs(30));
}

#[test]
fn drift_is_what_others_change_of_what_came_from_git() {
    let from_git = |story: &mut Story| {
        story.by("kustomize-controller", Role::Engine);
        story.writes("apply", hello(), &[("spec.replicas", Value::Null, json!(3))]);
    };
    let check = |what: &str, tell: &dyn Fn(&mut Story), expected: usize| {
        let mut story = Story::default();
        tell(&mut story);
        assert_eq!(drifts(&story.trace).len(), expected, "{what}");
    };
    check(
        "an object that was never in Git",
        &|story| {
            story.by("alice", Role::Person).writes(
                "create",
                hello(),
                &[("spec.replicas", Value::Null, json!(1))],
            );
        },
        0,
    );
    check(
        "a scaled deployment",
        &|story| {
            from_git(story);
            story.by("alice", Role::Person).writes(
                "patch",
                hello(),
                &[("spec.replicas", json!(3), json!(5))],
            );
        },
        1,
    );
    check(
        "an added variable",
        &|story| {
            from_git(story);
            story.by("alice", Role::Person).writes(
                "patch",
                hello(),
                &[("spec.x", Value::Null, json!(5))],
            );
        },
        1,
    );
    check(
        "what the control plane notes down",
        &|story| {
            from_git(story);
            story.by("deployment-controller", Role::ControlPlane);
            story.writes(
                "patch",
                hello(),
                &[("metadata.annotations.note", Value::Null, json!("1"))],
            );
        },
        0,
    );
    check(
        "an autoscaler that scales",
        &|story| {
            from_git(story);
            story.by("horizontal-pod-autoscaler", Role::ControlPlane);
            story.writes("patch", hello(), &[("spec.replicas", json!(3), json!(4))]);
        },
        1,
    );
    check(
        "an object whose bookkeeping alone is the engine's",
        &|story| {
            story.by("kustomize-controller", Role::Engine);
            story.writes("patch", apps(), &[("metadata.finalizers", Value::Null, json!(["x"]))]);
            story.by("alice", Role::Person).writes("delete", apps(), &[]);
        },
        0,
    );
    check(
        "a deleted deployment",
        &|story| {
            from_git(story);
            story.by("alice", Role::Person).writes("delete", hello(), &[]);
        },
        1,
    );
}
