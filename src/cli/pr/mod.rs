//! `driftlab pr`: pull requests of a repository that `driftlab serve` serves.

mod clone;
mod server;
mod show;

use std::process::ExitCode;

use serde_json::{Value, json};

use self::clone::Clone;
use self::server::Server;
use self::show::Shown;
use super::{Exit, Mistake, help, is_json, print, text};

const USAGE: &str = "\
Open, review and merge pull requests of a repository that 'driftlab serve' serves.

usage: driftlab pr COMMAND [OPTIONS]

  open                 ask for a branch to be merged
      --title TEXT       what it is about; the subject of the branch's newest commit if not given
      --body TEXT        more about it
      --base BRANCH      where to; the default branch if not given
      --head BRANCH      what; the branch one is on if not given
  list                 those that are open, the newest first
      --state STATE      open, closed or all
  view [NUMBER]        one of them, its reviews, and what it waits for
  review [NUMBER]      say what one thinks of it
      --approve, --request-changes or --comment
      --body TEXT        what one says; an approval needs no words
  merge [NUMBER]       put it in
      --merge, --squash or --rebase
                         by a merge commit (if not given), as one commit, or commit by commit
      --delete-branch    delete the branch afterwards
      --match-head-commit SHA
                         only if the branch is still at that commit
  close [NUMBER]       give it up
      --delete-branch    delete the branch afterwards

Without a NUMBER it is the open pull request of the branch one is on.

  --repo URL           the repository, http://HOST:PORT/git/NAME.git; if not given, the remote 'origin' of
                       the clone one is in
  --token TOKEN        who brings it is its user; DRIFTLAB_TOKEN in the environment does the same. If not
                       given, USER:TOKEN in the URL, then what 'git credential' knows, as for git push
  --as USER            under which name, where the server knows no tokens
  --format text|json   for people, or what the server answers (list, view)

Exit codes: 0 it is done, 1 the server refuses, 2 a mistake in the input, or no server.
";

const COMMANDS: [&str; 6] = ["open", "list", "view", "review", "merge", "close"];

/// Runs `driftlab pr …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    let Some(arguments) = Arguments::read(args)? else { return help(USAGE) };
    match arguments.carry_out() {
        Ok(told) => {
            print(&told)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(Trouble::Refused(message)) => {
            anstream::eprintln!("driftlab: {message}");
            Ok(ExitCode::from(1))
        }
        Err(Trouble::Mistake(mistake)) => Err(mistake),
    }
}

/// Why nothing came of it.
enum Trouble {
    /// The server refuses.
    Refused(String),
    Mistake(Mistake),
}

impl From<Mistake> for Trouble {
    fn from(mistake: Mistake) -> Self {
        Trouble::Mistake(mistake)
    }
}

#[derive(Default)]
struct Arguments {
    command: String,
    number: Option<u64>,
    title: Option<String>,
    body: Option<String>,
    base: Option<String>,
    head: Option<String>,
    state: Option<String>,
    /// `APPROVE` and the like, one for each that was asked for.
    events: Vec<&'static str>,
    methods: Vec<&'static str>,
    seen: Option<String>,
    delete_branch: bool,
    json: bool,
    repo: Option<String>,
    token: Option<String>,
    user: Option<String>,
}

impl Arguments {
    /// The arguments; `None` when help is asked for.
    fn read(args: &mut lexopt::Parser) -> Result<Option<Self>, Mistake> {
        use lexopt::Arg::{Long, Short, Value};
        let mut read = Arguments::default();
        while let Some(arg) = args.next()? {
            match arg {
                Short('h') | Long("help") => return Ok(None),
                Long("repo") | Short('R') => read.repo = Some(text(args)?),
                Long("token") => read.token = Some(text(args)?),
                Long("as") => read.user = Some(text(args)?),
                Value(value) if read.command.is_empty() => {
                    read.command = command(&value.to_string_lossy())?;
                }
                Value(value) if read.takes_number() => {
                    read.number = Some(number(&value.to_string_lossy())?);
                }
                Long(name) => {
                    let name = name.to_owned();
                    if !read.option(&name, args)? {
                        return Err(Long(&name).unexpected().into());
                    }
                }
                Short(letter) => match read.long(letter) {
                    Some(name) => drop(read.option(name, args)?),
                    None => return Err(Short(letter).unexpected().into()),
                },
                other => return Err(other.unexpected().into()),
            }
        }
        read.check().map(|()| Some(read))
    }

    fn takes_number(&self) -> bool {
        self.number.is_none() && !["open", "list"].contains(&self.command.as_str())
    }

    /// The letters are those of `gh`.
    fn long(&self, letter: char) -> Option<&'static str> {
        Some(match (self.command.as_str(), letter) {
            ("open", 't') => "title",
            ("open" | "review", 'b') => "body",
            ("open", 'B') => "base",
            ("open", 'H') => "head",
            ("list", 's') => "state",
            ("review", 'a') => "approve",
            ("review", 'r') => "request-changes",
            ("review", 'c') => "comment",
            ("merge", 'm') => "merge",
            ("merge", 's') => "squash",
            ("merge", 'r') => "rebase",
            ("merge" | "close", 'd') => "delete-branch",
            _ => return None,
        })
    }

    /// Reads an option of the command; whether it has such a one.
    fn option(&mut self, name: &str, args: &mut lexopt::Parser) -> Result<bool, Mistake> {
        match (self.command.as_str(), name) {
            ("open", "title") => self.title = Some(text(args)?),
            ("open" | "review", "body") => self.body = Some(text(args)?),
            ("open", "base") => self.base = Some(text(args)?),
            ("open", "head") => self.head = Some(text(args)?),
            ("list", "state") => self.state = Some(text(args)?),
            ("list" | "view", "format") => self.json = is_json(args)?,
            ("review", "approve") => self.events.push("APPROVE"),
            ("review", "request-changes") => self.events.push("REQUEST_CHANGES"),
            ("review", "comment") => self.events.push("COMMENT"),
            ("merge", "merge") => self.methods.push("merge"),
            ("merge", "squash") => self.methods.push("squash"),
            ("merge", "rebase") => self.methods.push("rebase"),
            ("merge", "match-head-commit") => self.seen = Some(text(args)?),
            ("merge" | "close", "delete-branch") => self.delete_branch = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn check(&self) -> Result<(), Mistake> {
        if self.command.is_empty() {
            return Err(wrong(&format!("pr what? There are: {}", COMMANDS.join(", "))));
        }
        if self.command == "review" && self.events.len() != 1 {
            return Err(wrong("review needs one of --approve, --request-changes and --comment"));
        }
        if self.methods.len() > 1 {
            return Err(wrong("only one of --merge, --squash and --rebase"));
        }
        Ok(())
    }

    fn carry_out(&self) -> Result<String, Trouble> {
        let clone = Clone::here();
        let mut server = Server::of(self, &clone)?;
        match self.command.as_str() {
            "open" => self.open(&mut server, &clone),
            "list" => self.list(&mut server),
            "view" => self.view(&mut server, &clone),
            "review" => self.review(&mut server, &clone),
            "merge" => self.merge(&mut server, &clone),
            _ => self.close(&mut server, &clone),
        }
    }
}

fn command(name: &str) -> Result<String, Mistake> {
    match COMMANDS.contains(&name) {
        true => Ok(name.to_owned()),
        false => {
            let known = COMMANDS.join(", ");
            Err(wrong(&format!("there is no command {name:?} of pr; there are: {known}")))
        }
    }
}

fn number(text: &str) -> Result<u64, Mistake> {
    let number = text.trim_start_matches('#').parse();
    number.map_err(|_| wrong(&format!("{text:?} is no number of a pull request")))
}

fn wrong(why: &str) -> Mistake {
    Mistake(format!("{why}\n  = driftlab pr --help says what there is"))
}

/// What each command does.
impl Arguments {
    fn open(&self, server: &mut Server, clone: &Clone) -> Result<String, Trouble> {
        let head = match &self.head {
            Some(head) => head.clone(),
            None => clone.branch("--head")?,
        };
        let title = match &self.title {
            Some(title) => title.clone(),
            None => clone.subject(&head)?,
        };
        let base = match &self.base {
            Some(base) => base.clone(),
            None => server.default_branch()?,
        };
        let body = self.body.clone().unwrap_or_default();
        let new = json!({"title": title, "body": body, "head": head, "base": base});
        let opened = server.open(&new)?;
        let mut told = Shown(&opened).opened(server.name());
        if let Some(ahead) = clone.ahead(&head, &opened) {
            told += &ahead;
        }
        Ok(told)
    }

    fn list(&self, server: &mut Server) -> Result<String, Trouble> {
        let state = self.state.as_deref().unwrap_or("open");
        let found = server.list(state, None)?;
        Ok(match self.json {
            true => format!("{found:#}\n"),
            false => show::list(&found, state, server.name()),
        })
    }

    fn view(&self, server: &mut Server, clone: &Clone) -> Result<String, Trouble> {
        let number = self.meant(server, clone)?;
        let pull = server.pull(number)?;
        let (reviews, checks) = (server.reviews(number)?, server.checks(&pull)?);
        Ok(match self.json {
            true => {
                let told = json!({"pull_request": pull, "reviews": reviews, "checks": checks});
                format!("{told:#}\n")
            }
            false => Shown(&pull).in_full(&reviews, &checks),
        })
    }

    fn review(&self, server: &mut Server, clone: &Clone) -> Result<String, Trouble> {
        let number = self.meant(server, clone)?;
        let event = self.events.first().copied().unwrap_or_default();
        let body = self.body.clone().unwrap_or_default();
        server.review(number, &json!({"event": event, "body": body}))?;
        let pull = server.pull(number)?;
        Ok(Shown(&pull).reviewed(event))
    }

    fn merge(&self, server: &mut Server, clone: &Clone) -> Result<String, Trouble> {
        let number = self.meant(server, clone)?;
        let mut how = json!({"merge_method": self.methods.first().unwrap_or(&"merge")});
        if let Some(seen) = &self.seen {
            how["sha"] = seen.as_str().into();
        }
        server.merge(number, &how)?;
        let pull = server.pull(number)?;
        Ok(Shown(&pull).merged() + &self.delete(server, &pull)?)
    }

    fn close(&self, server: &mut Server, clone: &Clone) -> Result<String, Trouble> {
        let number = self.meant(server, clone)?;
        let pull = server.close(number)?;
        Ok(Shown(&pull).closed() + &self.delete(server, &pull)?)
    }

    /// Deletes the branch of a pull request, if that is asked for.
    fn delete(&self, server: &mut Server, pull: &Value) -> Result<String, Trouble> {
        if !self.delete_branch {
            return Ok(String::new());
        }
        let branch = pull["head"]["ref"].as_str().unwrap_or_default();
        server.delete(branch)?;
        Ok(format!("Deleted the branch {branch} there\n"))
    }

    /// The number given, or that of the open pull request of the branch one is on.
    fn meant(&self, server: &mut Server, clone: &Clone) -> Result<u64, Trouble> {
        if let Some(number) = self.number {
            return Ok(number);
        }
        let branch = clone.branch("a NUMBER")?;
        let found = server.list("open", Some(&branch))?;
        let number = found[0]["number"].as_u64();
        let none = || {
            let said = format!("no pull request of branch {branch} is open in {}", server.name());
            Trouble::Refused(said + "\n  = driftlab pr list shows those that are")
        };
        number.ok_or_else(none)
    }
}
