//! Scenarios made up from choices: manifests, histories of commits, drift by hand, faults.

use std::collections::BTreeMap;

use super::Draw;
use crate::sim::script::{Action, Step};
use crate::sim::{Choice, Fault, FaultAction, FaultPlan, Requests, Scenario, Trigger};
use crate::time::Duration;

/// How large a made-up scenario may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// The most applications.
    pub apps: usize,
    /// The most commits after the first.
    pub commits: usize,
    /// The most changes by hand.
    pub drifts: usize,
    /// The most faults.
    pub faults: usize,
    /// How long things happen.
    pub span: Duration,
    /// The controllers that faults strike.
    pub actors: Vec<String>,
}

impl Default for Size {
    /// Three applications; five commits, five changes by hand and three faults in ten minutes.
    fn default() -> Self {
        let actors = ["kustomize-controller", "source-controller", "deployment-controller"];
        Size {
            apps: 3,
            commits: 5,
            drifts: 5,
            faults: 3,
            span: Duration::from_mins(10),
            actors: actors.map(str::to_owned).to_vec(),
        }
    }
}

/// A scenario with one repository, kept in sync, in which people commit and change things by hand while
/// things go wrong. Nothing is expected of it yet: that is the property's part.
pub fn scenario(choice: &mut dyn Choice, size: &Size) -> Scenario {
    let mut draw = Draw::from(choice);
    let mut apps = Apps::draw(&mut draw, size.apps);
    let mut scenario = Scenario::new("Made up").repository("config", apps.files());
    scenario = scenario.sync("apps", "config", "./apps");
    let sync = scenario.sync.get_mut("apps").expect("just put there");
    sync.source_interval = Some(Duration::from_mins(2));
    sync.spec
        .extend([("interval", "5m"), ("retryInterval", "1m")].map(|(k, v)| (k.into(), v.into())));
    scenario.cluster.nodes = 1;
    let mut steps = commits(&mut draw, &mut apps, size);
    steps.extend(drifts(&mut draw, size));
    steps.sort_by_key(|step| step.at);
    scenario.steps = steps;
    scenario.faults = faults(&mut draw, size);
    scenario
}

/// Commits to the configuration: values changed, applications added and removed, reverts.
pub fn commits(draw: &mut Draw<'_>, apps: &mut Apps, size: &Size) -> Vec<Step> {
    let count = draw.number(0, size.commits);
    let mut times: Vec<Duration> = (0..count).map(|_| time(draw, size)).collect();
    times.sort();
    times.into_iter().map(|at| Step { at, who: "alice".into(), ..commit(draw, apps) }).collect()
}

/// Changes that somebody makes to the cluster by hand.
pub fn drifts(draw: &mut Draw<'_>, size: &Size) -> Vec<Step> {
    let count = draw.number(0, size.drifts);
    let mut drift = || {
        let name = NAMES[draw.number(0, size.apps.clamp(1, NAMES.len()) - 1)];
        let line = match draw.number(0, 5) {
            0 => {
                format!("kubectl scale deployment/{name} -n apps --replicas={}", draw.number(0, 4))
            }
            1 => format!("kubectl delete deployment/{name} -n apps"),
            2 => format!(
                "kubectl set image deployment/{name} -n apps app=nginx:{}",
                draw.number(1, 3)
            ),
            3 => format!("kubectl label deployment/{name} -n apps tier=by-hand --overwrite"),
            4 => format!("kubectl delete configmap/{name} -n apps"),
            _ => format!(
                "kubectl patch configmap/{name} -n apps --type=merge -p '{{\"data\":{{\"value\":\"by hand\"}}}}'"
            ),
        };
        Step {
            at: time(draw, size),
            who: "bob".into(),
            actions: vec![Action::Run(line)],
            ..Step::default()
        }
    };
    (0..count).map(|_| drift()).collect()
}

/// Things that go wrong, each for a while or once, all over when the scenario's span is.
pub fn faults(draw: &mut Draw<'_>, size: &Size) -> FaultPlan {
    let count = draw.number(0, size.faults);
    (0..count).map(|_| fault(draw, size)).collect()
}

fn fault(draw: &mut Draw<'_>, size: &Size) -> Fault {
    let what = fault_action(draw, size);
    let window = Some(Duration::from_secs(10 * draw.number(1, 12) as u64));
    let at_request = matches!(what, FaultAction::Crash { .. }) || draw.once_in(3);
    let when = match at_request {
        false => Trigger::At(time(draw, size)),
        true => {
            let requests =
                Requests { actor: draw.one_of(&size.actors).clone(), ..Requests::default() };
            Trigger::Request { requests, nth: draw.number(1, 60) as u32 }
        }
    };
    let once = matches!(what, FaultAction::Crash { .. } | FaultAction::Compact {});
    Fault { when, what, lasts: if once { None } else { window } }
}

fn fault_action(draw: &mut Draw<'_>, size: &Size) -> FaultAction {
    let actor = draw.one_of(&size.actors).clone();
    let requests = || Requests { actor: actor.clone(), ..Requests::default() };
    match draw.number(0, 9) {
        0 => FaultAction::ApiError {
            code: *draw.one_of(&[503, 500, 429, 409]),
            requests: requests(),
        },
        1 => FaultAction::GitDown { url: String::new() },
        2 => FaultAction::Crash {
            actor: String::new(),
            after_request: draw.once_in(2),
            restart_after: Duration::from_secs(draw.number(1, 30) as u64),
        },
        3 => FaultAction::AnswerLost { requests: requests() },
        4 => FaultAction::Stale { actor, kind: String::new() },
        5 => FaultAction::Partition { actor },
        6 => FaultAction::Slow {
            requests: requests(),
            by: Duration::from_secs(draw.number(1, 20) as u64),
        },
        7 => FaultAction::GitSlow {
            url: String::new(),
            by: Duration::from_secs(draw.number(1, 90) as u64),
        },
        8 => FaultAction::NodeDown { node: "node-1".into() },
        _ => FaultAction::Compact {},
    }
}

fn time(draw: &mut Draw<'_>, size: &Size) -> Duration {
    draw.time(size.span, Duration::from_secs(5))
}

const NAMES: [&str; 6] = ["cart", "web", "mail", "stock", "search", "login"];

/// The applications of a configuration, as a history changes them. What an older commit held is kept,
/// so that a revert is known to lead back to it.
#[derive(Clone, Debug, Default)]
pub struct Apps {
    now: BTreeMap<&'static str, App>,
    before: Vec<BTreeMap<&'static str, App>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct App {
    replicas: usize,
    image: usize,
    value: usize,
}

impl Apps {
    /// One to `most` applications.
    pub fn draw(draw: &mut Draw<'_>, most: usize) -> Self {
        let count = draw.number(1, most.clamp(1, NAMES.len()));
        let now = NAMES[..count].iter().map(|name| (*name, App::draw(draw))).collect();
        Apps { now, before: Vec::new() }
    }

    /// The files of the configuration, by path.
    pub fn files(&self) -> BTreeMap<String, String> {
        let namespace = ("apps/namespace.yaml".to_owned(), NAMESPACE.to_owned());
        let files = self.now.iter().map(|(name, app)| (path(name), app.manifest(name)));
        files.chain([namespace]).collect()
    }
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: apps\n";

fn path(name: &str) -> String {
    format!("apps/{name}.yaml")
}

impl App {
    fn draw(draw: &mut Draw<'_>) -> Self {
        App { replicas: draw.number(1, 3), image: draw.number(1, 3), value: draw.number(0, 2) }
    }

    fn manifest(self, name: &str) -> String {
        let App { replicas, image, value } = self;
        format!(
            "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: apps
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
      - name: app
        image: nginx:{image}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: apps
data:
  value: \"{value}\"
"
        )
    }
}

fn commit(draw: &mut Draw<'_>, apps: &mut Apps) -> Step {
    if !apps.before.is_empty() && draw.once_in(5) {
        apps.now = apps.before.pop().expect("there is one");
        return run(Vec::new(), "git revert --no-edit HEAD\ngit push");
    }
    apps.before.push(apps.now.clone());
    let name = NAMES[draw.number(0, NAMES.len() - 1)];
    let change = match apps.now.get(name) {
        Some(_) if apps.now.len() > 1 && draw.once_in(4) => {
            apps.now.remove(name);
            Action::Remove { path: path(name) }
        }
        before => {
            let mut app = App::draw(draw);
            if before == Some(&app) {
                app.value += 1;
            }
            apps.now.insert(name, app);
            Action::Write { path: path(name), content: app.manifest(name) }
        }
    };
    run(vec![change], &format!("git add -A\ngit commit -m 'Change {name}'\ngit push"))
}

fn run(mut actions: Vec<Action>, commands: &str) -> Step {
    actions.push(Action::Run(commands.into()));
    Step { actions, ..Step::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use crate::sim::Choices;

    #[test]
    fn the_first_alternative_is_the_simplest_scenario() {
        let calm = scenario(&mut Choices::first(), &Size::default());
        assert_eq!((calm.steps.len(), calm.faults.faults.len()), (0, 0));
        assert_eq!(calm.repositories["config"].files.len(), 2);
    }

    #[test]
    fn what_is_made_up_can_be_read() {
        for seed in 1..50 {
            let made = scenario(&mut Choices::seeded(seed), &Size::default());
            for (path, text) in &made.repositories["config"].files {
                manifest::objects(path, text).unwrap();
            }
            assert!(made.steps.is_sorted_by_key(|step| step.at));
        }
    }
}
