//! What the Git model costs, beside `git` itself: a commit of one file in a tree of ten thousand, and
//! the import of a history of ten thousand commits.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};
use driftlab::git::{Repository, Signature, Tree, disk};
use driftlab::time::Timestamp;

/// A hundred folders of a hundred files.
fn tree_of_ten_thousand() -> Tree {
    let files =
        (0..10_000).map(|n| (format!("dir{:02}/file{:02}.yaml", n / 100, n % 100), "a: 1\n"));
    Tree::from_files(files).expect("the paths are valid")
}

fn ada() -> Signature {
    Signature::new("Ada", "ada@example.com", Timestamp::START)
}

fn commit(c: &mut Criterion) {
    let mut repository = Repository::new();
    let tree = tree_of_ten_thousand();
    repository.commit(tree.clone(), "Start", ada(), ada());
    let mut n = 0;
    let mut group = c.benchmark_group("commit one file in a tree of 10,000");
    group.bench_function("driftlab", |b| {
        b.iter(|| {
            n += 1;
            let changed = tree.with_file("dir50/file50.yaml", format!("a: {n}\n"));
            let changed = changed.expect("the path is valid");
            black_box(repository.clone().commit(changed, "Change", ada(), ada()))
        });
    });
    let folder = exported(&repository, "commit");
    group.sample_size(10);
    group.bench_function("git add && git commit", |b| {
        b.iter(|| {
            n += 1;
            std::fs::write(folder.join("dir50/file50.yaml"), format!("a: {n}\n"))
                .expect("writable");
            git(&folder, &["add", "dir50/file50.yaml"]);
            git(&folder, &["commit", "-q", "-m", "Change"]);
        });
    });
    group.finish();
    std::fs::remove_dir_all(&folder).expect("ours");
}

fn import(c: &mut Criterion) {
    let folder = exported(&ten_thousand_commits(), "import");
    git(&folder, &["gc", "--quiet"]);
    let mut group = c.benchmark_group("import 10,000 commits");
    group.sample_size(10);
    group.bench_function("driftlab", |b| {
        b.iter(|| disk::import(&folder).expect("it was exported").object_count());
    });
    group.bench_function("git fast-export", |b| b.iter(|| git(&folder, &["fast-export", "--all"])));
    group.finish();
    std::fs::remove_dir_all(&folder).expect("ours");
}

/// Each changes one of a thousand files in twenty folders, as people do.
fn ten_thousand_commits() -> Repository {
    let mut repository = Repository::new();
    let mut tree = Tree::default();
    for n in 0..10_000 {
        let path = format!("apps/app{:02}/file{:02}.yaml", n * 7 % 20, n * 13 % 50);
        tree = tree.with_file(&path, format!("replicas: {n}\n")).expect("the path is valid");
        repository.commit(tree.clone(), &format!("Change {n}"), ada(), ada());
    }
    repository
}

/// A folder with the repository in it, which is the caller's to remove.
fn exported(repository: &Repository, name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("driftlab-bench-{name}-{}", std::process::id()));
    disk::export(repository, &folder).expect("git is on PATH");
    folder
}

fn git(folder: &Path, args: &[&str]) {
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "gc.auto=0"];
    let mut command = Command::new("git");
    let status = command.current_dir(folder).args(who).args(args).stdout(Stdio::null()).status();
    assert!(status.expect("git is on PATH").success(), "git {args:?}");
}

criterion_group!(benches, commit, import);
criterion_main!(benches);
