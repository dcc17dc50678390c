//! What the Git model costs: a commit of one file in a tree of ten thousand, beside `git` itself.

use std::hint::black_box;
use std::process::Command;

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
    let folder = std::env::temp_dir().join(format!("driftlab-bench-{}", std::process::id()));
    disk::export(&repository, &folder).expect("git is on PATH");
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

fn git(folder: &std::path::Path, args: &[&str]) {
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "gc.auto=0"];
    let status = Command::new("git").current_dir(folder).args(who).args(args).status();
    assert!(status.expect("git is on PATH").success(), "git {args:?}");
}

criterion_group!(benches, commit);
criterion_main!(benches);
