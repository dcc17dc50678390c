//! The command, as people run it: what it prints and how it exits.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use driftlab_tests::{driftlab, root, run, told, tool};

/// A scratch folder with a file in it, named by the test.
fn scratch(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// What a scenario of this text comes to.
fn scenario(name: &str, text: &str) -> String {
    let folder = scratch(name, &[("s.yaml", text)]);
    told(&run(&folder, &["run", "s.yaml"]))
}

const HELLO: &str = "\
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
";

#[test]
fn help_says_what_there_is() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["explain", "--help"],
        &["blame", "--help"],
        &["build", "--help"],
    ] {
        let output = run(&root(), args);
        assert!(output.status.success(), "{args:?}");
        assert!(told(&output).contains("usage: driftlab"), "{args:?}");
    }
    insta::assert_snapshot!("help", told(&run(&root(), &["--help"])));
    insta::assert_snapshot!("run_help", told(&run(&root(), &["run", "--help"])));
    insta::assert_snapshot!("explain_help", told(&run(&root(), &["explain", "--help"])));
}

#[test]
fn a_scenario_that_holds_exits_with_0() {
    let output = run(&root(), &["run", "examples/scenarios/heal.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!told(&output).contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn a_scenario_that_fails_exits_with_1_and_tells_the_difference() {
    let text = format!(
        "{HELLO}steps:\n  - at: 2m\n    as: alice\n    run: flux suspend kustomization apps\n  - at: 3m\n    as: bob\n    run: kubectl scale deployment/hello -n hello --replicas=5\nexpect:\n  - {{field: spec.replicas, of: deployment/hello -n hello, is: 3, by: 6m, from: 3m}}\n"
    );
    insta::assert_snapshot!("fails", scenario("fails", &text));
}

#[test]
fn mistakes_exit_with_2_and_are_shown_where_they_stand() {
    let step = |run: &str| format!("{HELLO}steps:\n  - at: 1m\n    run: {run}\n");
    let expect = |text: &str| format!("{HELLO}expect:\n  - {text}\n");
    let cases = [
        ("no YAML", "scenario: [".to_owned()),
        ("an unknown key", "scenario: x\nstpes: []\n".into()),
        ("no time", "scenario: x\nuntil: tomorrow\n".into()),
        ("an unknown tool", step("kubeclt get pods")),
        ("an unknown command", step("kubectl sacle deployment/hello --replicas=5")),
        ("an unknown flag", step("kubectl scale deployment/hello -n hello --replica=5")),
        ("a missing flag", step("kubectl scale deployment/hello -n hello")),
        ("what needs a terminal", step("kubectl edit deployment/hello")),
        ("what needs a shell", step("kubectl get pods | wc -l")),
        ("an unknown kind", step("kubectl get deplyoments -n hello")),
        ("an unknown namespace", step("kubectl get pods -n helo")),
        ("an unknown file", step("kubectl apply -f helo.yaml")),
        ("an unknown Kustomization", step("flux suspend kustomization app")),
        ("an unknown git command", step("git psuh")),
        ("a commit without a message", step("git commit -a")),
        (
            "the second of two lines",
            format!(
                "{HELLO}steps:\n  - at: 1m\n    run: |\n      git status\n      git pussh origin main\n"
            ),
        ),
        (
            "an edit of nothing",
            format!(
                "{HELLO}steps:\n  - {{at: 1m, edit: hello.yaml, replace: 'replicas: 4', with: x}}\n"
            ),
        ),
        (
            "an unknown repository",
            format!("{HELLO}steps:\n  - {{at: 1m, in: confg, run: git status}}\n"),
        ),
        (
            "a sync of nothing",
            "repositories: {a: {files: {x: y}}}\nsync: {apps: {repository: b}}\n".into(),
        ),
        (
            "a path that is not there",
            "repositories: {a: {files: {x: y}}}\nsync: {apps: {repository: a, path: ./b}}\n".into(),
        ),
        ("an unknown fault", format!("{HELLO}steps:\n  - {{at: 1m, fault: gitDwon, for: 1m}}\n")),
        (
            "a fault of nobody",
            format!(
                "{HELLO}steps:\n  - {{at: 1m, fault: {{partition: {{actor: kustomise-controller}}}}}}\n"
            ),
        ),
        ("an expectation of nothing", expect("{fields: spec.replicas}")),
        ("an object without a name", expect("{field: spec.replicas, of: hello, is: 3}")),
        (
            "an object of no kind",
            expect("{field: spec.replicas, of: deploymnet/hello -n hello, is: 3}"),
        ),
        ("a repository from nowhere", "repositories: {a: {from: ./nowhere}}\n".into()),
        (
            "a bad manifest",
            "cluster:\n  apply: |\n    kind: Namespace\n    metadata: {name: a}\n".into(),
        ),
    ];
    let mut all = String::new();
    for (name, text) in cases {
        let told = scenario("mistakes", &text);
        assert!(told.starts_with("exit 2\n"), "{name}: {told}");
        all += &format!("## {name}\n{told}\n");
    }
    insta::assert_snapshot!("mistakes", all);
}

/// What the command comes to with little memory (500 MB) and little time (20 s of a processor).
fn bounded(folder: &Path, args: &[&str]) -> String {
    const LIMITS: &str = "ulimit -v 500000 && ulimit -t 20 && exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    let output = shell.current_dir(folder).args(["-c", LIMITS]).arg(driftlab()).args(args).output();
    told(&output.expect("sh runs"))
}

/// Files that nobody means to write, by name.
fn bad_files() -> Vec<(&'static str, Vec<u8>)> {
    let laughs = (1..10).fold("a0: &a0 [lol]\n".to_owned(), |text, n| {
        let aliases = vec![format!("*a{}", n - 1); 9].join(",");
        format!("{text}a{n}: &a{n} [{aliases}]\n")
    });
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n";
    let deep: String = (0..3000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    vec![
        ("malformed YAML", b"scenario: x\nsteps: [\n".to_vec()),
        ("billion laughs", laughs.clone().into_bytes()),
        ("billion laughs in a manifest", format!("{manifest}{laughs}").into_bytes()),
        ("100,000 brackets", vec![b'['; 100_000]),
        ("100,000 braces", "{a: ".repeat(100_000).into_bytes()),
        ("3,000 levels of indentation", deep.into_bytes()),
        ("200,000 documents", "--- a\n".repeat(200_000).into_bytes()),
        ("a line of 300,000 characters", format!("about: {}\nx: y\n", "x".repeat(300_000)).into()),
        ("no UTF-8", b"scenario: x\nabout: \xff\xfe\n".to_vec()),
        ("UTF-16", b"\xff\xfes\0c\0e\0n\0".to_vec()),
        ("NUL", b"scenario: \0\n".to_vec()),
        ("nothing", Vec::new()),
        ("a comment", b"# nothing\n".to_vec()),
        ("a text", b"hello\n".to_vec()),
        ("a list", b"- a\n- b\n".to_vec()),
        ("a tab", b"scenario: x\nsteps:\n\t- at: 1m\n".to_vec()),
        ("a key twice", b"scenario: x\nscenario: y\n".to_vec()),
        ("an alias of nothing", b"scenario: *x\n".to_vec()),
        ("a byte order mark and CRLF", "\u{feff}stpes:\r\n- at: 1m\r\n".into()),
    ]
}

#[test]
fn bad_files_are_refused_with_place_and_remedy_in_bounded_time_and_memory() {
    let mut all = String::new();
    for (name, content) in bad_files() {
        let folder =
            scratch("bad", &[("s.yaml", ""), ("d/k/kustomization.yaml", "resources: [a.yaml]\n")]);
        for file in ["s.yaml", "d/a.yaml", "d/k/a.yaml"] {
            std::fs::write(folder.join(file), &content).unwrap();
        }
        let scenario = bounded(&folder, &["run", "s.yaml"]);
        let manifest = bounded(&folder, &["run", "d"]);
        let built = bounded(&folder, &["build", "d/k"]);
        for told in [&scenario, &manifest] {
            assert!(told.starts_with("exit 2\n"), "{name}: {told}");
        }
        all += &format!("## {name}\nrun FILE: {scenario}run DIR: {manifest}build: {built}\n");
    }
    insta::assert_snapshot!("bad_files", all);
}

#[test]
fn what_is_no_file_to_read_is_refused_with_a_remedy() {
    let folder = scratch("no-file", &[("folder/README", "hello\n"), ("s.yaml", "")]);
    for (large, size) in [("large.yaml", 100), ("large/a.yaml", 100)] {
        std::fs::create_dir_all(folder.join("large")).unwrap();
        std::fs::File::create(folder.join(large)).unwrap().set_len(size << 20).unwrap();
    }
    std::fs::create_dir(folder.join("loops")).unwrap();
    for (to, link) in [("b.yaml", "loops/a.yaml"), ("a.yaml", "loops/b.yaml"), ("loop", "loop")] {
        std::os::unix::fs::symlink(to, folder.join(link)).unwrap();
    }
    std::fs::write(folder.join("loops/kustomization.yaml"), "resources:\n- a.yaml\n").unwrap();
    let commands: [&[&str]; 13] = [
        &["run"],
        &["run", "nowhere.yaml"],
        &["run", "folder"],
        &["run", "large.yaml"],
        &["run", "large"],
        &["run", "loop"],
        &["run", "loops"],
        &["run", "/dev/zero"],
        &["build", "nowhere"],
        &["build", "folder"],
        &["build", "s.yaml"],
        &["build", "loops"],
        &["explain", "nowhere.yaml", "pod/a", "spec"],
    ];
    let told =
        commands.map(|args| format!("$ driftlab {}\n{}\n", args.join(" "), bounded(&folder, args)));
    assert!(told.iter().all(|told| told.contains("\nexit 2\n")), "{told:#?}");
    insta::assert_snapshot!("no_files", told.join(""));
}

#[test]
fn a_field_is_explained_back_to_a_line_or_a_command() {
    let explain = |field: &str, more: &[&str]| {
        let file = "examples/scenarios/heal.yaml";
        let args = [&["explain", file, "deployment/hello", field, "-n", "hello"], more].concat();
        told(&run(&root(), &args))
    };
    let all = [
        explain("spec.replicas", &[]),
        explain("spec.replicas", &["--until", "2m10s"]),
        explain("spec.template.spec.containers[hello].image", &[]),
        explain("spec.progressDeadlineSeconds", &[]),
        explain("spec.paused", &[]),
        explain("spec..x", &[]),
        told(&run(
            &root(),
            &["explain", "examples/scenarios/heal.yaml", "deploy/helo", "spec", "-n", "hello"],
        )),
        told(&run(&root(), &["explain", "examples/scenarios/heal.yaml", "deploy/hello", "spec"])),
        told(&run(&root(), &["explain", "examples/scenarios/heal.yaml", "deploi/hello", "spec"])),
    ];
    insta::assert_snapshot!("explain", all.join("\n"));
}

#[test]
fn an_object_is_printed_with_who_set_each_field() {
    let blame = |object: &str, more: &[&str]| {
        let file = "examples/scenarios/heal.yaml";
        told(&run(&root(), &[&["blame", file, object], more].concat()))
    };
    let all = [
        blame("deployment/hello", &["-n", "hello", "--until", "2m10s"]),
        blame("namespace/hello", &[]),
        blame("deployment/hello", &[]),
        blame("deployment", &[]),
    ];
    insta::assert_snapshot!("blame", all.join("\n"));
}

#[test]
fn mistakes_in_the_arguments_are_named() {
    const HEAL: &str = "examples/scenarios/heal.yaml";
    let check = |args: &[&str], expected: &str| {
        let told = told(&run(&root(), args));
        assert_eq!(told, format!("exit 2\ndriftlab: {expected}\n"), "{args:?}");
    };
    check(
        &["dance"],
        "there is no command \"dance\"\n  = there are: run, explain, blame, build, git, serve, pr",
    );
    check(&["--nope"], "invalid option '--nope'\n  = driftlab --help says what there is");
    let more = "\n  = driftlab run --help says what there is";
    check(&["run", "--nope"], &format!("invalid option '--nope'{more}"));
    check(&["run", HEAL, "more"], &format!("unexpected argument \"more\"{more}"));
    check(&["run", HEAL, "--path"], &format!("missing argument for option '--path'{more}"));
    check(&["run", HEAL, "--seed", "x"], "--seed is \"x\": invalid digit found in string");
    check(
        &["run", HEAL, "--until", "soon"],
        "--until is \"soon\": \"soon\" is not a duration such as 30s, 1m30s or 1h",
    );
    check(&["run", HEAL, "--format", "xml"], "--format is \"xml\"; expected text or json");
    check(
        &["run", HEAL, "--path", "apps"],
        "--path apps: examples/scenarios/heal.yaml is no folder\n  = --path names a folder of a folder or repository of manifests",
    );
    check(
        &["explain", HEAL],
        "explain what? FILE OBJECT FIELD are needed: day2.yaml deployment/hello spec.replicas\n  = driftlab explain --help says more",
    );
    check(&["build"], "build what? Name the folder of a kustomization");
}

#[test]
fn a_reader_that_goes_away_is_no_mistake() {
    for args in [&["run", "examples/scenarios/heal.yaml", "--all"][..], &["--help"]] {
        let mut command = Command::new(driftlab());
        command.current_dir(root()).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(told(&output), "exit 0\n", "{args:?}");
    }
}

#[test]
fn an_explanation_is_json_for_programs() {
    let args = ["deployment/hello", "spec.replicas", "-n", "hello", "--format", "json"];
    let output = run(&root(), &[&["explain", "examples/scenarios/heal.yaml"], &args[..]].concat());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["answer"], "git");
    assert_eq!(told["value"], 3);
    assert_eq!(
        told["writes"][1]["command"],
        "kubectl scale deployment/hello -n hello --replicas=5"
    );
    assert_eq!(told["origin"]["line"]["path"], "hello/deployment.yaml");
}

#[test]
fn json_is_an_object_a_line() {
    let output = run(&root(), &["run", "examples/scenarios/heal.yaml", "--format", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(event["event"].is_string() && event["ms"].is_u64(), "{line}");
    }
    assert!(text.lines().count() > 50);
}

#[test]
fn a_folder_of_manifests_is_reconciled_as_it_is() {
    let folder = scratch(
        "folder",
        &[(
            "apps/hello.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello, namespace: default}\ndata: {a: b}\n",
        )],
    );
    let good = told(&run(&folder, &["run", ".", "--path", "apps"]));
    assert!(good.starts_with("exit 0\n") && good.contains("ConfigMap/hello created"), "{good}");
    let bad = told(&run(&folder, &["run", ".", "--path", "nowhere"]));
    assert!(bad.starts_with("exit 2\n") && bad.contains("apps"), "{bad}");
}

/// What `driftlab run` says of a folder: its exit code and, of what it prints, what begins with a word.
fn of_folder(name: &str, files: &[(&str, &str)]) -> String {
    let folder = scratch(name, files);
    let all = told(&run(&folder, &["run", ".", "--until", "1m"]));
    let (code, output) = all.split_once('\n').unwrap();
    match output.split_once("  Synced   ") {
        None => format!("{code}\n{output}"),
        Some((_, sections)) => {
            let end = sections.find("\n  Health").unwrap();
            format!("{code}\n{}\n", &sections[..end])
        }
    }
}

#[test]
fn what_keeps_a_folder_from_being_ready_is_told_with_file_and_remedy() {
    const CONFIG: &str =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n";
    let kustomization = |name: &str, more: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  interval: 1m\n  prune: true\n  sourceRef: {{kind: GitRepository, name: bad-folder}}\n{more}"
        )
    };
    let leads = |more: &str| kustomization("apps", more);
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default}\nspec:\n  replicas: three\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: nginx}]}\n";
    let circle = |names: &[&str]| -> String {
        let next = |i: usize| names[(i + 1) % names.len()];
        let each = names.iter().enumerate().map(|(i, name)| {
            kustomization(name, &format!("  path: ./apps\n  dependsOn:\n  - name: {}\n", next(i)))
        });
        each.collect::<Vec<_>>().join("---\n")
    };
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("no YAML", &[("a.yaml", "kind: ConfigMap\nmetadata: {name: a\n")]),
        (
            "a cyclic kustomization",
            &[
                ("kustomization.yaml", "resources: [a]\n"),
                ("a/kustomization.yaml", "resources: [../]\n"),
            ],
        ),
        ("a file that is missing", &[("kustomization.yaml", "resources:\n- gone.yaml\n")]),
        ("a circle of one", &[("flux/all.yaml", &circle(&["a"])), ("apps/a.yaml", CONFIG)]),
        ("a circle of two", &[("flux/all.yaml", &circle(&["a", "b"])), ("apps/a.yaml", CONFIG)]),
        (
            "a circle of three",
            &[("flux/all.yaml", &circle(&["a", "b", "c"])), ("apps/a.yaml", CONFIG)],
        ),
        (
            "a missing dependency",
            &[
                ("flux/all.yaml", &leads("  path: ./apps\n  dependsOn:\n  - name: infra\n")),
                ("apps/kustomization.yaml", "resources: [a.yaml]\n"),
                ("apps/a.yaml", CONFIG),
            ],
        ),
        ("a missing path", &[("all.yaml", &leads("  path: ./app\n"))]),
        (
            "a cyclic kustomization, led to",
            &[
                ("all.yaml", &leads("  path: ./x/a\n")),
                ("kustomization.yaml", "resources: [all.yaml]\n"),
                ("x/a/kustomization.yaml", "resources:\n- ../b\n"),
                ("x/b/kustomization.yaml", "resources:\n- ../a\n"),
            ],
        ),
        ("a wrong type", &[("web.yaml", deployment)]),
        (
            "an unknown kind",
            &[(
                "web.yaml",
                "apiVersion: apps/v1\nkind: Deploiment\nmetadata: {name: web, namespace: default}\n",
            )],
        ),
        (
            "an unknown namespace",
            &[(
                "a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n",
            )],
        ),
    ];
    let mut all = String::new();
    for (name, files) in cases {
        all += &format!("## {name}\n{}\n", of_folder("bad-folder", files));
    }
    insta::assert_snapshot!("folders", all);
}

#[test]
fn a_repository_that_cannot_be_read_exits_with_2_and_says_what_helps() {
    let Some(_) = tool("git") else { return };
    let git = |folder: &Path, args: &[&str]| {
        let output = Command::new("git").current_dir(folder).args(args).output();
        assert!(output.expect("git runs").status.success(), "git {args:?}");
    };
    let check = |name: &str, harm: &dyn Fn(&Path), expected: &str| {
        let folder = scratch(name, &[("a.yaml", "kind: List\n")]);
        git(&folder, &["init", "-q", "-b", "main"]);
        harm(&folder);
        let told = told(&run(folder.parent().unwrap(), &["run", name]));
        assert_eq!(told, format!("exit 2\ndriftlab: {expected}\n"));
    };
    check(
        "uncommitted",
        &|folder| git(folder, &["add", "."]),
        "uncommitted: the branch \"main\" has no commit yet\n  = commit the manifests first",
    );
    check(
        "headless",
        &|folder| std::fs::write(folder.join(".git/HEAD"), "x").unwrap(),
        "headless: not a git repository that can be read: its HEAD, objects or refs are missing or broken\n  = the repository is damaged; `git fsck` says where, a fresh clone mends it",
    );
    check(
        "sha256",
        &|folder| {
            std::fs::remove_dir_all(folder.join(".git")).unwrap();
            git(folder, &["init", "-q", "--object-format=sha256"]);
        },
        "sha256: its objects are named by sha256; only sha1 is supported\n  = convert it: git init --object-format=sha1 NEW; git fast-export --all --signed-tags=strip | git -C NEW fast-import",
    );
    check(
        "broken",
        &|folder| std::fs::write(folder.join(".git/refs/heads/main"), "x").unwrap(),
        "broken: ignoring broken ref refs/heads/main\n  = the repository is damaged; `git fsck` says where, a fresh clone mends it",
    );
}
