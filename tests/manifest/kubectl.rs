//! The kubectl on PATH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use driftlab_tests::tool;
use serde_json::Value;

/// A kubectl.
pub(crate) struct Kubectl {
    program: PathBuf,
    minor: u32,
}

impl Kubectl {
    /// The one on PATH; where there is none, the test says that it is skipped.
    pub(crate) fn find() -> Option<Kubectl> {
        let mut kubectl = Kubectl { program: tool("kubectl")?, minor: 0 };
        let version = kubectl.run(&["version", "--client", "-o", "json"]).stdout;
        let version: Value = serde_json::from_slice(&version).expect("kubectl tells its version");
        let git_version = version["clientVersion"]["gitVersion"].as_str().unwrap_or_default();
        let minor = git_version.split('.').nth(1).and_then(|minor| minor.parse().ok());
        kubectl.minor = minor.expect("kubectl has a version");
        Some(kubectl)
    }

    /// Whether it is as new as the one that the tables were recorded with.
    pub(crate) fn is_recent(&self) -> bool {
        self.minor >= 37
    }

    /// What it reads from the files of a folder, in their order; `None` when it refuses one.
    pub(crate) fn read(&self, folder: &Path) -> Option<Vec<Value>> {
        let patch = self.patch(folder);
        let nothing = String::from_utf8_lossy(&patch.stderr).contains("no objects passed");
        if !patch.status.success() {
            return nothing.then(Vec::new);
        }
        let objects = serde_json::Deserializer::from_slice(&patch.stdout).into_iter();
        Some(objects.map(|object| object.expect("kubectl prints JSON")).collect())
    }

    /// What it has to say about the files of a folder.
    pub(crate) fn complaints(&self, folder: &Path) -> String {
        String::from_utf8_lossy(&self.patch(folder).stderr).into_owned()
    }

    /// Patches nothing, which prints what was read.
    fn patch(&self, folder: &Path) -> Output {
        let folder = folder.to_str().expect("a path of ASCII");
        self.run(&["patch", "--local", "--type=merge", "-p={}", "-o=json", "-f", folder])
    }

    /// What `kubectl kustomize` prints of a folder, or its complaint.
    pub(crate) fn kustomize(&self, folder: &Path) -> Result<String, String> {
        let built = self.run(&["kustomize", folder.to_str().expect("a path of ASCII")]);
        match built.status.success() {
            true => Ok(String::from_utf8_lossy(&built.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&built.stderr).into_owned()),
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("KUBECONFIG", "/dev/null");
        command.output().expect("kubectl runs")
    }
}

/// A folder of its own under the target folder, gone at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = path.join(format!("manifest-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target folder can be written to");
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
