//! The clone that one is in, as the `git` on PATH tells of it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::super::Mistake;

/// A working clone, or the lack of one.
pub(super) struct Clone {
    /// The remote `origin`, or why there is none.
    pub(super) origin: Result<String, String>,
}

impl Clone {
    /// The clone around the current folder.
    pub(super) fn here() -> Self {
        Clone { origin: git(&["remote", "get-url", "origin"]) }
    }

    /// The branch one is on; what else could have been named is told where there is none.
    pub(super) fn branch(&self, instead: &str) -> Result<String, Mistake> {
        let branch = git(&["symbolic-ref", "--quiet", "--short", "HEAD"]);
        branch.map_err(|why| {
            let why = if why.is_empty() { "HEAD is on no branch".into() } else { why };
            Mistake(format!("{why}\n  = switch to a branch, or give {instead}"))
        })
    }

    /// The subject of a branch's newest commit.
    pub(super) fn subject(&self, branch: &str) -> Result<String, Mistake> {
        let reference = format!("refs/heads/{branch}");
        let subject = git(&["log", "--max-count=1", "--format=%s", &reference, "--"]);
        subject.map_err(|_| {
            Mistake(format!(
                "there is no branch {branch} here to take a title from\n  = give --title"
            ))
        })
    }

    /// A word of warning when a branch has commits that the server has not seen.
    pub(super) fn ahead(&self, branch: &str, pull: &Value) -> Option<String> {
        let here =
            git(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]).ok()?;
        let there = pull["head"]["sha"].as_str()?;
        (here != there).then(|| {
            let short = |id: &str| id.chars().filter(|c| !c.is_control()).take(7).collect::<String>();
            let (here, there) = (short(&here), short(there));
            format!("note: {branch} is at {here} here, and at {there} there; 'git push' takes it along\n")
        })
    }
}

/// A name and a token for an address, from whoever keeps them for `git`: a helper, or the person.
pub(super) fn credential(server: &str, path: &str, user: Option<&str>) -> Option<(String, String)> {
    let user = user.map_or(String::new(), |user| format!("username={user}\n"));
    let asked = format!("url={server}/{path}\n{user}\n");
    let told = credential_command("fill", &asked)?;
    let field =
        |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Some((field("username=")?, field("password=")?))
}

/// Tells whoever keeps credentials what became of one: `approve` or `reject`.
pub(super) fn judge(verdict: &str, server: &str, user: &str, token: &str) {
    let told = format!("url={server}\nusername={user}\npassword={token}\n\n");
    let _kept = credential_command(verdict, &told);
}

fn credential_command(action: &str, told: &str) -> Option<String> {
    let mut command = Command::new("git");
    command.args(["credential", action]);
    // It asks at the terminal itself; what it complains of, our own words say better.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = command.spawn().ok()?;
    running.stdin.take()?.write_all(told.as_bytes()).ok()?;
    let output = running.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `git` prints, or why it does not.
fn git(args: &[&str]) -> Result<String, String> {
    let output = Command::new("git").args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("git cannot be run: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
