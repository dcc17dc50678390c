//! Repositories go to disk and come back unchanged, and real Git agrees with what is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use driftlab::git::{Repository, Signature, Tree, disk};
use driftlab::time::Timestamp;
use driftlab_tests::tool;

/// A folder of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
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

fn git(folder: &Path, args: &[&str]) -> String {
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

fn history() -> Repository {
    let ada = |n: u64| Signature::new("Ada", "a@b.c", Timestamp::from_secs(1_767_225_600 + n));
    let mut repository = Repository::new();
    let mut tree = Tree::default();
    for n in 0..5 {
        let large = "x".repeat(70_000 * n as usize);
        tree = tree.with_file(&format!("dir/{n}/ünï.txt"), large).unwrap();
        repository.commit(tree.clone(), &format!("Commit {n}"), ada(n), ada(n));
    }
    repository.branch("side", "HEAD~2").unwrap();
    repository.tag("light", "HEAD").unwrap();
    repository.annotated_tag("v1", "HEAD~1", "One", ada(9)).unwrap();
    repository
}

#[test]
fn real_git_accepts_what_is_exported_and_gives_the_same_ids() {
    let Some(_) = tool("git") else { return };
    let scratch = Scratch::new("export");
    let folder = scratch.0.join("out");
    let repository = history();
    disk::export(&repository, &folder).unwrap();
    assert_eq!(git(&folder, &["fsck", "--strict"]), "");
    assert_eq!(git(&folder, &["rev-parse", "HEAD"]), repository.head_id().unwrap().to_string());
    assert_eq!(git(&folder, &["log", "--format=%s"]).lines().count(), 5);
    assert_eq!(git(&folder, &["status", "--porcelain"]), "");
    let back = disk::import(&folder).unwrap();
    let references = |r: &Repository| -> Vec<(String, String)> {
        r.references().map(|(name, id)| (name.to_owned(), id.to_string())).collect()
    };
    assert_eq!(references(&back), references(&repository));
    assert_eq!(back.head(), repository.head());
}

#[test]
fn what_real_git_wrote_is_imported_packed_or_loose_with_every_id() {
    let Some(_) = tool("git") else { return };
    let scratch = Scratch::new("import");
    let folder = &scratch.0;
    git(folder, &["init", "-q", "-b", "trunk"]);
    fs::write(folder.join("a.sh"), "#!/bin/sh\n").unwrap();
    git(folder, &["add", "."]);
    git(folder, &["update-index", "--chmod=+x", "a.sh"]);
    git(folder, &["commit", "-qm", "One"]);
    git(folder, &["gc", "-q"]);
    git(folder, &["switch", "-qc", "other"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "Two"]);
    git(folder, &["merge", "-q", "--no-ff", "-m", "Three", "trunk"]);
    let repository = disk::import(folder).unwrap();
    assert_eq!(repository.current_branch(), Some("other"));
    assert_eq!(repository.head_id().unwrap().to_string(), git(folder, &["rev-parse", "HEAD"]));
    git(folder, &["checkout", "-q", "--detach", "trunk"]);
    assert_eq!(disk::import(folder).unwrap().current_branch(), None);
    let clone = disk::clone(&folder.to_string_lossy(), &scratch.0.join("clones")).unwrap();
    assert_eq!(clone.branch_id("trunk"), repository.branch_id("trunk"));
}

#[test]
fn the_newest_commit_comes_alone_from_shallow_clones_too() {
    let Some(_) = tool("git") else { return };
    let scratch = Scratch::new("newest");
    let (folder, shallow) = (scratch.0.join("full"), scratch.0.join("shallow"));
    fs::create_dir(&folder).unwrap();
    git(&folder, &["init", "-q", "-b", "trunk"]);
    for replicas in ["3", "5"] {
        fs::write(folder.join("replicas"), replicas).unwrap();
        git(&folder, &["add", "."]);
        git(&folder, &["commit", "-qm", replicas]);
    }
    let url = format!("file://{}", folder.display());
    git(&folder, &["clone", "-q", "--depth", "1", &url, &shallow.to_string_lossy()]);
    let refused = disk::import(&shallow).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("shallow"), "{refused}");
    for place in [&folder, &shallow] {
        let repository = disk::import_newest(place).unwrap();
        assert_eq!(repository.current_branch(), Some("trunk"));
        assert_eq!(repository.head_id().unwrap().to_string(), git(&folder, &["rev-parse", "HEAD"]));
        assert_eq!(repository.tree("HEAD").unwrap().text("replicas"), Some("5"));
        assert!(repository.resolve("HEAD~1").is_err());
    }
    git(&shallow, &["checkout", "-q", "--detach"]);
    assert_eq!(disk::import_newest(&shallow).unwrap().current_branch(), Some("main"));
    git(&shallow, &["checkout", "-q", "--orphan", "new"]);
    let unborn = disk::import_newest(&shallow).map(|_| ()).unwrap_err().to_string();
    assert!(unborn.contains("no commit yet; commit"), "{unborn}");
}

#[test]
fn an_unborn_repository_is_empty() {
    let Some(_) = tool("git") else { return };
    let scratch = Scratch::new("unborn");
    git(&scratch.0, &["init", "-q", "-b", "main"]);
    assert_eq!(disk::import(&scratch.0).unwrap().head_id(), None);
    assert_eq!(git(&scratch.0, &["count-objects"]), "0 objects, 0 kilobytes");
}

#[test]
fn broken_repositories_are_refused_with_a_remedy() {
    let Some(_) = tool("git") else { return };
    let check = |name: &str, harm: &dyn Fn(&Path), message: &str| {
        let scratch = Scratch::new(name);
        disk::export(&history(), &scratch.0.join("r")).unwrap();
        harm(&scratch.0.join("r"));
        let Err(error) = disk::import(&scratch.0.join("r")) else { panic!("{name}: accepted") };
        assert!(error.to_string().contains(message), "{name}: {error}");
        assert!(!error.remedy.is_empty(), "{name}: {error}");
    };
    let pack = |folder: &Path| {
        let packs = fs::read_dir(folder.join(".git/objects/pack")).unwrap();
        packs
            .map(|e| e.unwrap().path())
            .find(|p| p.extension().is_some_and(|e| e == "pack"))
            .unwrap()
    };
    check(
        "none",
        &|folder| fs::remove_dir_all(folder.join(".git")).unwrap(),
        "not a git repository",
    );
    check(
        "ref",
        &|folder| {
            fs::write(folder.join(".git/refs/heads/main"), "1".repeat(40) + "\n").unwrap();
        },
        "bad object refs/heads/main",
    );
    check(
        "cut",
        &|folder| {
            let pack = pack(folder);
            let content = fs::read(&pack).unwrap();
            fs::remove_file(&pack).unwrap();
            fs::write(&pack, &content[..content.len() / 2]).unwrap();
        },
        "r",
    );
    check(
        "shallow",
        &|folder| {
            git(
                folder,
                &["clone", "-q", "--depth=1", &format!("file://{}", folder.display()), "s"],
            );
            fs::remove_dir_all(folder.join(".git")).unwrap();
            fs::rename(folder.join("s/.git"), folder.join(".git")).unwrap();
        },
        "shallow",
    );
}

#[test]
fn folders_are_read_as_git_would_add_them() {
    let scratch = Scratch::new("folder");
    let folder = &scratch.0;
    for (path, text) in
        [("a.yaml", "1"), ("no/b", "2"), ("c.log", "3"), (".gitignore", "*.log\n/no/\n")]
    {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), text).unwrap();
    }
    let names = |tree: &Tree| -> Vec<String> { tree.files().into_iter().map(|f| f.0).collect() };
    assert_eq!(names(&disk::read_folder(folder).unwrap()), [".gitignore", "a.yaml"]);
    let large = fs::File::create(folder.join("large")).unwrap();
    large.set_len(100 << 20).unwrap();
    let error = disk::read_folder(folder).unwrap_err().to_string();
    assert!(error.contains("large: the file has 100 MiB; 64 MiB is the limit"), "{error}");
    assert!(disk::read_folder(&folder.join("nowhere")).is_err());
}
