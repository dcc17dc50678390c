use super::*;
use crate::sim::script::{Action, Claim, Count, Test, When};
use crate::sim::{Fault, FaultAction, Trigger};
use serde_json::json;

fn scenario(source: &str) -> Scenario {
    match read("s.yaml", source) {
        Ok(read) => read.scenario,
        Err(mistakes) => {
            panic!("{}", mistakes.iter().map(|m| format!("{m}\n")).collect::<String>())
        }
    }
}

/// The first mistake's place, message and what stands below the line.
fn mistake(source: &str) -> (usize, usize, usize, String) {
    let first = read("s.yaml", source).err().expect("there is a mistake").remove(0);
    (first.place.line, first.place.column, first.place.length, first.message)
}

#[test]
fn every_part_of_a_scenario_is_read() {
    let read = scenario(
        "
scenario: Heal
about: Somebody scales by hand.
seed: 7
until: 10m
repositories:
  config:
    branch: trunk
    files:
      hello.yaml: |
        kind: Namespace
cluster: {nodes: 2, apply: 'kind: Namespace', people: {eve: [dev, ops], dan: []}}
registry: [nginx:1.27]
sync:
  apps: {repository: config, path: ./apps, wait: true, sourceInterval: 30s}
faults:
  - when: {at: 2m}
    what: {gitDown: {}}
    for: 30s
steps:
  - at: 2m
    as: alice
    run: kubectl get pods
    expect:
      - {field: spec.replicas, of: deployment/hello -n hello, is: 3, within: 1m}
  - write: {a/b.yaml: x}
    remove: c.yaml
    exit: 1
  - {at: 3m, edit: a/b.yaml, replace: x, with: y}
  - {at: 3m, fault: registryDown, for: 10s}
expect:
  - {writes: at most 1, actor: alice}
  - {pods: 3, of: deployment/hello -n hello, are: Running, by: 5m}
  - {object: namespace/hello, exists: false, never: true, until: 9m}
  - {converged: true}
",
    );
    assert_eq!((read.title.as_str(), read.seed), ("Heal", 7));
    let config = &read.repositories["config"];
    assert_eq!(
        (config.branch.as_str(), config.files["hello.yaml"].as_str()),
        ("trunk", "kind: Namespace\n")
    );
    assert_eq!((read.cluster.nodes, read.cluster.apply.len()), (2, 1));
    assert_eq!(read.cluster.people["eve"], ["dev", "ops"]);
    assert_eq!(read.cluster.people["dan"].len(), 0);
    assert_eq!(read.sync["apps"].spec["wait"], json!(true));
    assert_eq!(read.sync["apps"].source_interval, Some(Duration::from_secs(30)));
    assert!(matches!(
        read.faults.faults[0],
        Fault { when: Trigger::At(_), what: FaultAction::GitDown { .. }, lasts: Some(_) }
    ));
    let [scale, files, edit, fault] = &read.steps[..] else { panic!("four steps") };
    assert_eq!(scale.actions, [Action::Run("kubectl get pods".into())]);
    assert_eq!((files.at, files.exit, files.actions.len()), (Duration::from_mins(2), Some(1), 2));
    assert!(matches!(&edit.actions[0], Action::Edit { path, .. } if path == "a/b.yaml"));
    assert!(matches!(
        fault.actions[0],
        Action::Fault { what: FaultAction::RegistryDown {}, lasts: Some(_) }
    ));
    let [writes, pods, never, converged, scaled] = &read.expect[..] else { panic!("five") };
    assert!(matches!(writes.claim, Claim::Writes { count: Count::AtMost(1), .. }));
    assert_eq!(pods.when, When::By(Duration::from_mins(5)));
    assert_eq!(never.when, When::Never(Some(Duration::from_mins(9))));
    assert_eq!((&converged.claim, converged.when), (&Claim::Converged, When::End));
    assert!(matches!(&scaled.claim, Claim::Field { test: Test::Is(v), .. } if *v == json!(3)));
    assert_eq!(scaled.when, When::By(Duration::from_mins(3)));
    assert_eq!(scaled.from, Some(Duration::from_mins(2)));
}

#[test]
fn a_step_that_only_expects_is_printed_as_what_it_expects() {
    let source =
        "scenario: x\nsteps:\n  - at: 2m\n    expect:\n      - {writes: 5, actor: a, at: 3m}\n";
    let printed = read("s.yaml", source).ok().map(|read| read.scenario.to_string()).unwrap();
    assert_eq!(scenario(&printed).to_string(), printed);
    assert!(!printed.contains("steps"), "{printed}");
}

#[test]
fn webhooks_are_read_by_name_and_printed_as_they_are_written() {
    let source = "\
scenario: Hooks
webhooks:
  injector:
    service: mesh/injector
    path: /inject
    does:
    - inject:
        container:
          image: proxy:1
          name: proxy
    - deny:
        message: too many
      when:
        above: 3
        field: spec.replicas
steps:
  - at: 1m0s
    fault:
      admissionDown:
        webhook: injector
";
    let scenario = scenario(source);
    assert_eq!(scenario.webhooks["injector"].name, "injector");
    assert_eq!(scenario.webhooks["injector"].does.len(), 2);
    assert_eq!(scenario.to_string(), source);
}

#[test]
fn the_forge_is_read_and_printed_as_it_is_written() {
    let source = "\
scenario: Forge
repositories:
  config:
    approvals: 1
    private: true
    roles:
      alice: admin
      bob: write
    protect:
      release/*:
        approvals: 2
        checks:
        - test
        dismissStale: true
        linear: true
        sparesAdmins: true
    hooks:
    - http://receiver/hook/1
    files:
      a.yaml: \"\"
tokens:
  al1ce:
    user: alice
  r3ad:
    user: bob
    scopes:
    - contents:read
    repositories:
    - config
    until: 2h0m0s
sync:
  apps:
    repository: config
    webhook: true
";
    let read = scenario(source);
    assert_eq!(read.to_string(), source);
    assert_eq!(scenario(&source.replace("al1ce:\n    user: alice", "al1ce: alice")), read);
    assert!(!read.repositories["config"].protect[0].include_admins);
}

#[test]
fn mistakes_about_the_forge_are_told() {
    let check = |source: &str, line, column, message: &str| {
        let source = format!("scenario: x\n{source}");
        let (found, at, _, told) = mistake(&source);
        assert_eq!((found, at, told.as_str()), (line, column, message), "{source}");
    };
    let repository = |more: &str| format!("repositories:\n  a:\n    files: {{}}\n    {more}\n");
    check(&repository("roles: {bob: owner}"), 5, 18, "there is no role \"owner\"");
    check(&repository("roles: [bob]"), 5, 12, "'roles' is a list");
    check(
        &repository("protect: {main: {approval: 1}}"),
        5,
        22,
        "unknown key 'approval' in a rule for branches",
    );
    check("tokens: {s: {}}", 2, 13, "'user' is missing");
    check("tokens: {s: ''}", 2, 13, "a token of nobody");
    check("tokens: {'a b': bob}", 2, 10, "a token that cannot be typed");
    let scopes = "tokens: {s: {user: bob, scopes: [content:read]}}";
    check(scopes, 2, 33, "there is no scope \"content:read\"");
}

#[test]
fn mistakes_are_told_by_line_column_and_word() {
    let check = |source: &str, line, column, length, message: &str| {
        assert_eq!(mistake(source), (line, column, length, message.to_owned()), "{source}");
    };
    check("", 1, 1, 1, "there is no scenario in it");
    check("- a\n", 1, 1, 1, "a list, and no scenario");
    check("a: b\nkind: A\napiVersion: v1\n", 1, 1, 1, "a manifest, and no scenario");
    check("scenario: x\nstpes: []\n", 2, 1, 5, "unknown key 'stpes' in a scenario");
    check("scenario: x\nuntil: soon\n", 2, 8, 4, "\"soon\" is no time");
    check("scenario: x\nseed: -1\n", 2, 7, 2, "'seed' is a number");
    check("scenario: x\nsteps:\n  - at: 1m\n", 3, 5, 1, "a step that does nothing");
    check(
        "scenario: x\nsteps:\n  - {at: 2m, note: a}\n  - {at: 1m, note: b}\n",
        4,
        10,
        2,
        "a step at 1m0s after one at 2m0s",
    );
    check("scenario: x\nsteps: {}\n", 2, 8, 1, "'steps' is a map");
    check(
        "scenario: x\nfaults:\n  - {when: {at: 2m}, what: {gitDwon: {}}}\n",
        3,
        5,
        1,
        "a fault: unknown variant `gitDwon`",
    );
    check(
        "scenario: x\nexpect: [{wirtes: 1}]\n",
        2,
        10,
        1,
        "an expectation of nothing in particular",
    );
    check(
        "scenario: x\nexpect:\n  - {converged: true, by: 1m, at: 2m}\n",
        3,
        23,
        2,
        "'at' and 'by'",
    );
    check("scenario: [\n", 1, 11, 1, "unclosed bracket '['");
    check("a: 1\na: 2\n", 2, 1, 1, "the key \"a\" stands twice in one mapping");
}

#[test]
fn a_place_within_a_text_is_found_in_the_file() {
    let source = "\
scenario: x
steps:
  - run: kubectl get pdos
  - run: |
      git status
      git psuh
  - {at: 1m, run: 'git psuh'}
";
    let places = read("s.yaml", source).ok().unwrap().places;
    let find = |path: &str, line, column| {
        let mut mistake = Mistake::at(path, "");
        (mistake.place.line, mistake.place.column, mistake.place.length) = (line, column, 4);
        let place = places.locate(mistake).place;
        let found: String = place.text.chars().skip(place.column - 1).take(4).collect();
        (place.line, found)
    };
    assert_eq!(find("steps[0].run", 1, 13), (3, "pdos".into()));
    assert_eq!(find("steps[1].run", 2, 5), (6, "psuh".into()));
    assert_eq!(find("steps[2].run", 1, 5), (7, "psuh".into()));
    assert_eq!(find("steps[2].exit", 0, 0).0, 7);
}

#[test]
fn a_scenario_that_is_printed_reads_as_itself() {
    use crate::check::{Size, scenario as generate};
    use crate::sim::Choices;
    for seed in 0..40 {
        let made = generate(&mut Choices::seeded(seed), &Size::default());
        let printed = made.to_string();
        assert_eq!(scenario(&printed), made, "{printed}");
    }
    let source = std::fs::read_to_string("examples/scenarios/heal.yaml").unwrap();
    let read = scenario(&source);
    assert_eq!(scenario(&read.to_string()), read);
}
