//! Pull requests of what `driftlab serve` serves: `driftlab pr`, and the API that it asks.
//!
//! Needs the feature `serve`; what needs `git` says so where it is missing.

use driftlab::git::forge::Protection;
use driftlab_tests::lab::Lab;

/// A lab with a clone `a`, in which branch `five` is pushed.
fn proposed() -> Option<Lab> {
    let lab = Lab::small()?;
    lab.clone_to("a");
    propose(&lab, "a", "five", "replicas: 5\n");
    Some(lab)
}

fn propose(lab: &Lab, folder: &str, branch: &str, text: &str) {
    lab.git(folder, &format!("checkout -q -b {branch} origin/main"));
    lab.commit(folder, "apps/hello.yaml", text);
    lab.git(folder, &format!("push -q origin {branch}"));
}

#[test]
fn a_branch_is_proposed_reviewed_and_merged() {
    let Some(lab) = proposed() else { return };
    lab.model.with(|world| {
        world.forge_mut().protect("config", Protection::of("main").require_approvals(1));
    });
    let check = |line: &str, expected: &str| assert_eq!(lab.pr("a", line), expected, "pr {line}");
    let waits = "Waits: At least 1 approving review is required by reviewers with write access.\n";
    check(
        "open --title 'Run five' --body 'The queue is long.'",
        &format!("exit 0\nOpened pull request #1 Run five in config: five into main\n{waits}"),
    );
    check("list", "exit 0\n#1  Run five  five -> main  somebody\n");
    check(
        "merge",
        "exit 1\ndriftlab: Pull request #1 is not mergeable: the base branch policy prohibits the merge. \
         At least 1 approving review is required by reviewers with write access.\n",
    );
    check(
        "review --approve",
        "exit 1\ndriftlab: Can not approve or request changes on your own pull request\n",
    );
    check(
        "review 1 --approve --as bob",
        "exit 0\nApproved pull request #1 Run five\nCan be merged\n",
    );
    let merged = lab.pr("a", "merge --delete-branch");
    let main = lab.reference("refs/heads/main").expect("it is there");
    let expected = format!(
        "exit 0\nMerged pull request #1 Run five: main is at {}\nDeleted the branch five there\n",
        &main[..7]
    );
    assert_eq!(merged, expected);
    assert_eq!(lab.reference("refs/heads/five"), None);
    check(
        "view 1",
        "exit 0\n#1 Run five\nMerged by somebody: somebody asks to merge five into main\n\
         bob approved\n\nThe queue is long.\n",
    );
    lab.git("a", "fetch -q");
    assert_eq!(
        lab.git("a", "log -1 --format=%B origin/main"),
        "Merge pull request #1 from config/five\n\nRun five"
    );
}
