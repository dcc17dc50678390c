use super::*;
use crate::git::{RefUpdate, SigningKey, Worktree};

const CONFIG: &str = "acme/config";

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + secs)
}

fn user(login: &str) -> Caller {
    Caller::User(login.into())
}

/// A forge with one repository, in which `main` has one file; alice and bob may write, carl may read.
fn forge() -> Forge {
    let mut forge = Forge::new("https://git.example");
    for login in ["alice", "bob", "carl", "root"] {
        forge.add_user(login, login, &format!("{login}@example.com"));
    }
    let mut worktree = Worktree::new(Repository::new());
    worktree.write("hello.yaml", "replicas: 3\n").unwrap();
    worktree.commit_all("Run three", forge.signature("alice", at(0))).unwrap();
    forge.host(CONFIG, worktree.repository().clone());
    forge.grant(CONFIG, "alice", Role::Write);
    forge.grant(CONFIG, "bob", Role::Write);
    forge.grant(CONFIG, "root", Role::Admin);
    forge
}

fn clone(forge: &Forge) -> Worktree {
    Worktree::new(forge.clone_repository(CONFIG, &user("alice"), at(1)).unwrap())
}

/// A commit of `hello.yaml` on a branch, which is made if need be, pushed by alice.
fn propose(forge: &mut Forge, branch: &str, replicas: u64) {
    let mut worktree = clone(forge);
    if worktree.repository().branch_id(branch).is_none() {
        let start = format!("refs/remotes/origin/{branch}");
        let start = if worktree.repository().reference(&start).is_some() { &start } else { "HEAD" };
        worktree.repository_mut().branch(branch, start).unwrap();
    }
    worktree.switch(branch).unwrap();
    worktree.write("hello.yaml", format!("replicas: {replicas}\n")).unwrap();
    let ada = forge.signature("alice", at(replicas));
    worktree.commit_all(&format!("Run {replicas}"), ada).unwrap();
    let pushed =
        forge.push(CONFIG, &user("alice"), worktree.repository(), &[branch], false, at(2)).unwrap();
    assert!(pushed.is_ok(), "{pushed}");
}

fn open(forge: &mut Forge, source: &str) -> u64 {
    let new = NewPull {
        title: format!("Take {source}"),
        source: source.into(),
        target: "main".into(),
        ..NewPull::default()
    };
    forge.open_pull(CONFIG, &user("alice"), new, at(3)).unwrap().number
}

fn push_main(forge: &mut Forge, who: &str, refspec: &str, force: bool) -> String {
    let mut worktree = clone(forge);
    worktree.write("hello.yaml", "replicas: 9\n").unwrap();
    worktree.commit_all("Run nine", forge.signature(who, at(4))).unwrap();
    let pushed = forge.push(CONFIG, &user(who), worktree.repository(), &[refspec], force, at(4));
    pushed.map_or_else(|error| error.to_string(), |pushed| pushed.to_string())
}

fn text(forge: &Forge) -> String {
    let tree = forge.repository(CONFIG).unwrap().tree("main").unwrap();
    tree.text("hello.yaml").unwrap().to_owned()
}

#[test]
fn a_repository_is_found_by_every_form_of_its_url() {
    let forge = forge();
    for url in [
        "acme/config",
        "https://git.example/acme/config",
        "https://git.example/acme/config.git",
        "https://git.example/acme/config/",
        "https://x-access-token:s3cret@git.example/acme/config.git",
        "ssh://git@git.example/acme/config.git",
        "git@git.example:acme/config.git",
    ] {
        assert_eq!(forge.name_of(url), Some(CONFIG), "{url}");
    }
    for url in ["", "acme", "https://git.example/acme/other", "https://other.example/acme/config"] {
        assert_eq!(forge.name_of(url), None, "{url}");
    }
}

#[test]
fn who_may_write_pushes_and_who_may_not_is_told() {
    let mut forge = forge();
    assert_eq!(
        push_main(&mut forge, "carl", "main", false),
        "remote: Permission to acme/config.git denied to carl.\n\
         fatal: unable to access 'https://git.example/acme/config.git/': The requested URL returned error: 403"
    );
    let told = push_main(&mut forge, "alice", "main", false);
    assert!(told.starts_with("To https://git.example/acme/config.git\n   "), "{told}");
    assert_eq!(text(&forge), "replicas: 9\n");
}

#[test]
fn a_private_repository_is_not_there_for_strangers() {
    let mut forge = forge();
    forge.make_private(CONFIG);
    let told =
        |caller: &Caller| forge.read(CONFIG, caller, at(1)).map(drop).map_err(|e| e.to_string());
    let missing = "remote: Repository not found.\nfatal: repository 'https://git.example/acme/config.git/' not found";
    assert_eq!(told(&user("carl")), Err(missing.into()));
    assert_eq!(told(&Caller::Anonymous), Err(missing.into()));
    assert_eq!(told(&user("bob")), Ok(()));
}

#[test]
fn a_token_gives_what_it_was_made_for_and_no_more() {
    let mut forge = forge();
    forge.make_private(CONFIG);
    let worktree = clone(&forge);
    forge.add_token("reader", Token::of("alice", [Scope::ReadContents]).only_for(CONFIG));
    forge.add_token("writer", Token::of("alice", [Scope::WriteContents]).until(at(100)));
    forge.add_token("elsewhere", Token::of("alice", [Scope::WriteContents]).only_for("acme/app"));
    let mut told = |secret: &str, now: Timestamp| {
        let caller = Caller::Token(secret.into());
        let read = forge.read(CONFIG, &caller, now).is_ok();
        let pushed =
            forge.push(CONFIG, &caller, worktree.repository(), &["HEAD:topic"], false, now);
        (read, pushed.map_or_else(|error| error.to_string(), |pushed| pushed.is_ok().to_string()))
    };
    let (read, pushed) = told("reader", at(5));
    assert!(read && pushed.starts_with("remote: Write access to repository not granted."));
    assert_eq!(told("writer", at(99)), (true, "true".into()));
    let (read, pushed) = told("writer", at(100));
    assert!(!read && pushed.contains("Authentication failed"), "{pushed}");
    let (read, pushed) = told("elsewhere", at(5));
    assert!(!read && pushed.contains("Repository not found"), "{pushed}");
    assert!(!told("unknown", at(5)).0);
}

#[test]
fn a_protected_branch_moves_by_reviewed_pull_requests() {
    let mut forge = forge();
    forge.protect(CONFIG, Protection::of("main").require_approvals(1));
    assert_eq!(
        push_main(&mut forge, "alice", "main", false),
        "remote: error: GH006: Protected branch update failed for refs/heads/main.\n\
         remote: error: Changes must be made through a pull request.\n\
         To https://git.example/acme/config.git\n \
         ! [remote rejected] main -> main (protected branch hook declined)\n\
         error: failed to push some refs to 'https://git.example/acme/config.git'"
    );
    propose(&mut forge, "topic", 5);
    let number = open(&mut forge, "topic");
    let merge = |forge: &mut Forge| {
        forge.merge_pull(CONFIG, &user("alice"), number, MergeMethod::Merge, at(9))
    };
    assert!(matches!(merge(&mut forge), Err(PullError::Blocked { .. })));
    let own = forge.review(CONFIG, &user("alice"), number, Verdict::Approve, "", at(5));
    assert_eq!(own, Err(PullError::OwnPull));
    // A kind word of somebody who may not write does not count.
    let _ = forge.review(CONFIG, &user("carl"), number, Verdict::Approve, "", at(5)).unwrap();
    assert!(merge(&mut forge).is_err());
    let _ =
        forge.review(CONFIG, &user("bob"), number, Verdict::RequestChanges, "No", at(6)).unwrap();
    assert!(merge(&mut forge).unwrap_err().to_string().contains("Changes were requested"));
    let _ = forge.review(CONFIG, &user("bob"), number, Verdict::Approve, "", at(7)).unwrap();
    let merged = merge(&mut forge).unwrap().commit.unwrap();
    let repository = forge.repository(CONFIG).unwrap();
    let commit = repository.find_commit(merged).unwrap();
    assert_eq!(commit.message, "Merge pull request #1 from acme/topic\n\nTake topic\n");
    assert_eq!((commit.author.name.as_str(), commit.parents.len()), ("alice", 2));
    assert_eq!(text(&forge), "replicas: 5\n");
    // The reviewer of a line is found by the commit that brought it.
    let line = repository.blame_line("main", "hello.yaml", 1).unwrap();
    let reviewers: Vec<_> =
        forge.pull_of(CONFIG, line.commit).unwrap().approvals(None).map(|r| &r.author).collect();
    assert_eq!(reviewers, ["bob"]);
}

#[test]
fn force_deletion_and_checks_are_guarded() {
    let mut forge = forge();
    forge.protect(CONFIG, Protection::of("main").require_check("ci"));
    let told = push_main(&mut forge, "alice", "main", false);
    assert!(told.contains("error: Required status check \"ci\" is expected."), "{told}");
    assert!(push_main(&mut forge, "alice", ":main", false).contains("Cannot delete this branch"));
    let main = forge.repository(CONFIG).unwrap().branch_id("main").unwrap();
    propose(&mut forge, "topic", 5);
    let topic = forge.repository(CONFIG).unwrap().branch_id("topic").unwrap();
    forge.report_check(CONFIG, topic, "ci", CheckState::Failure).unwrap();
    let number = open(&mut forge, "topic");
    let merge = |forge: &mut Forge| {
        forge.merge_pull(CONFIG, &user("alice"), number, MergeMethod::Rebase, at(9))
    };
    assert!(merge(&mut forge).unwrap_err().to_string().contains("\"ci\" is failing"));
    forge.report_check(CONFIG, topic, "ci", CheckState::Success).unwrap();
    assert_eq!(merge(&mut forge).unwrap().commit, Some(topic));
    forge.report_check(CONFIG, main, "ci", CheckState::Success).unwrap();
    let back = RefUpdate {
        name: "refs/heads/main".into(),
        old: Some(topic),
        new: Some(main),
        force: true,
    };
    let repository = forge.repository(CONFIG).unwrap().clone();
    let pushed =
        forge.update_references(CONFIG, &user("root"), &repository, vec![back], at(9)).unwrap();
    assert!(pushed.to_string().contains("Cannot force-push to this branch"), "{pushed}");
}

#[test]
fn a_branch_takes_signed_commits_only_and_the_forge_signs_its_own() {
    let mut forge = forge();
    forge.protect(CONFIG, Protection::of("main").require_signatures());
    let told = push_main(&mut forge, "alice", "main", false);
    assert!(told.contains("GH006") && told.contains("Commits must have verified signatures."));
    propose(&mut forge, "topic", 5);
    let number = open(&mut forge, "topic");
    let merge = |forge: &mut Forge, who: &str, method| {
        forge.merge_pull(CONFIG, &user(who), number, method, at(9))
    };
    let refused = |told: Result<Pulled, PullError>, why: &str| {
        let told = told.unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    };
    refused(merge(&mut forge, "alice", MergeMethod::Merge), "Commits must have verified");
    refused(merge(&mut forge, "alice", MergeMethod::Rebase), "Rebase merges cannot be");
    refused(merge(&mut forge, "bob", MergeMethod::Squash), "Only the author");
    let merged = merge(&mut forge, "alice", MergeMethod::Squash).unwrap().commit.unwrap();
    assert!(forge.repository(CONFIG).unwrap().find_commit(merged).unwrap().is_signed());

    let mut worktree = clone(&forge);
    let alice = forge.signature("alice", at(12));
    worktree.repository_mut().config_mut().signing_key = Some(SigningKey::of(&alice.email));
    worktree.write("hello.yaml", "replicas: 7\n").unwrap();
    worktree.commit_all("Run seven", alice).unwrap();
    let pushed =
        forge.push(CONFIG, &user("alice"), worktree.repository(), &["main"], false, at(12));
    assert!(pushed.unwrap().is_ok());
}

#[test]
fn administrators_pass_where_the_rule_spares_them() {
    let mut forge = forge();
    let rule = Protection { include_admins: false, ..Protection::of("m*").require_approvals(2) };
    forge.protect(CONFIG, rule);
    assert!(push_main(&mut forge, "bob", "main", false).contains("GH006"));
    assert!(!push_main(&mut forge, "root", "main", false).contains("GH006"));
}

#[test]
fn what_moved_meanwhile_is_not_overwritten_unseen() {
    let mut forge = forge();
    let mut late = clone(&forge);
    push_main(&mut forge, "bob", "main", false);
    late.write("other", "x").unwrap();
    late.commit_all("Other", forge.signature("alice", at(5))).unwrap();
    let mut push =
        |force| forge.push(CONFIG, &user("alice"), late.repository(), &[], force, at(6)).unwrap();
    let told = push(false).to_string();
    assert!(told.contains(" ! [rejected]        main -> main (fetch first)"), "{told}");
    assert!(push(true).to_string().contains("(forced update)"));
    let main = forge.repository(CONFIG).unwrap().branch_id("main");
    let old = Some(ObjectId::default());
    let stale = RefUpdate { name: "refs/heads/main".into(), old, new: main, force: false };
    let told = forge
        .update_references(CONFIG, &user("bob"), late.repository(), vec![stale], at(7))
        .unwrap();
    assert!(told.to_string().contains("cannot lock ref 'refs/heads/main': is at"), "{told}");
}

#[test]
fn pull_requests_are_merged_in_three_ways() {
    let check = |method: MergeMethod, expected: &[&str]| {
        let mut forge = forge();
        propose(&mut forge, "topic", 5);
        propose(&mut forge, "topic", 6);
        let number = open(&mut forge, "topic");
        let merged = forge.merge_pull(CONFIG, &user("bob"), number, method, at(9)).unwrap();
        assert!(merged.commit.is_some());
        let repository = forge.repository(CONFIG).unwrap();
        let log = repository.log("main").unwrap();
        let subjects: Vec<String> = log.map(|(_, commit)| commit.subject()).collect();
        assert_eq!(subjects, expected);
        assert_eq!(text(&forge), "replicas: 6\n");
        let again = forge.merge_pull(CONFIG, &user("bob"), number, method, at(9));
        assert_eq!(again, Err(PullError::Merged(1)));
    };
    check(
        MergeMethod::Merge,
        &["Merge pull request #1 from acme/topic", "Run 6", "Run 5", "Run three"],
    );
    check(MergeMethod::Squash, &["Take topic (#1)", "Run three"]);
    check(MergeMethod::Rebase, &["Run 6", "Run 5", "Run three"]);
}

#[test]
fn conflicts_keep_a_pull_request_open() {
    let mut forge = forge();
    propose(&mut forge, "topic", 5);
    let number = open(&mut forge, "topic");
    push_main(&mut forge, "bob", "main", false);
    for method in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
        let told = forge.merge_pull(CONFIG, &user("bob"), number, method, at(9)).unwrap_err();
        assert!(told.to_string().ends_with("there are conflicts in hello.yaml"), "{told}");
    }
    assert_eq!(forge.pull(CONFIG, number).unwrap().state, PullState::Open);
    assert_eq!(text(&forge), "replicas: 9\n");
}

#[test]
fn pull_requests_follow_their_branch_and_end_when_it_arrives() {
    let mut forge = forge();
    propose(&mut forge, "topic", 5);
    let number = open(&mut forge, "topic");
    let again = NewPull { source: "topic".into(), target: "main".into(), ..NewPull::default() };
    let again = forge.open_pull(CONFIG, &user("bob"), again, at(4));
    assert_eq!(again.unwrap_err().to_string(), "A pull request already exists for topic: #1");
    propose(&mut forge, "topic", 6);
    let repository = forge.repository(CONFIG).unwrap();
    assert_eq!(repository.reference("refs/pull/1/head"), repository.branch_id("topic"));
    let all = repository.clone();
    let pushed = forge.push(CONFIG, &user("bob"), &all, &["topic:main"], false, at(9)).unwrap();
    assert!(pushed.is_ok());
    assert!(matches!(forge.pull(CONFIG, number).unwrap().state, PullState::Merged { .. }));
    let none = NewPull { source: "topic".into(), target: "main".into(), ..NewPull::default() };
    let none = forge.open_pull(CONFIG, &user("bob"), none, at(9));
    assert_eq!(none.unwrap_err().to_string(), "No commits between main and topic");
}

#[test]
fn a_pull_request_ends_with_its_branch_and_brings_what_a_push_brings() {
    let mut forge = forge();
    propose(&mut forge, "topic", 5);
    let number = open(&mut forge, "topic");
    let all = forge.repository(CONFIG).unwrap().clone();
    let topic = all.branch_id("topic").unwrap();
    let mut push = |refspec: &str| {
        let pushed = forge.push(CONFIG, &user("bob"), &all, &[refspec], false, at(9)).unwrap();
        assert!(pushed.is_ok(), "{pushed}");
        forge.pull(CONFIG, number).unwrap().clone()
    };
    assert_eq!(push(":topic").state, PullState::Closed);
    push("topic");
    let number = open(&mut forge, "topic");
    let pushed = forge.push(CONFIG, &user("bob"), &all, &["topic:main"], false, at(9)).unwrap();
    assert!(pushed.is_ok(), "{pushed}");
    assert_eq!(forge.pull(CONFIG, number).unwrap().brought, [topic]);
}

#[test]
fn hooks_are_told_what_they_asked_for() {
    let mut forge = forge();
    let url = "http://receiver/hook";
    forge.add_hook(
        CONFIG,
        Hook { url: url.into(), secret: Some("s".into()), events: vec![HookEvent::Push] },
    );
    let mut worktree = clone(&forge);
    worktree.write("new.yaml", "a: 1\n").unwrap();
    let new = worktree.commit_all("Add", forge.signature("alice", at(4))).unwrap();
    let pushed =
        forge.push(CONFIG, &user("alice"), worktree.repository(), &[], false, at(4)).unwrap();
    let [event] = &pushed.events[..] else { panic!("{pushed:?}") };
    let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
    assert_eq!((event.url.as_str(), event.event.name()), (url, "push"));
    assert_eq!(body["after"], new.to_string());
    assert_eq!(body["commits"][0]["added"][0], "new.yaml");
    assert_eq!(body["repository"]["full_name"], CONFIG);
    assert!(event.signature.as_ref().unwrap().starts_with("sha256="));
}
