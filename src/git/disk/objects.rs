//! The objects of a repository, read by Git: git-rev-list(1) names them, git-cat-file(1) brings them.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::error::{DAMAGED, Fault, LEAVE_OUT};
use super::program::{answer, failed, git, not_started, overhear};
use super::{DiskError, LARGEST_FILE, MOST_BYTES};
use crate::git::{Blob, ObjectId};

/// What a repository holds, in no order but that of the commits.
#[derive(Default)]
pub(super) struct RawObjects {
    /// In the order of `git rev-list`: mostly what came later first.
    pub(super) commits: Vec<(ObjectId, Vec<u8>)>,
    pub(super) tags: Vec<(ObjectId, Vec<u8>)>,
    pub(super) trees: BTreeMap<ObjectId, Vec<u8>>,
    pub(super) blobs: BTreeMap<ObjectId, Blob>,
}

/// Reads everything that these arguments of `git rev-list` lead to.
///
/// # Errors
///
/// When an object is missing, damaged or too large, or all of them are.
pub(super) fn read(path: &Path, tips: &[&str]) -> Result<RawObjects, DiskError> {
    let mut list = git(path, &["rev-list", "--objects", "--no-object-names"]);
    list.args(tips).arg("--");
    let mut lister = start(path, &mut list)?;
    let mut cat = git(path, &["cat-file", "--batch", "--buffer"]);
    cat.stdin(Stdio::from(lister.stdout.take().expect("it was asked for")));
    let mut reader = start(path, &mut cat)?;
    // Who holds on to the pipe between the two keeps the first from ending when the second does.
    drop(cat);
    let complaints = [&mut lister, &mut reader].map(|child| child.stderr.take());
    let complaints = complaints.map(|stderr| overhear(stderr.expect("it was asked for")));
    let objects = BufReader::with_capacity(1 << 16, reader.stdout.take().expect("as above"));
    let read = Batch { path, objects, bytes: 0 }.read_all();
    if read.is_err() {
        let _ = reader.kill();
    }
    let ended = [lister.wait(), reader.wait()].map(|end| end.is_ok_and(|status| status.success()));
    let [of_list, of_read] = complaints.map(|thread| thread.join().unwrap_or_default());
    match read {
        Err(Stop::Broken(what)) if of_read.is_empty() => Err(DiskError::new(path, what)),
        Err(Stop::Broken(what)) => Err(failed(path, &of_read).about(&what)),
        Err(Stop::Refused(error)) => Err(error),
        Ok(_) if !ended[0] => Err(failed(path, &of_list)),
        Ok(_) if !ended[1] => Err(failed(path, &of_read)),
        Ok(objects) => Ok(objects),
    }
    .map_err(|error| error.or_remedy(DAMAGED))
}

fn start(path: &Path, command: &mut Command) -> Result<Child, DiskError> {
    command.spawn().map_err(|error| not_started(path, &error))
}

/// Why reading ends early.
enum Stop {
    /// What Git did not bring; it may have said why.
    Broken(String),
    /// An object is not as it should be.
    Refused(DiskError),
}

/// The answers of `git cat-file --batch`: for each object a line `ID TYPE SIZE`, the content, a newline.
struct Batch<'p, R> {
    path: &'p Path,
    objects: R,
    bytes: u64,
}

impl<R: BufRead> Batch<'_, R> {
    fn read_all(mut self) -> Result<RawObjects, Stop> {
        let mut found = RawObjects::default();
        let mut header = String::new();
        loop {
            header.clear();
            let broken = |_| Stop::Broken("an object cannot be read".into());
            if self.objects.read_line(&mut header).map_err(broken)? == 0 {
                return Ok(found);
            }
            let (id, kind, size) = parse_header(&header)
                .ok_or_else(|| Stop::Broken(format!("object {}", header.trim())))?;
            self.weigh(id, kind, size).map_err(Stop::Refused)?;
            let cut_off = |_| Stop::Broken(format!("{kind} {id} cannot be read"));
            let content = self.content(size).map_err(cut_off)?;
            let refused = |why: Fault| why.within(&format!("{kind} {id}")).at(self.path);
            found.take(id, kind, content).map_err(|why| Stop::Refused(refused(why)))?;
        }
    }

    /// The content of an object, without the newline behind it.
    fn content(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut content = vec![0; size as usize];
        self.objects.read_exact(&mut content)?;
        self.objects.read_exact(&mut [0])?;
        Ok(content)
    }

    fn weigh(&mut self, id: ObjectId, kind: &str, size: u64) -> Result<(), DiskError> {
        self.bytes += size;
        let refused = |message| Err(DiskError::new(self.path, message).with_remedy(LEAVE_OUT));
        match () {
            () if size > LARGEST_FILE => {
                let (is, may) = (size >> 20, LARGEST_FILE >> 20);
                let name = name_of(self.path, id).unwrap_or_else(|| format!("{kind} {id}"));
                refused(format!("{name} has {is} MiB; {may} MiB is the limit"))
            }
            () if self.bytes > MOST_BYTES => {
                let may = MOST_BYTES >> 30;
                refused(format!("the history has more than {may} GiB; that is the limit"))
            }
            () => Ok(()),
        }
    }
}

fn parse_header(line: &str) -> Option<(ObjectId, &str, u64)> {
    let mut words = line.split_ascii_whitespace();
    let (id, kind, size) = (words.next()?, words.next()?, words.next()?);
    Some((id.parse().ok()?, kind, size.parse().ok()?))
}

/// Where a file is, and the latest commit that has to do with it.
fn name_of(path: &Path, id: ObjectId) -> Option<String> {
    let find = format!("--find-object={id}");
    let args = ["log", "--all", "-m", "-1", "--format=%h", "--name-only", &find, "--"];
    let said = answer(path, &args).ok()??;
    let (commit, file) = said.split_once("\n\n")?;
    Some(format!("{} in commit {commit}", file.lines().next()?))
}

impl RawObjects {
    fn take(&mut self, id: ObjectId, kind: &str, content: Vec<u8>) -> Result<(), Fault> {
        if ObjectId::of(kind, &content) != id {
            return Err("its content has another id".into());
        }
        match kind {
            "blob" => drop(self.blobs.insert(id, Blob::with_id(id, content))),
            "tree" => drop(self.trees.insert(id, content)),
            "commit" => self.commits.push((id, content)),
            "tag" => self.tags.push((id, content)),
            other => return Err(format!("{other:?} is no type of object").into()),
        }
        Ok(())
    }
}
