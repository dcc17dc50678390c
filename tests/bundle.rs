//! Bundles: what real Git writes is read, what is written real Git reads, with every id.

#[path = "disk/rig.rs"]
mod rig;

use std::fs;
use std::path::Path;

use driftlab::git::disk::{self, Import};
use driftlab::git::{Repository, bundle};
use driftlab_tests::tool;
use rig::{Scratch, git, started};

/// Two branches, a merge, tags of all kinds, enough versions of a file for deltas.
fn with_history(name: &str) -> Scratch {
    let scratch = started(name);
    let folder = &scratch.0;
    let lines: Vec<String> = (0..200).map(|n| format!("line {n}")).collect();
    for n in 0..20 {
        fs::write(folder.join("a.yaml"), format!("{}\n{n}\n", lines.join("\n"))).unwrap();
        git(folder, &["commit", "-qam", &format!("Version {n}")]);
    }
    git(folder, &["switch", "-qc", "side", "HEAD~3"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "Aside"]);
    git(folder, &["merge", "-q", "--no-ff", "-m", "Together", "main"]);
    git(folder, &["tag", "light", "HEAD~1"]);
    git(folder, &["tag", "-m", "One", "v1", "main"]);
    git(folder, &["tag", "-m", "A folder", "folder", "HEAD:apps"]);
    git(folder, &["switch", "-q", "main"]);
    scratch
}

fn references(folder: &Path) -> String {
    git(folder, &["for-each-ref", "--format=%(objectname) %(refname)"])
}

fn references_of(repository: &Repository) -> String {
    let lines: Vec<String> =
        repository.references().map(|(name, id)| format!("{id} {name}")).collect();
    lines.join("\n")
}

#[test]
fn what_real_git_bundles_is_read_with_every_id() {
    let Some(_) = tool("git") else { return };
    let scratch = with_history("bundle-read");
    let folder = &scratch.0;
    for version in ["--version=2", "--version=3"] {
        let file = folder.join(".git/x.bundle");
        git(folder, &["bundle", "create", "-q", version, &file.to_string_lossy(), "--all"]);
        let read = disk::import(&file).unwrap();
        assert_eq!(references_of(&read), references(folder));
        assert_eq!(read.current_branch(), Some("main"));
        let ids = git(folder, &["rev-list", "--topo-order", "side"]);
        let log = read.log("side").unwrap().ids();
        assert_eq!(log.len(), ids.lines().count());
        let back = folder.join(".git/back");
        disk::export(&read, &back).unwrap();
        assert_eq!(git(&back, &["fsck", "--strict"]), "");
        assert_eq!(references(&back), references(folder));
        fs::remove_dir_all(back).unwrap();
    }
}

#[test]
fn real_git_verifies_clones_and_fetches_what_is_bundled() {
    let Some(_) = tool("git") else { return };
    let scratch = with_history("bundle-write");
    let folder = &scratch.0;
    let (file, clone) = (folder.join(".git/ours.bundle"), folder.join(".git/clone"));
    disk::export_bundle(&disk::import(folder).unwrap(), &file).unwrap();
    let name = file.to_string_lossy();
    let verified = git(folder, &["bundle", "verify", &name]);
    assert!(verified.contains("records a complete history"), "{verified}");
    git(folder, &["clone", "-q", "--mirror", &name, &clone.to_string_lossy()]);
    assert_eq!(git(&clone, &["fsck", "--strict"]), "");
    assert_eq!(references(&clone), references(folder));
    assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    let again = disk::export_bundle(&disk::import(folder).unwrap(), &file).unwrap_err();
    assert!(again.to_string().ends_with("there is something already; name a new file"), "{again}");
}

#[test]
fn a_bundle_of_what_is_new_is_fetched_onto_the_rest() {
    let Some(_) = tool("git") else { return };
    let scratch = with_history("bundle-thin");
    let folder = &scratch.0;
    let file = folder.join(".git/new.bundle");
    git(folder, &["bundle", "create", "-q", &file.to_string_lossy(), "main~2..main", "v1"]);
    let bytes = fs::read(&file).unwrap();
    let base = git(folder, &["rev-parse", "main~2"]);
    let alone = disk::import(&file).err().unwrap().to_string();
    assert!(alone.contains(&format!("builds on commit {base}, which is not in it")), "{alone}");

    let old = Import::default().reference("side").run(folder).unwrap();
    assert_eq!(old.branches().count(), 1);
    let new = bundle::fetch(&old, &bytes).unwrap();
    assert_eq!(new.branch_id("main").unwrap().to_string(), git(folder, &["rev-parse", "main"]));
    assert_eq!(new.current_branch(), Some("side"));
    assert_eq!(old.branch_id("main"), None);
}

#[test]
fn one_reference_is_brought_by_its_name() {
    let Some(_) = tool("git") else { return };
    let scratch = with_history("by-ref");
    let folder = &scratch.0;
    let file = folder.join(".git/all.bundle");
    git(folder, &["bundle", "create", "-q", &file.to_string_lossy(), "--all"]);
    for place in [folder, &file] {
        let check = |names: &[&str], branch: Option<&str>, rev: &str, expected: &[&str]| {
            let import =
                names.iter().fold(Import::default(), |import, name| import.reference(*name));
            let read = import.run(place).unwrap();
            let found: Vec<&str> = read.references().map(|(name, _)| name).collect();
            assert_eq!(found, expected);
            assert_eq!(read.current_branch(), branch);
            assert_eq!(read.head_id().unwrap().to_string(), git(folder, &["rev-parse", rev]));
        };
        check(&["side"], Some("side"), "side", &["refs/heads/side"]);
        check(&["light"], None, "light", &["refs/tags/light"]);
        check(&["v1"], None, "v1^{commit}", &["refs/tags/v1"]);
        let both = ["refs/heads/main", "refs/heads/side"];
        check(&["side", "refs/heads/main"], Some("main"), "main", &both);
        let missing = Import::default().reference("nope").run(place).err().unwrap().to_string();
        let told = "there is no branch, tag or reference \"nope\"; there are main, side, folder";
        assert!(missing.contains(told), "{missing}");
    }
}

#[test]
fn how_far_an_import_is_is_told() {
    let Some(_) = tool("git") else { return };
    let scratch = started("progress");
    let folder = &scratch.0;
    for n in 0..1200 {
        fs::write(folder.join(format!("apps/{n}")), n.to_string()).unwrap();
    }
    git(folder, &["add", "."]);
    git(folder, &["commit", "-qm", "Many"]);
    let mut told = Vec::new();
    let mut tell = |progress: disk::Progress| told.push((progress.objects, progress.of));
    Import::default().progress(&mut tell).run(folder).unwrap();
    let all = Some(3 + 4 + 1203);
    assert_eq!(told, [(0, all), (1000, all)]);
}

#[test]
fn a_history_that_is_cut_off_goes_into_no_bundle() {
    let Some(_) = tool("git") else { return };
    let scratch = with_history("bundle-shallow");
    let clone = scratch.0.join(".git/clone");
    let url = format!("file://{}", scratch.0.display());
    git(&scratch.0, &["clone", "-q", "--depth=2", &url, ".git/clone"]);
    let file = clone.join("x.bundle");
    let refused = disk::export_bundle(&disk::import(&clone).unwrap(), &file).unwrap_err();
    assert!(refused.message.starts_with("the history is cut off before commit"), "{refused}");
    assert!(refused.remedy.contains("git fetch --unshallow"), "{refused}");
    assert!(!file.exists());
}

#[test]
fn a_bundle_that_another_git_would_need_is_refused_by_name() {
    let Some(_) = tool("git") else { return };
    let scratch = Scratch::new("bundle-sha256");
    let folder = &scratch.0;
    git(folder, &["init", "-q", "-b", "main", "--object-format=sha256"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "One"]);
    let file = folder.join(".git/x.bundle");
    git(folder, &["bundle", "create", "-q", &file.to_string_lossy(), "--all"]);
    let refused = disk::import(&file).err().unwrap().to_string();
    assert!(refused.contains("asks for \"object-format=sha256\""), "{refused}");
    fs::write(&file, "no bundle").unwrap();
    let refused = disk::import(&file).err().unwrap().to_string();
    assert!(refused.contains("not a bundle"), "{refused}");
}
