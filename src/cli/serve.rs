//! `driftlab serve`: the cluster behind a port, for kubectl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use driftlab::apiserver::{Authorization, Users};
use driftlab::report::Options as Drawing;
use driftlab::scenario::History;
use driftlab::serve::{LONGEST_PASS, Model, Options, Serving, kubeconfig};
use driftlab::sim::{Controllers, World};
use driftlab::time::{Duration, Timestamp};

use super::run::load;
use super::teller::Teller;
use super::{Exit, Mistake, drawing, help, print, text, value};

const USAGE: &str = "\
Put the cluster of a scenario behind a port, for kubectl, and its repositories, for git. Its loop runs; what
people do is left to you.

usage: driftlab serve [FILE] [OPTIONS]

FILE is a scenario; without one the cluster is empty.

  --addr ADDR          where to listen; 127.0.0.1:0, a free port, if not given
  --token TOKEN        who brings it is admin, of system:masters; without this and --users, everybody on
                       the loopback is. With either, the kubeconfig speaks https
  --users FILE         more users and their tokens, a line each, as for kube-apiserver's
                       --token-auth-file: token,user,uid,\"group,group\". They may do what Roles and their
                       bindings say; the kubeconfig has a context alice@driftlab for alice
  --anonymous-auth true|false
                       whether who brings no token is answered, as far as system:anonymous may ask
  --kubeconfig PATH    write a kubeconfig there; driftlab.kubeconfig in the temporary folder if not given
  --time real|60x|manual
                       how fast the cluster's time runs. By hand: Enter lets a second pass, `10s` and
                       Enter ten; so does `curl -X POST URL/driftlab/time?pass=10s`
  --controllers all|cluster|none
                       the control plane and the GitOps engine, the control plane alone, or the bare
                       API server
  --ready-file PATH    written once requests are answered

Ctrl-C ends it. Exit codes: 0 it was ended, 2 a mistake in the input.
";

/// Runs `driftlab serve …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    let Some(arguments) = Arguments::read(args)? else { return help(USAGE) };
    let world = arguments.world()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Mistake(format!("no runtime: {error}")))?;
    runtime.block_on(arguments.serve(world))
}

struct Arguments {
    file: Option<PathBuf>,
    addr: SocketAddr,
    options: Options,
    users: Option<PathBuf>,
    kubeconfig: PathBuf,
    ready: Option<PathBuf>,
    controllers: Option<Controllers>,
    drawing: Drawing,
}

impl Arguments {
    /// The arguments; `None` when help is asked for.
    fn read(args: &mut lexopt::Parser) -> Result<Option<Self>, Mistake> {
        use lexopt::Arg::{Long, Short, Value};
        let mut read = Arguments {
            file: None,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            options: Options::default(),
            users: None,
            kubeconfig: std::env::temp_dir().join("driftlab.kubeconfig"),
            ready: None,
            controllers: None,
            drawing: drawing(),
        };
        while let Some(arg) = args.next()? {
            match arg {
                Short('h') | Long("help") => return Ok(None),
                Long("addr") => read.addr = value(args, "--addr")?,
                Long("token") => read.options.users.add_admin(&token(args)?),
                Long("users") => read.users = Some(args.value()?.into()),
                Long("anonymous-auth") => {
                    read.options.anonymous = value(args, "--anonymous-auth")?;
                }
                Long("kubeconfig") => read.kubeconfig = args.value()?.into(),
                Long("time") => read.options.pace = value(args, "--time")?,
                Long("controllers") => read.controllers = Some(controllers(&text(args)?)?),
                Long("ready-file") => read.ready = Some(args.value()?.into()),
                Value(value) if read.file.is_none() => read.file = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        read.add_users()?;
        Ok(Some(read))
    }

    /// Reads the file of users, if there is one.
    fn add_users(&mut self) -> Result<(), Mistake> {
        let Some(path) = &self.users else { return Ok(()) };
        let wrong = |why: String| Mistake(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let users: Users = text.parse().map_err(wrong)?;
        if users.is_empty() {
            return Err(wrong("no users".into()));
        }
        for (token, user) in users.iter() {
            if self.options.users.find(token).is_some() {
                return Err(wrong(format!("{} has the token of admin", user.user)));
            }
            self.options.users.add(token, user.clone());
        }
        Ok(())
    }

    fn world(&self) -> Result<World, Mistake> {
        let start = now();
        let Some(file) = &self.file else {
            let controllers = self.controllers.unwrap_or_default();
            // A kubelet is a controller too.
            let nodes = usize::from(controllers != Controllers::None);
            let builder = World::builder().authorization(Authorization::Rbac).nodes(nodes);
            return Ok(builder.start_at(start).controllers(controllers).build());
        };
        let loaded = load(file, None, History::Newest)?;
        let flux = loaded.scenario().cluster.flux;
        let own = if flux { Controllers::All } else { Controllers::Cluster };
        Ok(loaded.world(start, self.controllers.unwrap_or(own)))
    }

    async fn serve(self, world: World) -> Exit {
        let mistake = |what: &str, error: std::io::Error| Mistake(format!("{what}: {error}"));
        let (addr, start) = (self.addr, world.trace().start());
        let users = self.options.users.clone();
        let model = Model::new(world, self.options);
        let serving = Serving::open(model.clone(), addr).await;
        let serving = serving.map_err(|error| mistake(&format!("listening on {addr}"), error))?;
        let (scheme, authority) = match users.is_empty() {
            true => ("http", ""),
            false => ("https", serving.authority()),
        };
        let port = serving.addr().map_err(|error| mistake("listening", error))?;
        let url = format!("{scheme}://{}", from_here(port));
        let path = self.kubeconfig.display().to_string();
        write_privately(&self.kubeconfig, &kubeconfig(&url, authority, &users))
            .map_err(|error| mistake(&path, error))?;
        print(&format!(
            "The cluster is at {url}. In another terminal:\n\n  export KUBECONFIG={path}\n  kubectl get all --all-namespaces\n\n"
        ))?;
        print(&repositories(&model, port))?;
        if model.pace().is_manual() {
            print("Time stands still: Enter lets a second pass, 10s and Enter ten.\n\n")?;
            std::thread::spawn(move || pass_by_hand(&model));
        }
        if let Some(ready) = &self.ready {
            std::fs::write(ready, format!("{url}\n"))
                .map_err(|error| mistake(&ready.display().to_string(), error))?;
        }
        let mut teller = Teller::new(self.drawing, start);
        tokio::select! {
            failed = serving.run(|news, now| teller.tell(&news, now)) => {
                failed.map_err(|error| mistake("serving", error))?;
            }
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Where what is hosted can be cloned from; in the clear, since `git` does not know our authority.
fn repositories(model: &Model, port: SocketAddr) -> String {
    let urls = model.repository_urls(&format!("http://{port}"));
    let lines = urls.iter().map(|url| format!("  git clone {url}\n"));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { lines + "\n" }
}

/// Where an address is found from this machine: what listens everywhere is found on the loopback.
fn from_here(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}

/// Writes what holds tokens: nobody else is to read it.
fn write_privately(path: &Path, text: &str) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    std::fs::write(path, text)
}

fn token(args: &mut lexopt::Parser) -> Result<String, Mistake> {
    match text(args)? {
        empty if empty.is_empty() => Err(Mistake("--token is empty".into())),
        token => Ok(token),
    }
}

/// Lets as much time pass as is typed, line by line; an empty line does the same again.
fn pass_by_hand(model: &Model) {
    let mut span = Duration::from_secs(1);
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let told = match span_in(line.trim(), span) {
            Ok(given) => {
                span = given;
                model.pass(span);
                format!("It is {}.\n", model.with(|world| world.now()))
            }
            Err(why) => format!("{why}\n"),
        };
        let _closed = print(&told);
    }
}

fn span_in(line: &str, last: Duration) -> Result<Duration, String> {
    match line.parse() {
        _ if line.is_empty() => Ok(last),
        Ok(span) if span <= LONGEST_PASS => Ok(span),
        Ok(span) => Err(format!("{span} is too long: at most {LONGEST_PASS} at once")),
        Err(error) => Err(error.to_string()),
    }
}

fn controllers(text: &str) -> Result<Controllers, Mistake> {
    match text {
        "all" => Ok(Controllers::All),
        "cluster" => Ok(Controllers::Cluster),
        "none" => Ok(Controllers::None),
        other => Err(Mistake(format!("--controllers is {other:?}; expected all, cluster or none"))),
    }
}

/// The machine's time, to the second: the cluster's begins there.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_millis(since.map_or(0, |span| span.as_secs() * 1000))
}
