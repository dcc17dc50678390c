//! The forge's repositories over HTTP: what real `git` clones, fetches and pushes.
//!
//! Needs the feature `serve`; what needs `git` says so where it is missing.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use driftlab::engine::notification::webhook_path;
use driftlab::git::forge::Protection;
use driftlab::scenario;
use driftlab::serve::{Options, Pace};
use driftlab::sim::{Controllers, World};
use driftlab::time::Timestamp;
use driftlab_tests::lab::{CONFIG, Lab, history};

#[test]
fn a_clone_has_what_the_model_has() {
    let Some(lab) = Lab::small() else { return };
    for version in ["0", "1", "2"] {
        let url = lab.url("config");
        let folder = format!("v{version}.git");
        lab.git(".", &format!("-c protocol.version={version} clone -q --mirror {url} {folder}"));
        let refs = lab.git(&folder, "for-each-ref --format=%(objectname)%20%(refname)");
        let found: Vec<&str> = refs.lines().collect();
        assert_eq!(found, lab.references("config"), "version {version}");
        assert_eq!(lab.git(&folder, "symbolic-ref HEAD"), "refs/heads/main");
        assert_eq!(lab.git(&folder, "fsck --strict --full --no-progress"), "");
    }
}

#[test]
fn a_push_arrives() {
    let Some(lab) = Lab::small() else { return };
    lab.clone_to("a");
    let id = lab.commit("a", "apps/hello.yaml", "replicas: 5\n");
    let told = lab.git("a", "push origin main");
    assert!(told.contains("main -> main"), "{told}");
    assert_eq!(lab.reference("refs/heads/main"), Some(id));
}

#[test]
fn commits_tags_and_branches_are_fetched_pushed_and_deleted() {
    let Some(lab) = Lab::small() else { return };
    lab.clone_to("a");
    lab.clone_to("b");
    let id = lab.commit("a", "apps/more.yaml", "kind: List\n");
    lab.git("a", "tag -a -m Two v2");
    lab.git("a", "push -q --follow-tags origin main HEAD:refs/heads/side");
    assert_eq!(lab.reference("refs/heads/side"), Some(id.clone()));
    lab.git("b", "pull -q");
    assert_eq!(lab.git("b", "rev-parse HEAD"), id);
    assert_eq!(lab.git("b", "describe"), "v2");
    lab.git("b", "push -q origin --delete side v1");
    assert_eq!((lab.reference("refs/heads/side"), lab.reference("refs/tags/v1")), (None, None));
    let told = lab.refused("b", "push origin --delete main");
    assert!(told.contains("refusing to delete the current branch: refs/heads/main"), "{told}");
}

#[test]
fn signatures_go_over_the_wire_to_the_byte() {
    let (Some(lab), Some(keygen)) = (Lab::small(), driftlab_tests::tool("ssh-keygen")) else {
        return;
    };
    let key = lab.folder.join("key");
    let made =
        Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("it runs").success());
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("it was made");
    lab.write(".", "signers", &format!("ada@example.com {public}"));
    lab.clone_to("a");
    let key = key.display();
    let signing = format!("-c gpg.format=ssh -c user.signingkey={key}");
    lab.git("a", &format!("{signing} commit -q -S --allow-empty -m Signed"));
    lab.git("a", &format!("{signing} tag -s -m Two v2"));
    lab.git("a", "push -q --follow-tags origin main");
    lab.model.with(|world| {
        let repository = world.repository(CONFIG).expect("it is hosted");
        assert!(repository.commit_at("main").unwrap().is_signed());
        let tag = repository.reference("refs/tags/v2").expect("it was pushed");
        assert!(repository.find_tag(tag).unwrap().is_signed());
    });
    lab.clone_to("b");
    let signers = lab.folder.join("signers").display().to_string();
    let knowing = format!("-c gpg.ssh.allowedSignersFile={signers}");
    let told = lab.git("b", &format!("{knowing} verify-commit HEAD"));
    assert!(told.contains("Good \"git\" signature for ada@example.com"), "{told}");
    lab.git("b", &format!("{knowing} verify-tag v2"));
}

#[test]
fn what_leaves_commits_behind_is_rejected_and_can_be_forced() {
    let Some(lab) = Lab::small() else { return };
    lab.clone_to("a");
    lab.clone_to("b");
    lab.commit("a", "x", "1");
    lab.git("a", "push -q");
    let id = lab.commit("b", "y", "1");
    let told = lab.refused("b", "push");
    assert!(told.contains("! [rejected]        main -> main (fetch first)"), "{told}");
    let told = lab.git("b", "push --force");
    assert!(told.contains("(forced update)"), "{told}");
    assert_eq!(lab.reference("refs/heads/main"), Some(id));
}

#[test]
fn a_long_history_is_fetched_by_what_is_missing() {
    let Some(lab) = Lab::small() else { return };
    lab.clone_to("a");
    for version in ["0", "2"] {
        lab.git(".", &format!("clone -q {} v{version}", lab.url("config")));
    }
    let grow = |second: u64| {
        let commit = |world: &mut World| {
            let file = ("apps/hello.yaml", Some("replicas: 9\n"));
            let other = format!("{second}");
            let files = [file, ("counter", Some(other.as_str()))];
            world.commit("ada", CONFIG, "Count", &files).expect("it is hosted")
        };
        lab.model.with(commit).to_string()
    };
    let ids: Vec<String> = (0..40).map(grow).collect();
    let newest = ids.last().expect("some");
    for version in ["0", "2"] {
        let folder = format!("v{version}");
        // Many commits that the forge does not know: a negotiation of several rounds, compressed.
        for number in 0..40 {
            lab.git(&folder, &format!("commit -q --allow-empty -m {number}"));
        }
        lab.git(&folder, &format!("-c protocol.version={version} fetch -q"));
        assert_eq!(&lab.git(&folder, "rev-parse origin/main"), newest, "version {version}");
        assert_eq!(lab.git(&folder, "fsck --strict --no-progress --no-dangling"), "");
    }
}

#[test]
fn a_history_is_cut_off_where_asked_and_made_whole_again() {
    let Some(lab) = Lab::small() else { return };
    for version in ["0", "2"] {
        let (url, folder) = (lab.url("config"), format!("s{version}"));
        let git = |line: &str| lab.git(&folder, &format!("-c protocol.version={version} {line}"));
        let count = || lab.git(&folder, "rev-list --count HEAD");
        lab.git(".", &format!("-c protocol.version={version} clone -q --depth=1 {url} {folder}"));
        assert_eq!(count(), "1", "version {version}");
        git("fetch -q --deepen=1");
        assert_eq!(count(), "2", "version {version}");
        lab.git(&folder, "commit -q --allow-empty -m From-a-shallow-clone");
        git(&format!("push -q origin HEAD:refs/heads/shallow{version}"));
        git("fetch -q --unshallow");
        assert_eq!(count(), "4", "version {version}");
        assert_eq!(lab.git(&folder, "fsck --strict --no-progress --no-dangling"), "");
        let since = format!("clone -q --shallow-since=2026-01-01T00:00:03Z {url} since{version}");
        lab.git(".", &format!("-c protocol.version={version} {since}"));
        assert_eq!(lab.git(&format!("since{version}"), "rev-list --count HEAD"), "1");
    }
}

#[test]
fn a_protected_branch_is_refused_in_the_words_of_a_forge() {
    let Some(lab) = Lab::small() else { return };
    lab.model.with(|world| {
        world.forge_mut().protect("config", Protection::of("main").require_approvals(1));
    });
    lab.clone_to("a");
    let before = lab.references("config");
    lab.commit("a", "x", "1");
    let told = lab.refused("a", "push origin main");
    for line in [
        "remote: error: GH006: Protected branch update failed for refs/heads/main.",
        "remote: error: Changes must be made through a pull request.",
        " ! [remote rejected] main -> main (protected branch hook declined)",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
    let told = lab.refused("a", "push --atomic origin main HEAD:refs/heads/other");
    assert!(told.contains("other (atomic push failure)"), "{told}");
    assert_eq!(lab.references("config"), before);
    lab.git("a", "push -q origin HEAD:refs/heads/other");
}

#[test]
fn a_push_to_a_new_name_makes_a_repository() {
    let Some(lab) = Lab::small() else { return };
    let told = lab.refused(".", &format!("clone {} none", lab.url("new")));
    assert!(told.contains("not found") || told.contains("could not read Username"), "{told}");
    lab.git(".", "init -q -b trunk n");
    let id = lab.commit("n", "a", "1");
    lab.git("n", &format!("push -q {} trunk", lab.url("new")));
    assert_eq!(lab.references("new"), [format!("{id} refs/heads/trunk")]);
    lab.git(".", &format!("clone -q {} m", lab.url("new")));
    assert_eq!(lab.git("m", "symbolic-ref HEAD"), "refs/heads/trunk");
    lab.git("n", &format!("push -q {} trunk", lab.url("acme/deep/new")));
    assert_eq!(lab.references("acme/deep/new"), [format!("{id} refs/heads/trunk")]);
    for name in ["127.0.0.1/git/config", "git.example.com/config", "x.git"] {
        let told = lab.refused("n", &format!("push {} trunk", lab.url(name)));
        assert!(told.contains("is no name for a new repository"), "{name}: {told}");
    }
}

#[test]
fn with_tokens_a_push_is_its_users_and_nobody_elses() {
    let mut world = World::builder().controllers(Controllers::None).build();
    world.add_repository(CONFIG, history());
    let users = "s3cret,alice,1".parse().expect("a user");
    let options = Options { users, pace: Pace::MANUAL, ..Options::default() };
    let Some(lab) = Lab::of(world, options) else { return };
    let told = lab.refused(".", &format!("clone {} a", lab.url("config")));
    assert!(told.contains("could not read Username"), "{told}");
    let with = |secret: &str| lab.url("config").replace("//", &format!("//x:{secret}@"));
    let told = lab.refused(".", &format!("clone {} a", with("wrong")));
    assert!(told.contains("Authentication failed"), "{told}");
    lab.git(".", &format!("clone -q {} a", with("s3cret")));
    lab.commit("a", "x", "1");
    lab.git("a", "push -q");
    let is_told = || lab.told.lock().expect("nobody panicked").contains("alice");
    for _ in 0..100 {
        if is_told() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing is told of alice");
}

/// A team: alice rules, bob writes, carol reads; ci may only look at `config`, and dan has no token.
const TEAM: &str = "\
scenario: A team
repositories:
  config:
    files: {hello.yaml: 'replicas: 3'}
    roles: {alice: admin, bob: write, carol: read}
    protect:
      main: {approvals: 1, checks: [test], sparesAdmins: true}
  secret:
    files: {a: b}
    private: true
    roles: {alice: write}
tokens:
  al1ce: alice
  b0b: bob
  car0l: carol
  r3ad: {user: bob, scopes: [contents:read], repositories: [config]}
  sh0rt: {user: bob, until: 1h}
";

#[test]
fn a_push_is_refused_in_the_words_of_a_forge() {
    let Some(lab) = Lab::of_scenario(TEAM, Controllers::None) else { return };
    lab.clone_to("a");
    lab.commit("a", "hello.yaml", "replicas: 5");
    let before = lab.references("config");
    let check = |url: &str, to: &str, expected: &[&str]| {
        let told = lab.refused("a", &format!("push {url} HEAD:refs/heads/{to}"));
        for line in expected {
            assert!(told.contains(line), "{url}: {line:?} is not in {told}");
        }
        assert_eq!(lab.references("config"), before);
    };
    let with = |token: &str| lab.url_with("config", token);
    let forbidden = "The requested URL returned error: 403";
    check(&lab.url("config"), "x", &["could not read Username for 'http://127.0.0.1"]);
    check(
        &with("wr0ng"),
        "x",
        &["remote: Invalid username or token.", "fatal: Authentication failed for"],
    );
    check(&with("r3ad"), "x", &["remote: Write access to repository not granted.", forbidden]);
    check(&with("car0l"), "x", &["remote: Permission to config.git denied to carol.", forbidden]);
    check(
        &with("b0b"),
        "main",
        &[
            "remote: error: GH006: Protected branch update failed for refs/heads/main.",
            "remote: error: Changes must be made through a pull request.",
            "remote: error: Required status check \"test\" is expected.",
            " ! [remote rejected] HEAD -> main (protected branch hook declined)",
            "error: failed to push some refs to",
        ],
    );
    check(&lab.url_with("secret", "b0b"), "x", &["remote: Repository not found.", "not found"]);
    check(&lab.url_with("secret", "r3ad"), "x", &["not found"]);
    check(
        &lab.url_with("new", "r3ad"),
        "x",
        &["Write access to repository not granted.", forbidden],
    );
    check(&lab.url_with("none/.x", "b0b"), "x", &["is no name of a repository", "error: 400"]);
    let push = "application/x-git-receive-pack-request";
    let asked = send(lab.addr, "/git/config.git/git-receive-pack", push, b"0000", 4);
    let prompt = "www-authenticate: Basic realm=\"driftlab\"";
    assert!(asked.starts_with("HTTP/1.1 401 ") && asked.contains(prompt), "{asked}");
    lab.model.pass(driftlab::time::Duration::from_hours(2));
    check(&with("sh0rt"), "x", &["Invalid username or token.", "Authentication failed"]);
    lab.git("a", &format!("push -q {} HEAD:refs/heads/topic", with("b0b")));
    lab.git("a", &format!("push -q {} HEAD:refs/heads/main", with("al1ce")));
}

#[test]
fn who_reads_what_is_private_says_who_it_is() {
    let Some(lab) = Lab::of_scenario(TEAM, Controllers::None) else { return };
    let told = lab.refused(".", &format!("clone {} a", lab.url("secret")));
    assert!(told.contains("could not read Username"), "{told}");
    let told = lab.refused(".", &format!("clone {} a", lab.url_with("secret", "b0b")));
    assert!(told.contains("not found"), "{told}");
    lab.git(".", &format!("clone -q {} a", lab.url_with("secret", "al1ce")));
}

#[test]
fn a_push_wakes_the_engine_or_is_found_when_it_looks_next() {
    let arrives = |sync: &str, hooks: &str, more: &str| -> Option<u64> {
        let map = MAP.replace('\n', "\n        ");
        let text = format!(
            "scenario: A push\nrepositories:\n  config:\n    hooks: [{hooks}]\n    files:\n      a.yaml: |\n        {map}\n\
             sync:\n  apps: {{repository: config, sourceInterval: 5m{sync}}}\n{more}"
        );
        let lab = Lab::of_scenario(&text, Controllers::All)?;
        lab.model.pass(driftlab::time::Duration::from_secs(30));
        lab.clone_to("a");
        let id = lab.commit("a", "a.yaml", &MAP.replace("green", "blue"));
        lab.git("a", "push -q");
        let has_arrived = || {
            lab.model.with(|world| {
                let objects: Vec<_> = world.server().objects().collect();
                let source =
                    objects.iter().find(|object| object.kind() == "GitRepository").expect("one");
                let map = objects.iter().find(|object| object.name() == "settings").expect("one");
                source.text("status.artifact.revision").contains(&id)
                    && map.text("data.colour") == "blue"
            })
        };
        let seconds = (0..600).find(|_| {
            let arrived = has_arrived();
            lab.model.pass(driftlab::time::Duration::from_secs(1));
            arrived
        });
        Some(seconds.expect("it arrives within ten minutes"))
    };
    let Some(woken) = arrives(", webhook: true", "", "") else { return };
    assert!(woken <= 3, "{woken} s");
    // A Receiver of one's own, as a file in the cluster has it.
    let hook = webhook_path("t0ken", "forge", "flux-system");
    assert_eq!(arrives("", &format!("https://flux.example.com{hook}"), RECEIVER), Some(woken));
    let found = arrives("", "", "").expect("there is git");
    assert!((200..=330).contains(&found), "{found} s");
    assert_eq!(arrives("", "https://elsewhere.example.com/", ""), Some(found));
}

const RECEIVER: &str = "\
cluster:
  apply:
    - |
      apiVersion: v1
      kind: Secret
      metadata: {name: token, namespace: flux-system}
      stringData: {token: t0ken}
      ---
      apiVersion: notification.toolkit.fluxcd.io/v1
      kind: Receiver
      metadata: {name: forge, namespace: flux-system}
      spec:
        type: generic
        secretRef: {name: token}
        resources: [{kind: GitRepository, name: apps}]
";

const MAP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {colour: green}
";

#[test]
fn of_pushes_at_once_one_goes_first_and_none_is_lost() {
    let Some(lab) = Lab::small() else { return };
    let lab = &lab;
    let names: Vec<String> = (0..6).map(|number| format!("c{number}")).collect();
    let commits: Vec<String> = names
        .iter()
        .map(|name| {
            lab.clone_to(name);
            lab.commit(name, name, "1")
        })
        .collect();
    let push = |name: &String| {
        let (to_main, _) = lab.try_git(name, "push origin main");
        lab.git(name, &format!("push -q origin HEAD:refs/heads/{name}"));
        to_main
    };
    let went: Vec<bool> = std::thread::scope(|scope| {
        let running: Vec<_> = names.iter().map(|name| scope.spawn(|| push(name))).collect();
        running.into_iter().map(|push| push.join().expect("it ends")).collect()
    });
    let first: Vec<&String> =
        commits.iter().zip(&went).filter(|(_, went)| **went).map(|(id, _)| id).collect();
    assert_eq!(first, lab.reference("refs/heads/main").iter().collect::<Vec<_>>(), "{went:?}");
    for (name, id) in names.iter().zip(&commits) {
        assert_eq!(lab.reference(&format!("refs/heads/{name}")).as_ref(), Some(id));
    }
}

#[test]
fn histories_pushed_and_cloned_back_are_the_same() {
    let Some(lab) = Lab::small() else { return };
    for seed in 0..driftlab_tests::rounds("DRIFTLAB_WIRE_HISTORIES", 2) {
        let (here, back, name) = (format!("r{seed}"), format!("r{seed}.git"), format!("r{seed}"));
        lab.git(".", &format!("init -q -b main {here}"));
        wander(&lab, &here, seed as u32);
        lab.git(&here, "repack -q -a -d --depth=50 --window=20");
        lab.git(&here, &format!("push -q --all {}", lab.url(&name)));
        lab.git(&here, &format!("push -q --tags {}", lab.url(&name)));
        lab.git(".", &format!("clone -q --mirror {} {back}", lab.url(&name)));
        let list = "for-each-ref --format=%(objectname)%20%(refname)";
        assert_eq!(lab.git(&back, list), lab.git(&here, list), "seed {seed}");
        assert_eq!(lab.git(&back, "fsck --strict --full --no-progress"), "", "seed {seed}");
        let objects = "rev-list --objects --all --no-object-names";
        let sorted = |text: String| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(lab.git(&back, objects)), sorted(lab.git(&here, objects)));
    }
}

/// Thirty steps: files large and small, renames, branches, merges, tags; deltas come of repacking.
fn wander(lab: &Lab, folder: &str, seed: u32) {
    let mut number = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = |below: u32| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 8) % below
    };
    for step in 0..30 {
        let (file, line) = (next(6), next(400) as usize);
        let long: String =
            (0..400).map(|n| format!("line {}\n", if n == line { step } else { n })).collect();
        lab.commit(folder, &format!("d{}/f {file}", file % 3), &long);
        match next(6) {
            0 => drop(lab.try_git(folder, &format!("branch b{step}"))),
            1 => drop(lab.try_git(folder, &format!("tag -a -m T t{step}"))),
            2 => drop(lab.try_git(folder, "merge -q --no-ff -m Merge --strategy=ours HEAD~2")),
            3 => drop(lab.try_git(folder, &format!("tag l{step} HEAD~1"))),
            4 => drop(lab.try_git(folder, &format!("checkout -q -b c{step} HEAD~1"))),
            _ => drop(lab.try_git(folder, "merge -q -X ours -m Merge main")),
        }
    }
}

/// Sends a request as it is; the answer, head and body.
fn send(addr: SocketAddr, path: &str, kind: &str, body: &[u8], announced: usize) -> String {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {announced}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).expect("it reads");
    if body.len() < announced {
        stream.shutdown(Shutdown::Both).expect("it is open");
    }
    let mut answer = Vec::new();
    let _cut_off = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// What a push of a pack to a new branch is answered.
fn push_pack(lab: &Lab, id: &str, pack: &[u8]) -> String {
    let line = format!("{:040} {id} refs/heads/evil\0report-status", 0);
    let body = [format!("{:04x}{line}0000", line.len() + 4).as_bytes(), pack].concat();
    let kind = "application/x-git-receive-pack-request";
    send(lab.addr, "/git/config.git/git-receive-pack", kind, &body, body.len())
}

#[test]
fn a_bad_pack_is_refused_and_nothing_changes() {
    let Some(lab) = Lab::small() else { return };
    let before = lab.references("config");
    lab.clone_to("a");
    let id = lab.commit("a", "x", "1");
    let pack = |list: &str| {
        let mut command = Command::new(&lab.git);
        command.current_dir(lab.folder.join("a")).args([
            "pack-objects",
            "--stdout",
            "-q",
            "--revs",
        ]);
        if !list.contains('\n') {
            command.args(["--no-reuse-delta"]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = command.spawn().expect("git runs");
        running.stdin.take().expect("a pipe").write_all(list.as_bytes()).expect("it reads");
        running.wait_with_output().expect("it ends").stdout
    };
    let good = pack("HEAD\n--not\norigin/main\n");
    let check = |what: &str, pack: &[u8], expected: &str| {
        let told = push_pack(&lab, &id, pack);
        assert!(told.contains(expected), "{what}: {expected} is not in {told}");
        assert_eq!(lab.references("config"), before, "{what}");
    };
    check("empty", b"", "unpack the pack is cut off at byte 0");
    check("no pack", b"GIF89a, not a pack at all", "unpack not a pack");
    check("cut off", &good[..good.len() / 2], "unpack ");
    let mut damaged = good.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    check("damaged", &damaged, "unpack the checksum of the pack is wrong");
    // A blob that says it has a terabyte.
    let bomb =
        [b"PACK\0\0\0\x02\0\0\0\x01".as_slice(), &[0xb0, 0x80, 0x80, 0x80, 0x80, 0x40], &[0; 40]];
    check("bomb", &bomb.concat(), "64 MiB is the limit");
    // Nothing in it: the commit is missing.
    let empty = pack("\n");
    check("missing", &empty, "ng refs/heads/evil missing necessary objects");
    let told = push_pack(&lab, &id, &good);
    assert!(told.contains("ok refs/heads/evil"), "{told}");
}

#[test]
fn trees_that_lead_elsewhere_are_refused() {
    let Some(lab) = Lab::small() else { return };
    lab.clone_to("a");
    let before = lab.references("config");
    for name in [".git", "..", "a/b", "."] {
        let blob = lab.git("a", "rev-parse HEAD:apps/hello.yaml");
        let bytes: Vec<u8> = (0..40)
            .step_by(2)
            .map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap())
            .collect();
        let tree = [format!("100644 {name}\0").as_bytes(), &bytes].concat();
        std::fs::write(lab.folder.join("a/tree"), tree).expect("writable");
        let tree = lab.git("a", "hash-object -t tree -w --literally tree");
        let commit = lab.git("a", &format!("commit-tree -m Evil {tree}"));
        let told = lab.refused("a", &format!("push origin {commit}:refs/heads/evil"));
        assert!(told.contains("leads out of its folder"), "{name}: {told}");
        assert_eq!(lab.references("config"), before);
    }
}

#[test]
fn what_is_no_request_of_gits_is_refused() {
    let Some(lab) = Lab::small() else { return };
    let before = lab.references("config");
    let push = "application/x-git-receive-pack-request";
    let check = |path: &str, kind: &str, body: &[u8], announced: usize, expected: &str| {
        let told = send(lab.addr, path, kind, body, announced);
        let status = told.lines().next().unwrap_or_default();
        assert!(status.contains(expected), "{path}: {told}");
        assert_eq!(lab.references("config"), before);
    };
    check("/git/config.git/git-receive-pack", push, b"zzzz", 4, "400");
    check("/git/config.git/git-receive-pack", push, b"00ff", 4, "400");
    check("/git/config.git/git-receive-pack", "text/plain", b"0000", 4, "415");
    check("/git/../config.git/git-receive-pack", push, b"0000", 4, "400");
    check("/git/config.git/objects", push, b"0000", 4, "404");
    // Cut off half-way: less comes than was announced.
    check("/git/config.git/git-receive-pack", push, b"0000PACK", 1000, "");
}

#[test]
fn a_repository_that_is_served_is_fetched_by_its_address() {
    let lab = scenario::load(&driftlab_tests::root().join("tutorials/day2.yaml"));
    let mut world = lab.expect("well-formed").world(Timestamp::START, Controllers::All);
    let source = |world: &World| {
        let url = world.forge().repositories().next().expect("one").to_owned();
        world.repository(&format!("http://127.0.0.1:1234/git/{url}.git")).map(|r| r.head_id())
    };
    assert!(source(&world).is_some());
    world.run_for(driftlab::time::Duration::from_secs(60));
    assert!(world.repository("http://example.com/git/config.git").is_none());
}

/// The commands of the chapter, in order, and what it says they print; ages and ids are left out.
#[test]
fn the_chapter_about_git_tells_what_happens() {
    let chapter = include_str!("../tutorials/10_git/README.md");
    let (alone, team) = chapter.split_once("## Four eyes").expect("the chapter has both parts");
    for (file, part, commands) in
        [("tutorials/day2.yaml", alone, 15), ("tutorials/10_git/team.yaml", team, 15)]
    {
        let loaded = scenario::load(&driftlab_tests::root().join(file));
        let world = loaded.expect("well-formed").world(Timestamp::START, Controllers::All);
        let options = Options { pace: Pace::times(60), ..Options::default() };
        let Some(lab) = Lab::of(world, options) else { return };
        if !lab.follow(part, "127.0.0.1:40393", commands) {
            return;
        }
    }
}
