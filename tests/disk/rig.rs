//! Folders and real repositories to try things on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of its own that goes away with the test.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("driftlab-disk-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `git` prints, run in a folder.
pub fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(args);
    for name in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"] {
        command.env(name, "/dev/null");
    }
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "a@b.c");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A repository of two commits by Git itself, all objects loose: a file, and one in a folder.
pub fn started(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    let folder = &scratch.0;
    git(folder, &["init", "-q", "-b", "main"]);
    fs::create_dir(folder.join("apps")).unwrap();
    for (file, message) in [("a.yaml", "One"), ("apps/b.yaml", "Two")] {
        fs::write(folder.join(file), format!("file: {file}\n")).unwrap();
        git(folder, &["add", "."]);
        git(folder, &["commit", "-qm", message]);
    }
    scratch
}
