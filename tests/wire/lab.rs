//! A world behind a port, and a folder for clones with the real `git`.

mod chapter;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use driftlab::git::{Repository, Signature, Tree};
use driftlab::scenario;
use driftlab::serve::{Model, Options, Pace, Serving};
use driftlab::sim::{Controllers, World};
use driftlab::time::Timestamp;
use driftlab::trace::Trace;

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where the forge keeps a repository.
pub const CONFIG: &str = "https://git.example.com/config.git";

/// Nothing of whoever runs the tests.
const SETTINGS: [(&str, &str); 7] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_AUTHOR_NAME", "Ada"),
    ("GIT_AUTHOR_EMAIL", "ada@example.com"),
    ("GIT_COMMITTER_NAME", "Ada"),
    ("GIT_COMMITTER_EMAIL", "ada@example.com"),
];

/// A world behind a port, until the test ends, and a folder for clones.
pub struct Lab {
    /// The model that is served.
    pub model: Model,
    /// Where.
    pub addr: SocketAddr,
    /// The folder of the clones.
    pub folder: PathBuf,
    /// The program.
    pub git: PathBuf,
    /// What was told of what happened, so far.
    pub told: Arc<Mutex<String>>,
}

impl Lab {
    /// None where there is no `git`.
    pub fn of(world: World, options: Options) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let git = crate::tool("git")?;
        let model = Model::new(world, options);
        let told = Arc::default();
        let addr = serve(model.clone(), Arc::clone(&told));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("driftlab-wire-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("writable");
        Some(Lab { model, addr, folder, git, told })
    }

    /// A world with one small repository, whose time stands still.
    pub fn small() -> Option<Self> {
        let mut world = World::builder().controllers(Controllers::None).build();
        world.add_repository(CONFIG, history());
        Lab::of(world, Options { pace: Pace::MANUAL, ..Options::default() })
    }

    /// The world of a scenario file, as `driftlab serve` puts it behind a port; its time stands still.
    ///
    /// # Panics
    ///
    /// When there is a mistake in it.
    pub fn of_scenario(text: &str, controllers: Controllers) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("driftlab-lab-{}-{number}.yaml", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, text).expect("writable");
        let loaded = scenario::load(&file);
        std::fs::remove_file(&file).expect("it was written");
        let world = loaded.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let world = world.world(Timestamp::START, controllers);
        Lab::of(world, Options { pace: Pace::MANUAL, ..Options::default() })
    }

    /// Where a repository is, for whoever has this token.
    pub fn url_with(&self, name: &str, token: &str) -> String {
        self.url(name).replace("//", &format!("//x:{token}@"))
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}/git/{name}.git", self.addr)
    }

    /// Runs `git` in a folder: whether it went well, and all that it printed.
    pub fn try_git(&self, folder: &str, line: &str) -> (bool, String) {
        self.try_args(folder, &line.split(' ').collect::<Vec<_>>())
    }

    pub fn try_args(&self, folder: &str, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.git);
        command.current_dir(self.folder.join(folder)).args(args);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
            command.env_remove(name);
        }
        let output = command.envs(SETTINGS).output().expect("git runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), text)
    }

    /// The same of what has to go well; what it printed, without the newline at the end.
    pub fn git(&self, folder: &str, line: &str) -> String {
        let (well, text) = self.try_git(folder, line);
        assert!(well, "git {line}: {text}");
        text.trim_end().to_owned()
    }

    /// The same of what has to fail; what it printed.
    pub fn refused(&self, folder: &str, line: &str) -> String {
        let (well, text) = self.try_git(folder, line);
        assert!(!well, "git {line} should not have worked: {text}");
        text
    }

    /// Runs `driftlab pr` in a folder: the exit code, then what it printed.
    pub fn pr(&self, folder: &str, line: &str) -> String {
        let mut command = Command::new(crate::driftlab());
        command.current_dir(self.folder.join(folder)).arg("pr").args(crate::words(line));
        command.env_remove("DRIFTLAB_TOKEN").envs(SETTINGS);
        crate::told(&command.output().expect("the command runs"))
    }

    /// Clones the repository into a folder.
    pub fn clone_to(&self, folder: &str) {
        self.git(".", &format!("clone -q {} {folder}", self.url("config")));
    }

    pub fn commit(&self, folder: &str, file: &str, text: &str) -> String {
        self.write(folder, file, text);
        self.git(folder, "add -A");
        self.git(folder, "commit -q --allow-empty -m Change");
        self.git(folder, "rev-parse HEAD")
    }

    pub fn write(&self, folder: &str, file: &str, text: &str) {
        let path = self.folder.join(folder).join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(path, text).expect("writable");
    }

    /// The references of a hosted repository, as `git for-each-ref` would print them.
    pub fn references(&self, name: &str) -> Vec<String> {
        self.model.with(|world| {
            let url = format!("https://git.example.com/{name}.git");
            let repository = world.repository(&url).expect("it is hosted");
            repository.references().map(|(name, id)| format!("{id} {name}")).collect()
        })
    }

    pub fn reference(&self, name: &str) -> Option<String> {
        let all = self.references("config");
        all.iter().find_map(|line| line.strip_suffix(&format!(" {name}"))).map(str::to_owned)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// Serves a model until the test ends.
fn serve(model: Model, told: Arc<Mutex<String>>) -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let serving = Serving::open(model, LOOPBACK).await.expect("a free port");
            sender.send(serving.addr().expect("an address")).expect("the test waits");
            let tell =
                |news: Trace, _| *told.lock().expect("nobody panicked") += &format!("{news:?}");
            serving.run(tell).await.expect("it goes on");
        });
    });
    receiver.recv().expect("it is served")
}

fn ada(second: u64) -> Signature {
    Signature::new("Ada", "ada@example.com", Timestamp::from_secs(1_767_225_600 + second))
}

/// Three commits, a branch, a light and an annotated tag.
pub fn history() -> Repository {
    let mut repository = Repository::new();
    let mut tree = Tree::default();
    for second in 1..=3 {
        tree = tree.with_file("apps/hello.yaml", format!("replicas: {second}\n")).unwrap();
        tree = tree.with_file(&format!("notes/{second}.md"), "Read me.\n").unwrap();
        repository.commit(tree.clone(), &format!("Run {second}"), ada(second), ada(second));
    }
    repository.branch("topic", "HEAD~1").unwrap();
    repository.tag("light", "HEAD~2").unwrap();
    repository.annotated_tag("v1", "HEAD", "One", ada(9)).unwrap();
    repository
}
