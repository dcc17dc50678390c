//! Scenarios, from the file to the verdict.

use std::path::{Path, PathBuf};

use driftlab::report::{Options, timeline};
use driftlab::scenario::{self, RunOptions, Scenario};
use driftlab::sim::script::{Claim, When};
use driftlab::time::Duration;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios")
}

fn play(name: &str) -> scenario::Run {
    let loaded = scenario::load(&examples().join(name)).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|m| format!("{m}\n")).collect::<String>())
    });
    loaded.play(&RunOptions::default())
}

#[test]
fn every_example_holds() {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let run = play(name);
        let failed: Vec<_> = run.verdicts.iter().filter(|verdict| !verdict.holds).collect();
        assert!(failed.is_empty(), "{name}: {failed:#?}");
    }
}

#[test]
fn the_heal_example_is_told_on_a_page() {
    insta::assert_snapshot!("heal", timeline(play("heal.yaml").trace(), &Options::default()));
}

#[test]
fn the_same_seed_tells_the_same_story_to_the_byte() {
    let story = |seed| {
        let loaded = scenario::load(&examples().join("heal.yaml")).unwrap();
        let options = RunOptions { seed: Some(seed), until: None };
        driftlab::report::json_lines(loaded.play(&options).trace())
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

const DAY: &str = "\
scenario: A day
repositories:
  config:
    files:
      hello.yaml: |
        apiVersion: v1
        kind: Namespace
        metadata: {name: hello}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: hello, namespace: hello}
        spec:
          replicas: 3
          selector: {matchLabels: {app: hello}}
          template:
            metadata: {labels: {app: hello}}
            spec:
              containers: [{name: hello, image: nginx:1.27}]
sync:
  apps: {repository: config}
until: 10m
steps:
  - {at: 2m, as: alice, run: kubectl scale deployment/hello -n hello --replicas=5}
  - {at: 4m, as: alice, run: flux suspend kustomization apps}
  - {at: 5m, as: bob, run: kubectl scale deployment/hello -n hello --replicas=7}
  - {at: 6m, as: bob, run: kubectl scale deployment/hello -n hello --replicas=5}
";

const HELLO: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: hello}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, namespace: hello}
spec:
  replicas: 3
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      containers: [{name: hello, image: nginx:1.27}]
";

fn hello() -> Scenario {
    Scenario::new("hello").repository("config", [("hello.yaml", HELLO)]).sync("apps", "config", ".")
}

#[test]
fn a_scenario_built_in_rust_is_played_like_one_from_a_file() {
    let run = hello()
        .at("2m")
        .as_("alice")
        .run("kubectl scale deployment/hello -n hello --replicas=5")
        .expect(
            Claim::field("deployment/hello -n hello", "spec.replicas", 5),
            When::At(Duration::from_mins(2)),
        )
        .expect(Claim::field("deployment/hello -n hello", "spec.replicas", 3), When::End)
        .play()
        .unwrap();
    assert!(run.holds(), "{:#?}", run.verdicts);
}

#[test]
fn a_commit_that_is_pushed_arrives_and_a_revert_goes_back() {
    let run = hello()
        .at("1m")
        .as_("alice")
        .edit("hello.yaml", "replicas: 3", "replicas: 5")
        .run("git commit -am 'Run five' && git push")
        .at("4m")
        .run("git revert --no-edit HEAD\ngit push")
        .expect(
            Claim::field("deployment/hello -n hello", "spec.replicas", 5),
            When::At(Duration::from_mins(3)),
        )
        .expect(Claim::field("deployment/hello -n hello", "spec.replicas", 3), When::End)
        .expect(
            Claim::Commits {
                count: driftlab::sim::script::Count::Exactly(2),
                repository: String::new(),
            },
            When::End,
        )
        .expect(Claim::Converged, When::End)
        .play()
        .unwrap();
    assert!(run.holds(), "{:#?}\n{}", run.verdicts, timeline(run.trace(), &Options::default()));
}

#[test]
fn what_does_not_hold_is_told_with_the_difference_and_when_it_began() {
    let run = hello()
        .at("2m")
        .as_("alice")
        .run("flux suspend kustomization apps")
        .at("3m")
        .run("kubectl scale deployment/hello -n hello --replicas=5")
        .expect(Claim::field("deployment/hello -n hello", "spec.replicas", 3), When::End)
        .play()
        .unwrap();
    let failed = &run.verdicts[0];
    assert!(!failed.holds);
    assert_eq!(
        failed.difference,
        "found 5\n+2s kustomize-controller set spec.replicas nothing → 3\n+3m00s alice set spec.replicas 3 → 5"
    );
}

#[test]
fn a_scenario_prints_as_a_file_that_a_person_would_write() {
    let source = std::fs::read_to_string(examples().join("heal.yaml")).unwrap();
    let read = scenario::read("heal.yaml", &source).unwrap();
    insta::assert_snapshot!("printed", read.to_string());
}

/// At 2m alice scales to 5, at 2m59s the loop has healed it; at 4m the loop is suspended, at 5m bob scales
/// to 7 and at 6m back to 5.
#[test]
fn what_must_be_so_by_a_time_must_be_so_then_and_says_since_when() {
    let check = |expectation: &str, expected: &str| {
        let source = format!("{DAY}expect:\n  - {expectation}\n");
        let scenario = scenario::read("day.yaml", &source).unwrap_or_else(|m| panic!("{m:?}"));
        let run = scenario.play_with(&examples(), &RunOptions::default()).unwrap();
        let verdict = &run.verdicts[0];
        let told = match verdict.holds {
            true => verdict.text.clone(),
            false => verdict.difference.lines().last().unwrap_or_default().to_owned(),
        };
        assert_eq!(told, expected, "{expectation}");
    };
    let of = "of: deployment/hello -n hello";
    let name = "deployment/hello -n hello: spec.replicas";
    let replicas = |more: &str| format!("{{field: spec.replicas, {of}, {more}}}");
    // It was three before anybody touched it, which proves nothing.
    check(&replicas("is: 3, by: 3m30s"), &format!("{name} is 3 by 3m30s, since 2m59s"));
    check(
        &replicas("is: 3, by: 3m30s, from: 1m50s"),
        &format!("{name} is 3 by 3m30s, since 2m59s"),
    );
    check(&replicas("is: 3, by: 1m30s, from: 1m"), &format!("{name} is 3 by 1m30s, all along"));
    // What was so and is no more does not hold.
    check(&replicas("is: 3, by: 5m30s"), "it was so from 2m59s to 5m00s");
    check(&replicas("is: 7, by: 7m"), "it was so from 5m00s to 6m00s");
    // What is done at that very time comes after 'by' and before 'at'.
    check(&replicas("is: 7, by: 6m"), &format!("{name} is 7 by 6m00s, since 5m00s"));
    check(&replicas("is: 5, at: 6m"), &format!("{name} is 5 at 6m00s"));
    check(&replicas("is: 7, never: true, until: 4m"), &format!("never: {name} is 7 until 4m00s"));
    check(&replicas("is: 3, always: true, from: 3m, until: 5m"), "at +5m00s");
    // Counts are of all that happened from then on.
    check(
        &format!("{{writes: 1, {of}, actor: bob, by: 5m30s}}"),
        "1 write by bob to deployment/hello -n hello by 5m30s, since 5m00s",
    );
    check(&format!("{{writes: 1, {of}, actor: bob, by: 7m}}"), "it was so from 5m00s to 6m00s");
    check(
        &format!("{{writes: 1, {of}, actor: bob, from: 5m30s}}"),
        "1 write by bob to deployment/hello -n hello at the end",
    );
    check("{converged: true, by: 3m10s}", "converged by 3m10s, since 2m59s");
    check("{converged: true, at: 2m3s}", "Deployment/hello/hello spec.replicas has drifted");
}

/// A repository that takes signed commits only, a tag that is signed and one that is not, and the
/// condition of a GitRepository that asks for this.
fn verified(verify: &str, reference: &str) -> String {
    let text = format!(
        "\
scenario: Verified
repositories:
  config:
    signed: true
    files:
      a.yaml: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {{name: a, namespace: default}}
cluster:
  apply:
    - |
      apiVersion: v1
      kind: Secret
      metadata: {{name: ssh, namespace: default}}
      stringData: {{alice.sshpub: key}}
    - |
      apiVersion: v1
      kind: Secret
      metadata: {{name: pgp, namespace: default}}
      stringData: {{alice.asc: key}}
    - |
      apiVersion: source.toolkit.fluxcd.io/v1
      kind: GitRepository
      metadata: {{name: config, namespace: default}}
      spec:
        interval: 1m
        url: https://git.example.com/config.git
        suspend: true
        ref: {reference}
        verify: {verify}
steps:
  - at: 1m
    run: |
      git commit --allow-empty -m Plain
      git tag -a plain -m Plain
      git tag light
      git verify-commit HEAD
    exit: 1
  - {{at: 2m, run: git push, exit: 1, output: Commits must have verified signatures.}}
  - at: 3m
    run: |
      git commit --amend --no-edit -S
      git verify-commit HEAD
      git tag -s signed -m Signed
      git verify-tag signed
    output: 'Good \"git\" signature for alice@example.com'
  - {{at: 3m, run: git verify-tag plain, exit: 1, output: no signature found}}
  - {{at: 3m, run: git push --tags}}
  - {{at: 3m, run: git push}}
  - at: 4m
    run: |
      kubectl patch gitrepository config --type=merge -p '{{\"spec\": {{\"suspend\": false}}}}'
expect:
  - {{field: 'status.conditions[type=SourceVerified].status', of: gitrepository/config, exists: true}}
"
    );
    let run = match scenario::read("verified.yaml", &text) {
        Ok(scenario) => scenario.play().unwrap(),
        Err(mistakes) => {
            panic!("{}", mistakes.iter().map(|m| format!("{m}\n")).collect::<String>())
        }
    };
    assert!(run.holds(), "{:#?}", run.verdicts);
    let object = run.world.server().objects_of("source.toolkit.fluxcd.io", "GitRepository").next();
    let object = object.expect("it was made");
    let conditions = driftlab::reconciler::conditions(object);
    let told = |kind: &str| {
        let condition = conditions.iter().find(|condition| condition.kind == kind)?;
        Some(format!("{kind} {} {}: {}", condition.status, condition.reason, condition.message))
    };
    let stored = object.get("status.artifact").map(|_| "an artifact".to_owned());
    let told = ["SourceVerified", "Stalled"].into_iter().filter_map(told).chain(stored);
    without_ids(&told.collect::<Vec<_>>().join("; "))
}

/// Names of commits and keys left out.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() >= 40;
    let words = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "+/:".contains(c)));
    words
        .map(
            |word| if is_id(word) { word.chars().last().unwrap().to_string() } else { word.into() },
        )
        .collect()
}

#[test]
fn a_source_takes_in_what_is_signed_as_it_asks_for() {
    let check = |verify: &str, reference: &str, expected: &str| {
        assert_eq!(verified(verify, reference), expected, "{verify} of {reference}");
    };
    let main = "{branch: main}";
    check(
        "{mode: HEAD, secretRef: {name: ssh}}",
        main,
        "SourceVerified True Succeeded: verified signature of\n\t- commit '' with key ''; an artifact",
    );
    check(
        "{secretRef: {name: none}}",
        main,
        "SourceVerified False VerificationError: public keys secret error: secrets \"none\" not found",
    );
    check(
        "{mode: head, secretRef: {name: pgp}}",
        main,
        "SourceVerified False InvalidCommitSignature: signature verification of commit '' failed: SSH \
         signature detected but no SSH public keys found in secret (keys with .sshpub suffix)",
    );
    const NO_TAG: &str = "InvalidVerificationMode: cannot verify tag object's signature if a tag \
                          reference is not specified";
    check(
        "{mode: Tag, secretRef: {name: ssh}}",
        main,
        &format!("SourceVerified False {NO_TAG}; Stalled True {NO_TAG}"),
    );
    check(
        "{mode: TagAndHEAD, secretRef: {name: ssh}}",
        "{tag: signed}",
        "SourceVerified True Succeeded: verified signature of\n\t- tag 'signed@' with key ''\n\t- commit \
         '' with key ''; an artifact",
    );
    check(
        "{mode: Tag, secretRef: {name: ssh}}",
        "{tag: plain}",
        "SourceVerified False InvalidGitObject: cannot verify signature of tag 'plain@' since it is not signed",
    );
    check(
        "{mode: Tag, secretRef: {name: ssh}}",
        "{name: refs/tags/light}",
        "SourceVerified False InvalidGitObject: cannot verify signature of tag 'light' since it is not signed",
    );
    check(
        "{mode: HEAD, secretRef: {name: ssh}}",
        "{tag: light}",
        "SourceVerified False InvalidCommitSignature: signature verification of commit '' failed: \
         unsupported signature type: empty",
    );
}
