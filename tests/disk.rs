//! Repositories go to disk and come back unchanged, and real Git agrees with what is written.

#[path = "disk/rig.rs"]
mod rig;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use driftlab::git::{
    Mode, Repository, Signature, SignatureFormat, SigningKey, Tree, disk, named_key,
};
use driftlab::time::Timestamp;
use driftlab_tests::tool;
use rig::{Scratch, git, started};

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
    for place in [&folder, &shallow] {
        let repository = disk::import_newest(place).unwrap();
        assert_eq!(repository.current_branch(), Some("trunk"));
        assert_eq!(repository.head_id().unwrap().to_string(), git(&folder, &["rev-parse", "HEAD"]));
        assert_eq!(repository.tree("HEAD").unwrap().text("replicas"), Some("5"));
        assert!(repository.tree("HEAD~1").is_err());
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

/// The file of a loose object, made writable.
fn loose(folder: &Path, rev: &str) -> PathBuf {
    let id = git(folder, &["rev-parse", rev]);
    writable(folder.join(".git/objects").join(&id[..2]).join(&id[2..]))
}

/// The only pack there is, or its index, made writable.
fn packed(folder: &Path, extension: &str) -> PathBuf {
    git(folder, &["gc", "-q"]);
    let mut packs = fs::read_dir(folder.join(".git/objects/pack")).unwrap();
    let wanted = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    writable(packs.find_map(|entry| Some(entry.unwrap().path()).filter(wanted)).unwrap())
}

fn writable(path: PathBuf) -> PathBuf {
    // A new file: what Git makes is read-only.
    let content = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, content).unwrap();
    path
}

fn cut(path: &Path, to: impl Fn(usize) -> usize) {
    let content = fs::read(path).unwrap();
    fs::write(path, &content[..to(content.len())]).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 0xff;
    fs::write(path, content).unwrap();
}

/// Commits a tree with one entry, such as Git itself refuses to write.
fn commit_entry(folder: &Path, mode: &str, name: &[u8], rev: &str) {
    let id = git(folder, &["rev-parse", rev]);
    let id = (0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap());
    let entry: Vec<u8> =
        [mode.as_bytes(), b" ", name, b"\0"].concat().into_iter().chain(id).collect();
    commit_tree(folder, &entry);
}

fn commit_tree(folder: &Path, tree: &[u8]) {
    fs::write(folder.join(".git/tree"), tree).unwrap();
    let tree = git(folder, &["hash-object", "-t", "tree", "-w", "--literally", ".git/tree"]);
    let person = "Ada <a@b.c> 1 +0000";
    let commit = format!("tree {tree}\nauthor {person}\ncommitter {person}\n\nx\n");
    fs::write(folder.join(".git/commit"), commit).unwrap();
    let commit = git(folder, &["hash-object", "-t", "commit", "-w", "--literally", ".git/commit"]);
    fs::write(folder.join(".git/refs/heads/main"), commit + "\n").unwrap();
}

#[cfg(unix)]
fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What is done to a repository, and how, and what is said of it.
type Harm<'h> = (&'h str, &'h dyn Fn(&Path), &'h str);

/// Of each it is said what is wrong and what helps; so it is where only the newest commit is read, if
/// that is touched at all.
fn check_refused(harms: &[Harm<'_>]) {
    let Some(_) = tool("git") else { return };
    let wrong = harms.iter().filter_map(|(name, harm, message)| {
        let scratch = started(&name.replace(' ', "-"));
        harm(&scratch.0);
        let Err(error) = disk::import(&scratch.0) else { return Some(format!("{name}: accepted")) };
        let newest = disk::import_newest(&scratch.0).err();
        let helps = |remedy: &str| !remedy.is_empty() && !remedy.starts_with("commit");
        let told = error.to_string().contains(message)
            && helps(&error.remedy)
            && newest.as_ref().is_none_or(|error| helps(&error.remedy));
        (!told).then(|| format!("{name}: {error}, newest: {newest:?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damaged_objects_are_refused_with_a_remedy() {
    let remove = |rev: &'static str| move |f: &Path| fs::remove_file(loose(f, rev)).unwrap();
    let swap = |one: &'static str, other: &'static str| {
        move |f: &Path| assert!(fs::copy(loose(f, other), loose(f, one)).is_ok())
    };
    check_refused(&[
        ("cut blob", &|f| cut(&loose(f, "HEAD:a.yaml"), |len| len / 2), "blob"),
        ("cut commit", &|f| cut(&loose(f, "HEAD"), |_| 0), "is empty"),
        ("flipped blob", &|f| flip(&loose(f, "HEAD:a.yaml"), 25), "blob"),
        ("another blob", &swap("HEAD:a.yaml", "HEAD:apps/b.yaml"), "its content has another id"),
        ("another tree", &swap("HEAD^{tree}", "HEAD:apps"), "its content has another id"),
        ("missing blob", &remove("HEAD:a.yaml"), "missing blob"),
        ("missing tree", &remove("HEAD:apps"), "tree object"),
        ("missing commit", &remove("HEAD~1"), "Could not read"),
        ("missing tip", &remove("HEAD"), "refs/heads/main"),
        ("flipped pack", &|f| flip(&packed(f, "pack"), 60), ":"),
        ("cut pack", &|f| cut(&packed(f, "pack"), |len| len / 2), ".pack"),
        ("cut index", &|f| cut(&packed(f, "idx"), |_| 0), ".idx"),
        ("no index", &|f| fs::remove_file(packed(f, "idx")).unwrap(), "object"),
    ]);
}

#[test]
fn trees_that_no_git_writes_are_refused_with_a_remedy() {
    let blob = |name: &'static str| {
        move |f: &Path| commit_entry(f, "100644", name.as_bytes(), "HEAD:a.yaml")
    };
    check_refused(&[
        ("git", &blob(".git"), "\".git\", which leads out of its folder"),
        (
            "git folder",
            &|f| commit_entry(f, "40000", b".GIT", "HEAD:apps"),
            "\".GIT\", which leads",
        ),
        ("git file", &blob(".git/config"), "\".git/config\", which leads"),
        ("up", &blob("../x"), "\"../x\", which leads"),
        ("root", &blob("/etc/passwd"), "\"/etc/passwd\", which leads"),
        ("no name", &blob(""), "empty filename"),
        ("no utf8", &|f| commit_entry(f, "100644", b"caf\xe9", "HEAD:a.yaml"), "not UTF-8"),
        ("mode", &|f| commit_entry(f, "170000", b"a", "HEAD:a.yaml"), "file mode 170000"),
        ("tree as file", &|f| commit_entry(f, "100644", b"a", "HEAD:apps"), "a: blob"),
        ("file as tree", &|f| commit_entry(f, "40000", b"a", "HEAD:a.yaml"), "tree"),
        ("garbage", &|f| commit_tree(f, b"\x01garbage\0"), "tree"),
    ]);
}

#[test]
fn broken_references_are_refused_with_a_remedy() {
    let write = |file: &'static str, text: &'static str| {
        move |f: &Path| fs::write(f.join(".git").join(file), text).unwrap()
    };
    let absent = "1111111111111111111111111111111111111111\n";
    check_refused(&[
        ("absent", &write("refs/heads/main", absent), "refs/heads/main"),
        ("garbage", &write("refs/heads/other", "garbage"), "bad object refs/heads/other"),
        ("empty", &write("refs/heads/other", ""), "bad object refs/heads/other"),
        ("circle", &write("refs/heads/main", "ref: refs/heads/main\n"), "HEAD names no branch"),
        ("head", &write("HEAD", "garbage"), "HEAD, objects or refs are missing or broken"),
        ("packed", &write("packed-refs", "no reference\n"), "packed-refs: no reference"),
        ("binary", &write("packed-refs", "a\u{1}\u{2}"), "packed-refs"),
        ("config", &write("config", "[core"), "bad config line"),
        ("future", &write("config", "[core]\nrepositoryFormatVersion = 99"), "99"),
        (
            "many",
            &|f| {
                // More than fits into a pipe is complained of.
                for n in 0..2000 {
                    let name = format!(".git/refs/heads/a-branch-with-a-name-of-some-length-{n}");
                    fs::write(f.join(name), "garbage").unwrap();
                }
            },
            "bad object refs/heads/a-branch",
        ),
    ]);
}

#[cfg(unix)]
#[test]
fn what_git_would_wait_for_without_end_is_refused() {
    use std::os::unix::fs::symlink;
    check_refused(&[
        ("piped head", &|f| pipe(&f.join(".git/HEAD")), ".git/HEAD: it is a pipe"),
        ("piped ref", &|f| pipe(&f.join(".git/refs/heads/x")), "refs/heads/x: it is a pipe"),
        ("piped object", &|f| pipe(&loose(f, "HEAD:a.yaml")), ": it is a pipe"),
        (
            "device",
            &|f| {
                fs::remove_file(f.join(".git/HEAD")).unwrap();
                symlink("/dev/zero", f.join(".git/HEAD")).unwrap();
            },
            "or a device",
        ),
        (
            "circles",
            &|f| {
                symlink("..", f.join(".git/refs/heads/a")).unwrap();
                symlink("..", f.join(".git/refs/heads/b")).unwrap();
            },
            "is a symbolic link",
        ),
    ]);
}

#[test]
fn repositories_that_are_not_here_or_of_another_kind_are_refused_with_a_remedy() {
    let turn = |f: &Path, to: &str| {
        fs::remove_dir_all(f.join(".git")).unwrap();
        fs::write(f.join(".git"), to).unwrap();
    };
    check_refused(&[
        ("none", &|f| fs::remove_dir_all(f.join(".git")).unwrap(), "not a git repository"),
        ("pointer", &|f| turn(f, "gitdir: /nowhere"), "/nowhere; mend the path in .git"),
        ("garbled pointer", &|f| turn(f, "\0\u{1}"), "mend the path in .git"),
        (
            "lost alternate",
            &|f| {
                for folder in fs::read_dir(f.join(".git/objects")).unwrap() {
                    fs::remove_dir_all(folder.unwrap().path()).unwrap();
                }
                fs::create_dir(f.join(".git/objects/info")).unwrap();
                fs::write(f.join(".git/objects/info/alternates"), "/nowhere/objects\n").unwrap();
            },
            "/nowhere/objects",
        ),
        (
            "sha256",
            &|f| {
                fs::remove_dir_all(f.join(".git")).unwrap();
                git(f, &["init", "-q", "--object-format=sha256"]);
            },
            "only sha1 is supported",
        ),
        (
            "partial",
            &|f| {
                git(f, &["config", "uploadpack.allowFilter", "true"]);
                let (bare, url) = (f.join(".git/bare"), format!("file://{}", f.display()));
                git(
                    f,
                    &["clone", "-q", "--bare", "--filter=blob:none", &url, &bare.to_string_lossy()],
                );
                for name in ["objects", "packed-refs", "config"] {
                    let _ = fs::remove_dir_all(f.join(".git").join(name));
                    fs::rename(bare.join(name), f.join(".git").join(name)).unwrap();
                }
            },
            "partial clone",
        ),
        (
            "large",
            &|f| {
                // So many come after it that Git is not done with naming them.
                for n in 0..2000 {
                    fs::write(f.join(format!("many-{n}")), n.to_string()).unwrap();
                }
                fs::File::create(f.join("apps/large")).unwrap().set_len(65 << 20).unwrap();
                git(f, &["-c", "core.bigFileThreshold=1m", "add", "."]);
                git(f, &["commit", "-qm", "Large"]);
            },
            "apps/large in commit",
        ),
    ]);
}

#[test]
fn a_broken_repository_is_not_taken_for_the_one_around_it() {
    let Some(_) = tool("git") else { return };
    let around = started("around");
    let within = around.0.join("within");
    git(&around.0, &["init", "-q", "within"]);
    fs::write(within.join(".git/HEAD"), "garbage").unwrap();
    assert!(disk::import(&within).is_err());
    assert!(disk::import(&around.0.join("apps")).is_err());
}

/// All objects that there are to a repository.
fn objects(folder: &Path) -> Vec<String> {
    let listed =
        git(folder, &["rev-list", "--objects", "--no-object-names", "--all", "HEAD", "--"]);
    let mut ids: Vec<String> = listed.lines().map(str::to_owned).collect();
    ids.sort();
    ids
}

/// What is odd and read all the same, and how many commits it has then; it goes back as it came.
#[test]
fn what_git_reads_is_read() {
    let Some(_) = tool("git") else { return };
    let check = |name: &str, change: &dyn Fn(&Path) -> PathBuf, commits: usize| {
        let scratch = started(&name.replace(' ', "-"));
        let folder = change(&scratch.0);
        let read = disk::import(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.log("HEAD").unwrap().ids().len(), commits, "{name}");
        assert_eq!(read.head_id().unwrap().to_string(), git(&folder, &["rev-parse", "HEAD"]));
        let back = scratch.0.join("back");
        disk::export(&read, &back).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(objects(&back), objects(&folder), "{name}");
    };
    let url = |f: &Path| format!("file://{}", f.display());
    let cloned = |f: &Path, args: &[&str]| {
        git(f, &[&["clone", "-q"], args, &[&url(f), ".git/clone"]].concat());
        f.join(".git/clone")
    };
    check("bare", &|f| cloned(f, &["--bare"]), 2);
    check("shallow", &|f| cloned(f, &["--depth=1"]), 1);
    check("borrowed", &|f| cloned(f, &["--reference", &f.to_string_lossy()]), 2);
    check(
        "worktree",
        &|f| {
            git(f, &["worktree", "add", "-q", "-b", "other", ".git/tree"]);
            f.join(".git/tree")
        },
        2,
    );
    check(
        "detached",
        &|f| {
            git(f, &["checkout", "-q", "--detach", "HEAD~1"]);
            f.into()
        },
        1,
    );
    check(
        "submodule",
        &|f| {
            let tip = git(f, &["rev-parse", "HEAD"]);
            git(f, &["update-index", "--add", "--cacheinfo", &format!("160000,{tip},module")]);
            git(f, &["commit", "-qm", "Three"]);
            f.into()
        },
        3,
    );
    check(
        "a file called HEAD",
        &|f| {
            fs::write(f.join("HEAD"), "x").unwrap();
            git(f, &["add", "."]);
            git(f, &["commit", "-qm", "Three"]);
            f.into()
        },
        3,
    );
    let with_mode = |mode: &'static str, rev: &'static str| {
        move |f: &Path| {
            commit_entry(f, mode, b"a", rev);
            f.to_owned()
        }
    };
    check("old mode", &with_mode("100664", "HEAD:a.yaml"), 1);
    check("padded mode", &with_mode("040000", "HEAD:apps"), 1);
    check(
        "needless alternate",
        &|f| {
            fs::write(f.join(".git/objects/info/alternates"), "/nowhere/objects\n").unwrap();
            f.into()
        },
        2,
    );
    check(
        "dangling",
        &|f| {
            fs::write(f.join(".git/refs/heads/x"), "ref: refs/heads/nowhere\n").unwrap();
            f.into()
        },
        2,
    );
}

#[test]
fn a_shallow_clone_behaves_as_in_git() {
    let Some(_) = tool("git") else { return };
    let scratch = started("shallow-copy");
    let folder = scratch.0.join(".git/clone");
    let url = format!("file://{}", scratch.0.display());
    git(&scratch.0, &["clone", "-q", "--depth=1", &url, ".git/clone"]);
    let read = disk::import(&folder).unwrap();
    assert!(read.resolve("HEAD~1").is_err());
    let copy = Repository::clone_of(&read);
    assert_eq!(copy.log("HEAD").unwrap().ids(), read.log("HEAD").unwrap().ids());
    assert_eq!(copy.blame("HEAD", "a.yaml").unwrap()[0].commit, read.head_id().unwrap());
    let back = scratch.0.join(".git/back");
    disk::export(&read, &back).unwrap();
    assert_eq!(git(&back, &["fsck", "--strict"]), "");
    assert_eq!(git(&back, &["rev-list", "HEAD"]), git(&folder, &["rev-list", "HEAD"]));
}

#[test]
fn tags_of_files_and_folders_go_and_come_back() {
    let Some(_) = tool("git") else { return };
    let scratch = started("tags");
    let folder = &scratch.0;
    fs::write(folder.join(".git/lone"), "nowhere else\n").unwrap();
    let lone = git(folder, &["hash-object", "-w", ".git/lone"]);
    git(folder, &["tag", "blob", &lone]);
    git(folder, &["tag", "-m", "A file", "tagged-blob", &lone]);
    git(folder, &["tag", "tree", "HEAD:apps"]);
    git(folder, &["tag", "-m", "A folder", "tagged-tree", "HEAD:apps"]);
    let read = disk::import(folder).unwrap();
    let back = scratch.0.join(".git/back");
    disk::export(&read, &back).unwrap();
    let listed = |folder: &Path| git(folder, &["show-ref", "--tags", "--dereference"]);
    assert_eq!(listed(&back), listed(folder));
    assert_eq!(git(&back, &["fsck", "--strict", "--no-dangling"]), "");
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
    fs::remove_file(folder.join("large")).unwrap();
    fs::create_dir_all(folder.join("d/".repeat(600))).unwrap();
    let error = disk::read_folder(folder).unwrap_err().to_string();
    assert!(error.contains("more than 500 folders within each other"), "{error}");
}

#[cfg(unix)]
#[test]
fn in_a_folder_links_are_links_and_pipes_are_nothing() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new("links");
    let folder = &scratch.0;
    for (link, to) in
        [("self", "."), ("up", ".."), ("one", "two"), ("two", "one"), ("zero", "/dev/zero")]
    {
        symlink(to, folder.join(link)).unwrap();
    }
    fs::create_dir(folder.join("sub")).unwrap();
    symlink("/dev/zero", folder.join(".gitignore")).unwrap();
    pipe(&folder.join("sub/.gitignore"));
    pipe(&folder.join("pipe"));
    let files = disk::read_folder(folder).unwrap().files();
    let names: Vec<&str> = files.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, [".gitignore", "one", "self", "two", "up", "zero"]);
    assert!(files.iter().all(|(_, mode, _)| *mode == Mode::Symlink));
}

#[test]
fn signatures_are_carried_to_the_byte_and_lost_where_a_commit_is_made_again() {
    let (Some(_), Some(keygen)) = (tool("git"), tool("ssh-keygen")) else { return };
    let scratch = Scratch::new("signed");
    let (folder, out) = (scratch.0.join("in"), scratch.0.join("out"));
    let key = scratch.0.join("key");
    let made =
        Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = scratch.0.join("signers");
    fs::write(&signers, format!("a@b.c {public}")).unwrap();
    fs::create_dir(&folder).unwrap();
    let configure = |folder: &Path| {
        git(folder, &["config", "gpg.format", "ssh"]);
        git(folder, &["config", "user.signingkey", key.to_str().unwrap()]);
        git(folder, &["config", "gpg.ssh.allowedSignersFile", signers.to_str().unwrap()]);
    };
    git(&folder, &["init", "-q", "-b", "main"]);
    configure(&folder);
    git(&folder, &["commit", "-q", "--allow-empty", "-m", "Plain"]);
    git(&folder, &["commit", "-q", "-S", "--allow-empty", "-m", "Signed"]);
    git(&folder, &["tag", "-s", "v1", "-m", "One"]);
    git(&folder, &["switch", "-qc", "topic", "HEAD~1"]);
    git(&folder, &["commit", "-q", "-S", "--allow-empty", "-m", "Topic"]);
    git(&folder, &["merge", "-q", "-S", "--no-ff", "-m", "Merged", "v1"]);
    git(&folder, &["gc", "-q"]);

    let mut repository = disk::import(&folder).unwrap();
    let signed = |rev: &str| repository.commit_at(rev).unwrap().is_signed();
    assert_eq!(["topic", "main", "main~1"].map(signed), [true, true, false]);
    let tag = repository.find_tag(repository.resolve("v1").unwrap()).unwrap();
    let signature = repository.commit_at("main").unwrap().signature().unwrap().to_owned();
    assert_eq!(SignatureFormat::of(&signature), SignatureFormat::Ssh);
    assert!(tag.is_signed());
    assert_eq!(named_key(tag.signature().unwrap()), named_key(&signature));
    disk::export(&repository, &out).unwrap();
    configure(&out);
    git(&out, &["verify-commit", "topic", "main"]);
    git(&out, &["verify-tag", "v1"]);
    assert_eq!(git(&out, &["fsck", "--strict"]), "");

    // As git does it, unless it is told to sign.
    let again = |config: &[&str]| {
        git(&out, &["switch", "-q", "--detach", "main"]);
        git(&out, &[config, &["commit", "--amend", "-q", "--allow-empty", "-m", "Again"]].concat());
        git(&out, &["cat-file", "commit", "HEAD"]).contains("gpgsig")
    };
    assert!(!again(&[]) && again(&["-c", "commit.gpgSign=true"]));
    repository.switch("main").unwrap();
    let ada = Signature::new("Ada", "a@b.c", Timestamp::from_secs(1_767_225_600));
    let mut again = |key: Option<SigningKey>| {
        repository.config_mut().signing_key = key;
        let tree = repository.tree("HEAD").unwrap();
        let id = repository.amend(tree, Some("Again"), ada.clone()).unwrap();
        repository.find_commit(id).unwrap().is_signed()
    };
    assert!(!again(None) && again(Some(SigningKey::of("a@b.c"))));
}
