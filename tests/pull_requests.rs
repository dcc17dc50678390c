//! Pull requests of what `driftlab serve` serves: `driftlab pr`, and the API that it asks.
//!
//! Needs the feature `serve`; what needs `git` says so where it is missing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use driftlab::serve::{Options, Pace};
use driftlab::sim::{Controllers, World};
use driftlab::time::Duration;
use driftlab_tests::lab::{CONFIG, Lab, history};
use proptest::collection::vec;
use proptest::prop_assert;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Alice and bob write, root rules, carol reads; `main` takes what one of them approved.
const TEAM: &str = "\
scenario: A team
repositories:
  config:
    files: {hello.yaml: 'replicas: 3', other.yaml: 'a: 1'}
    roles: {alice: write, bob: write, root: admin, carol: read}
    protect: {main: {approvals: 1}, release: {checks: [test], linear: true}}
tokens:
  al1ce: alice
  b0b: bob
  car0l: carol
  r00t: root
  r3ad: {user: bob, scopes: [contents:read]}
";

/// The team's lab with alice's clone `a`, in which branch `five` is pushed, and bob's clone `b`.
fn team() -> Option<Lab> {
    let lab = Lab::of_scenario(TEAM, Controllers::None)?;
    lab.git(".", &format!("clone -q {} a", lab.url_with("config", "al1ce")));
    lab.git(".", &format!("clone -q {} b", lab.url_with("config", "b0b")));
    propose(&lab, "a", "five", "replicas: 5\n");
    Some(lab)
}

fn propose(lab: &Lab, folder: &str, branch: &str, text: &str) {
    lab.git(folder, &format!("checkout -q -b {branch} origin/main"));
    lab.commit(folder, "hello.yaml", text);
    lab.git(folder, &format!("push -q origin {branch}"));
}

/// Checks what `driftlab pr` comes to, line by line.
fn check(lab: &Lab, folder: &str, line: &str, expected: &[&str]) {
    let told = lab.pr(folder, line);
    assert_eq!(told.lines().collect::<Vec<_>>(), expected, "pr {line}");
}

/// Asks the API as somebody: the status, and the body.
fn ask(lab: &Lab, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(lab.addr).expect("it listens");
    let head = format!(
        "{method} /api/v3/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    let authorization = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    let sent = [head.as_bytes(), authorization.as_bytes(), b"\r\n", body.as_bytes()].concat();
    stream.write_all(&sent).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head[9..12].parse().expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn a_branch_is_proposed_reviewed_and_merged() {
    let Some(lab) = team() else { return };
    let waits = "Waits: At least 1 approving review is required by reviewers with write access.";
    let opened = "Opened pull request #1 Run five in config: five into main";
    let title = "open --title 'Run five' --body 'The queue is long.'";
    check(&lab, "a", title, &["exit 0", opened, waits]);
    check(&lab, "b", "list", &["exit 0", "#1  Run five  five -> main  alice"]);
    let told = lab.pr("a", "merge");
    assert!(told.starts_with("exit 1\n") && told.contains("At least 1 approving review"), "{told}");
    let requested = "Requested changes to pull request #1 Run five";
    let told = lab.pr("b", "review 1 --request-changes --body 'Too many.'");
    assert!(told.starts_with(&format!("exit 0\n{requested}\n{waits}\n")), "{told}");
    let approved = ["exit 0", "Approved pull request #1 Run five", "Can be merged"];
    check(&lab, "b", "review 1 --approve", &approved);
    let told = lab.pr("a", "merge --delete-branch");
    let main = lab.reference("refs/heads/main").expect("it is there");
    let merged = format!("Merged pull request #1 Run five: main is at {}", &main[..7]);
    assert_eq!(told, format!("exit 0\n{merged}\nDeleted the branch five there\n"));
    assert_eq!(lab.reference("refs/heads/five"), None);
    let seen = [
        "exit 0",
        "#1 Run five",
        "Merged by alice: alice asks to merge five into main",
        "bob requested changes: Too many.",
        "bob approved",
        "",
        "The queue is long.",
    ];
    check(&lab, "b", "view 1", &seen);
    lab.git("a", "fetch -q");
    let message = "Merge pull request #1 from config/five\n\nRun five";
    assert_eq!(lab.git("a", "log -1 --format=%B origin/main"), message);
}

#[test]
fn a_pull_request_goes_in_as_asked() {
    for (flag, subjects) in [
        ("--merge", "Merge pull request #1 from config/five Change Change First commit"),
        ("--squash", "Fives (#1) First commit"),
        ("--rebase", "Change Change First commit"),
    ] {
        let Some(lab) = team() else { return };
        lab.commit("a", "other.yaml", "a: 5\n");
        lab.git("a", "push -q origin five");
        lab.pr("a", "open -t Fives");
        lab.pr("b", "review 1 -a");
        let told = lab.pr("a", &format!("merge {flag}"));
        assert!(told.starts_with("exit 0\nMerged pull request #1 Fives: main is at "), "{told}");
        lab.git("b", "pull -q");
        assert_eq!(lab.git("b", "log --format=%s").replace('\n', " "), subjects, "{flag}");
        assert_eq!(lab.git("b", "show HEAD:hello.yaml"), "replicas: 5", "{flag}");
    }
}

#[test]
fn without_a_title_it_is_that_of_the_newest_commit() {
    let Some(lab) = team() else { return };
    let opened = "Opened pull request #1 Change in config: five into main";
    lab.commit("a", "hello.yaml", "replicas: 6\n");
    let told = lab.pr("a", "open");
    assert!(told.starts_with(&format!("exit 0\n{opened}\n")), "{told}");
    assert!(
        told.contains("note: five is at ") && told.contains("'git push' takes it along"),
        "{told}"
    );
}

#[test]
fn what_is_not_allowed_is_refused_and_says_why() {
    let Some(lab) = team() else { return };
    lab.pr("a", "open --title Five");
    let before = lab.references("config");
    let refused = |folder: &str, line: &str, expected: &str| {
        let told = lab.pr(folder, line);
        assert!(told.starts_with(&format!("exit 1\ndriftlab: {expected}")), "pr {line}: {told}");
        assert_eq!(lab.references("config"), before, "pr {line}");
    };
    refused("a", "open --title Again", "A pull request already exists for five: #1");
    refused("a", "open --head none --title x", "there is no branch \"none\"\n  = git push -u");
    refused("a", "open --base none --title x", "there is no branch \"none\"");
    refused("a", "open --head main --title x", "No commits between main and main");
    refused("a", "review --approve", "Can not approve or request changes on your own");
    refused("b", "review 1 --comment", "body can't be blank in a comment");
    refused(
        "a",
        "review 1 --approve --token r3ad",
        "Resource not accessible by personal access token: needs pull_requests:write",
    );
    refused(
        "a",
        "review 1 --approve --token wrong",
        "Invalid username or token.\n  = say who you are",
    );
    refused("a", "merge 1 --token car0l", "carol does not have write access to config");
    refused(
        "a",
        "merge 7",
        "there is no pull request #7 in config\n  = driftlab pr list --state all",
    );
    refused("b", "merge", "no pull request of branch main is open in config");
    refused("a", "list --state every", "state is \"every\"; expected open, closed or all");
    refused("a", "close 1 --token car0l", "carol does not have write access to config");
    lab.pr("b", "review 1 --approve");
    let old = lab.git("a", "rev-parse main");
    refused("a", &format!("merge --match-head-commit {old}"), "Head branch was modified.");
    assert!(lab.pr("a", "close").starts_with("exit 0\nClosed pull request #1 Five\n"));
    refused("a", "merge 1", "Pull request #1 is closed");
    refused("b", "review 1 --approve", "Pull request #1 is closed");
    refused("b", "close 1", "Pull request #1 is closed");
    let url = lab.url("none");
    refused("a", &format!("list --repo {url}"), "there is no repository none at http://127.0.0.1");
}

#[test]
fn a_mistake_in_the_input_is_told_with_its_remedy() {
    let Some(lab) = team() else { return };
    lab.git(".", "init -q bare");
    lab.git(".", "clone -q a elsewhere");
    let wrong = |folder: &str, line: &str, expected: &str| {
        let told = lab.pr(folder, line);
        assert!(told.starts_with(&format!("exit 2\ndriftlab: {expected}")), "pr {line}: {told}");
        assert!(told.contains("\n  = "), "{told}");
    };
    wrong(".", "list", "no remote 'origin': fatal: not a git repository");
    wrong("bare", "list", "no remote 'origin': error: No such remote 'origin'");
    wrong(
        "elsewhere",
        "list",
        &format!("{}/a is no repository of driftlab serve", lab.folder.display()),
    );
    wrong("a", "list --repo https://github.com/a/b", "https://github.com/a/b is no repository");
    wrong("a", "list --repo http://127.0.0.1:1/git/x.git", "http://127.0.0.1:1 does not answer: ");
    wrong("a", "open --head none", "there is no branch none here to take a title from");
    wrong("a", "dance", "there is no command \"dance\" of pr; there are: open, list");
    wrong("a", "--repo x", "pr what? There are: open, list");
    wrong("a", "merge one", "\"one\" is no number of a pull request");
    wrong("a", "merge 1 --squash --rebase", "only one of --merge, --squash and --rebase");
    wrong("a", "review 1", "review needs one of --approve");
    wrong("a", "review 1 --approve --comment", "review needs one of --approve");
    wrong("a", "open --squash", "invalid option '--squash'");
    lab.git("a", "checkout -q --detach");
    wrong("a", "open", "HEAD is on no branch\n  = switch to a branch, or give --head");
}

#[test]
fn a_server_that_is_a_stranger_is_found_out() {
    let Some(lab) = Lab::small() else { return };
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "and no JSON"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "is not driftlab serve: "),
        ("", "does not"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "does not answer"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/git/x.git", listener.local_addr().expect("an address"));
        let stranger = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut heard = [0; 4096];
            let _heard = stream.read(&mut heard).expect("it is asked");
            stream.write_all(answer.as_bytes()).expect("it listens");
        });
        let told = lab.pr(".", &format!("list --repo {url}"));
        stranger.join().expect("it ends");
        let is_told = told.starts_with("exit 2\n") || expected == "does not";
        assert!(
            is_told && (told.contains(expected) || expected == "does not"),
            "{answer:?}: {told}"
        );
    }
}

#[test]
fn a_conflict_is_named_and_keeps_a_pull_request_open() {
    let Some(lab) = team() else { return };
    lab.pr("a", "open --title Five");
    propose(&lab, "b", "six", "replicas: 6\n");
    lab.pr("b", "open --title Six");
    lab.pr("a", "review 2 --approve");
    lab.pr("b", "review 1 --approve");
    assert!(lab.pr("b", "merge 2").starts_with("exit 0\n"));
    let seen = [
        "exit 0",
        "#1 Five",
        "Open: alice asks to merge five into main",
        "bob approved",
        "In conflict with main: hello.yaml",
    ];
    check(&lab, "a", "view", &seen);
    for flag in ["--merge", "--squash", "--rebase"] {
        let told = lab.pr("a", &format!("merge {flag}"));
        let expected = "exit 1\ndriftlab: Pull request #1 is not mergeable: the merge commit cannot be \
                        cleanly created, there are conflicts in hello.yaml\n";
        assert_eq!(told, expected);
    }
    lab.git("a", "fetch -q");
    lab.git("a", "merge -q -X ours -m Settle origin/main");
    lab.git("a", "push -q origin five");
    assert!(lab.pr("a", "merge").starts_with("exit 0\nMerged pull request #1 Five"));
}

#[test]
fn a_check_that_is_asked_for_is_waited_for() {
    let Some(lab) = team() else { return };
    lab.git("a", &format!("push -q {} origin/main:refs/heads/old", lab.url_with("config", "r00t")));
    let main = lab.git("a", "rev-parse origin/main");
    let report = |token: &str, revision: &str, body: Value| {
        ask(&lab, token, "POST", &format!("repos/config/statuses/{revision}"), &body.to_string())
    };
    let of_test = |state: &str| json!({"state": state, "context": "test"});
    assert_eq!(report("b0b", &main, of_test("success")).0, 201);
    lab.git("a", "push -q origin origin/main:refs/heads/release");
    lab.pr("a", "open --title Five --base release");
    let waits = |expected: &str| {
        let told = lab.pr("a", "view 1");
        assert!(told.contains(expected), "{expected}: {told}");
    };
    waits("Waits: Required status check \"test\" is expected.\n");
    assert_eq!(report("b0b", "five", of_test("pending")).0, 201);
    waits("check test runs\nWaits: Required status check \"test\" is pending.\n");
    assert_eq!(report("b0b", "five", of_test("failure")).0, 201);
    waits("check test failed\nWaits: Required status check \"test\" is failing.\n");
    assert!(lab.pr("a", "merge").contains("Required status check \"test\" is failing."));
    assert_eq!(report("b0b", "five", of_test("success")).0, 201);
    waits("check test succeeded\nCan be merged\n");
    let (status, told) = ask(&lab, "", "GET", "repos/config/commits/five/status", "");
    assert_eq!((status, &told["state"]), (200, &json!("success")));
    assert_eq!(report("car0l", "five", of_test("success")).0, 403);
    assert_eq!(report("r3ad", "five", of_test("success")).0, 403);
    assert_eq!(report("b0b", "none", of_test("success")).0, 422);
    assert_eq!(report("b0b", "five", of_test("great")).0, 422);
    assert_eq!(report("b0b", "five", json!({"state": "success", "context": "a\nb"})).0, 422);
    assert!(lab.pr("a", "merge --rebase").starts_with("exit 0\n"));
}

#[test]
fn the_api_answers_as_githubs_does() {
    let Some(lab) = team() else { return };
    let check = |token: &str, request: &str, body: &str, expected: (u16, &str)| {
        let (method, path) = request.split_once(' ').expect("a method");
        let (status, told) = ask(&lab, token, method, path, body);
        let particular = told["errors"][0]["message"].as_str();
        let said = particular.or(told["message"].as_str()).unwrap_or_default();
        let (code, words) = expected;
        assert!(status == code && said.contains(words), "{request} {body:.80}: {status} {told}");
    };
    let new =
        |title: &str| json!({"title": title, "head": "alice:five", "base": "main"}).to_string();
    let pulls = "POST repos/config/pulls";
    check("", "GET user", "", (401, "Requires authentication"));
    check("al1ce", "GET user", "", (200, ""));
    check("", "GET repos/config", "", (200, ""));
    check("", "GET repos/none", "", (404, "Not Found"));
    check("", "GET repos/config/pulls/1", "", (404, "Not Found"));
    check("", pulls, &new("Five"), (401, "Authentication required"));
    check("wr0ng", pulls, &new("Five"), (401, "Invalid username or token."));
    check("r3ad", pulls, &new("Five"), (403, "Resource not accessible by personal access token"));
    check("al1ce", pulls, "{", (400, "Problems parsing JSON"));
    check("al1ce", pulls, "[]", (400, "Body should be a JSON object"));
    check("al1ce", pulls, &"[".repeat(100_000), (400, "Problems parsing JSON"));
    check("al1ce", pulls, "{}", (422, "title wasn't supplied"));
    check("al1ce", pulls, &new("Five").replace("\"Five\"", "5"), (422, "title is not a string"));
    check("al1ce", pulls, &new(" "), (422, "title can't be blank"));
    check("al1ce", pulls, &new("Five\r\nX-Header: 1"), (422, "title must be one line"));
    check("al1ce", pulls, &new("\u{1b}[2J"), (422, "title must be one line"));
    check("al1ce", pulls, &new(&"x".repeat(257)), (422, "title is too long (maximum is 256"));
    check("al1ce", pulls, &new(&"x".repeat(4 << 20)), (413, "the body has more than 3 MiB"));
    check("al1ce", pulls, &new("Five").replace("main", "five"), (422, "No commits between"));
    check("al1ce", pulls, &new("Five"), (201, ""));
    check("al1ce", pulls, &new("Five"), (422, "A pull request already exists for five: #1"));
    check("al1ce", "DELETE repos/config/pulls", "", (404, "Not Found"));
    check(
        "al1ce",
        "PATCH repos/config/pulls/1",
        "{\"state\": \"merged\"}",
        (422, "expected closed"),
    );
    let reviews = "POST repos/config/pulls/1/reviews";
    let approve = "{\"event\": \"APPROVE\"}";
    check("al1ce", reviews, approve, (422, "Can not approve or request changes on your own"));
    check("b0b", reviews, "{\"event\": \"LIKE\"}", (422, "expected APPROVE"));
    check("b0b", reviews, "{\"event\": \"COMMENT\"}", (422, "body can't be blank"));
    check("b0b", &reviews.replace('1', "9"), approve, (404, "Not Found"));
    let merge = "PUT repos/config/pulls/1/merge";
    check("al1ce", merge, "", (405, "At least 1 approving review is required"));
    check("b0b", reviews, approve, (200, ""));
    check("al1ce", merge, "{\"merge_method\": \"octopus\"}", (422, "expected merge, squash"));
    check("al1ce", merge, "{\"sha\": \"0000\"}", (409, "Head branch was modified."));
    check("car0l", merge, "", (403, "carol does not have write access to config"));
    check("", "GET repos/config/pulls/1/merge", "", (404, "Not Found"));
    check("al1ce", merge, "", (200, "Pull Request successfully merged"));
    check("", "GET repos/config/pulls/1/merge", "", (204, ""));
    check("al1ce", merge, "", (405, "Pull request #1 is merged already"));
    check("b0b", reviews, approve, (422, "Pull request #1 is merged already"));
    let branch = "DELETE repos/config/git/refs/heads/five";
    check("car0l", branch, "", (403, ""));
    check("al1ce", branch, "", (204, ""));
    check("al1ce", branch, "", (422, "Reference does not exist"));
    check("al1ce", &branch.replace("five", "main"), "", (422, "Cannot delete this branch"));
    let (_, listed) = ask(&lab, "", "GET", "repos/config/pulls?state=closed&head=config:five", "");
    assert_eq!(listed[0]["merged_by"]["login"], "alice");
}

#[test]
fn of_merges_at_once_one_goes_in() {
    let Some(lab) = team() else { return };
    lab.pr("a", "open --title Five");
    lab.pr("b", "review 1 --approve");
    let merge = || ask(&lab, "b0b", "PUT", "repos/config/pulls/1/merge", "").0;
    let mut answers: Vec<u16> = thread::scope(|scope| {
        let running: Vec<_> = (0..8).map(|_| scope.spawn(merge)).collect();
        running.into_iter().map(|merge| merge.join().expect("it ends")).collect()
    });
    answers.sort_unstable();
    assert_eq!(answers, [200, 405, 405, 405, 405, 405, 405, 405]);
    lab.git("b", "pull -q");
    assert_eq!(lab.git("b", "rev-list --count --first-parent HEAD"), "2");
}

#[test]
fn a_request_that_is_cut_off_changes_nothing() {
    let Some(lab) = team() else { return };
    let body = json!({"title": "Five", "head": "five", "base": "main"}).to_string();
    let head =
        "POST /api/v3/repos/config/pulls HTTP/1.1\r\nHost: x\r\nAuthorization: token al1ce\r\n";
    for length in [body.len() + 1, 1 << 40] {
        let mut stream = TcpStream::connect(lab.addr).expect("it listens");
        let sent = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(sent.as_bytes()).expect("it reads");
        stream.shutdown(Shutdown::Write).expect("it is open");
        let mut answer = String::new();
        let _cut_off = stream.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    check(&lab, "a", "list", &["exit 0", "There are no open pull requests in config"]);
}

#[test]
fn a_pull_request_ends_with_its_branch() {
    let Some(lab) = team() else { return };
    lab.pr("a", "open --title Five");
    lab.git("a", "push -q origin --delete five");
    let closed = ["exit 0", "#1  Five  five -> main  alice  closed"];
    check(&lab, "a", "list --state closed", &closed);
    lab.git("a", "push -q origin five");
    assert!(lab.pr("a", "open --title Again").starts_with("exit 0\nOpened pull request #2 Again"));
    check(
        &lab,
        "a",
        "close --delete-branch",
        &["exit 0", "Closed pull request #2 Again", "Deleted the branch five there"],
    );
    assert_eq!(lab.reference("refs/heads/five"), None);
}

#[test]
fn the_users_of_the_cluster_are_known_at_the_forge() {
    let mut world = World::builder().controllers(Controllers::None).build();
    world.add_repository(CONFIG, history());
    let users = "s3cret,alice,1\n0ther,bob,2".parse().expect("users");
    let options = Options { users, anonymous: false, pace: Pace::MANUAL };
    let Some(lab) = Lab::of(world, options) else { return };
    lab.git(".", &format!("clone -q {} a", lab.url_with("config", "s3cret")));
    propose(&lab, "a", "five", "replicas: 5\n");
    assert!(lab.pr("a", "open --title Five").starts_with("exit 0\n"));
    check(&lab, "a", "list", &["exit 0", "#1  Five  five -> main  alice"]);
    let url = lab.url("config");
    let unknown = "exit 1\ndriftlab: Authentication required\n  = say who you are";
    assert!(lab.pr("a", &format!("list --repo {url}")).starts_with(unknown));
    let wrong = "exit 1\ndriftlab: Invalid username or token.\n";
    assert!(lab.pr("a", "list --token al1ce").starts_with(wrong));
    assert!(lab.pr("a", "review 1 --approve --token 0ther").starts_with("exit 0\nApproved"));
    assert!(lab.pr("a", "merge").starts_with("exit 0\nMerged"));
}

#[test]
fn git_is_asked_for_a_name_and_a_token_where_none_is_given() {
    let Some(lab) = team() else { return };
    lab.git("a", &format!("remote set-url origin {}", lab.url("config")));
    let store = lab.folder.join("credentials");
    let helper = format!("store --file={}", store.display());
    assert!(lab.try_args("a", &["config", "credential.helper", &helper]).0);
    assert!(
        lab.pr("a", "open --title Five").starts_with("exit 1\ndriftlab: Authentication required")
    );
    std::fs::write(&store, format!("http://alice:wr0ng@{}\n", lab.addr)).expect("writable");
    assert!(lab.pr("a", "open --title Five").starts_with("exit 1\ndriftlab: Invalid username"));
    assert_eq!(std::fs::read_to_string(&store).expect("it is there"), "", "git was told");
    std::fs::write(&store, format!("http://alice:al1ce@{}\n", lab.addr)).expect("writable");
    assert!(lab.pr("a", "open --title Five").starts_with("exit 0\nOpened pull request #1 Five"));
    check(&lab, "a", "list", &["exit 0", "#1  Five  five -> main  alice"]);
}

/// Requests made of the words of the API, put together as they come.
#[test]
fn no_request_takes_the_server_down() {
    let Some(lab) = team() else { return };
    lab.pr("a", "open --title Five");
    let part = select(vec![
        "repos",
        "config",
        "pulls",
        "1",
        "2",
        "reviews",
        "merge",
        "statuses",
        "five",
        "main",
        "git",
        "refs",
        "heads",
        "commits",
        "status",
        "",
        ".",
        "..",
        "%00",
        "%ff",
        "%2e%2e",
        "HEAD~1",
        "user",
        "main^{tree}",
        "18446744073709551616",
        "none",
        ":",
        "@{-1}",
    ]);
    let key = select(vec![
        "title",
        "head",
        "base",
        "body",
        "state",
        "event",
        "merge_method",
        "sha",
        "context",
    ]);
    let value = select(vec![
        "\"five\"",
        "\"main\"",
        "\"\"",
        "null",
        "1e999",
        "{}",
        "[1]",
        "\"closed\"",
        "\"APPROVE\"",
        "\"COMMENT\"",
        "\"rebase\"",
        "\"success\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"refs/heads/five\"",
    ]);
    let method = select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "DANCE"]);
    let request = (method, vec(part, 0..6), vec((key, value), 0..4));
    let tries = u32::try_from(driftlab_tests::rounds("DRIFTLAB_PULLS", 300)).expect("a few");
    let config = Config { cases: tries, failure_persistence: None, ..Config::default() };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, seed);
    let held = runner.run(&request, |(method, parts, fields)| {
        let pairs: Vec<String> =
            fields.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        let path = match parts.len() % 2 {
            0 => parts.join("/"),
            _ => format!("repos/config/{}", parts.join("/")),
        };
        let (status, told) = ask(&lab, "b0b", method, &path, &format!("{{{}}}", pairs.join(", ")));
        let is_good = (200..500).contains(&status) && (status < 400 || told["message"].is_string());
        prop_assert!(is_good, "{} {}: {} {}", method, path, status, told);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
    lab.git(".", &format!("clone -q --mirror {} after.git", lab.url("config")));
    assert_eq!(lab.git("after.git", "fsck --strict --full --no-progress"), "");
}

const HELLO: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {colour: green}
";

#[test]
fn a_merge_wakes_the_engine_as_a_push_does() {
    let folded = HELLO.replace('\n', "\n        ");
    let text = format!(
        "scenario: A merge\nrepositories:\n  config:\n    files:\n      a.yaml: |\n        {folded}\n\
         sync:\n  apps: {{repository: config, sourceInterval: 10m, webhook: true}}\n"
    );
    let Some(lab) = Lab::of_scenario(&text, Controllers::All) else { return };
    lab.model.pass(Duration::from_secs(30));
    lab.clone_to("a");
    lab.git("a", "checkout -q -b blue");
    lab.commit("a", "a.yaml", &HELLO.replace("green", "blue"));
    lab.git("a", "push -q origin blue");
    let colour = || {
        lab.model.with(|world| {
            let map = world.server().objects().find(|object| object.name() == "settings");
            map.expect("it is applied").text("data.colour").to_owned()
        })
    };
    lab.model.pass(Duration::from_secs(5));
    assert_eq!(colour(), "green");
    assert!(lab.pr("a", "open --title Blue --as alice").starts_with("exit 0"));
    assert!(lab.pr("a", "merge --as bob").starts_with("exit 0"));
    lab.model.pass(Duration::from_secs(5));
    assert_eq!(colour(), "blue");
}
