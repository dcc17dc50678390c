//! The objects of a repository, read by Git: git-rev-list(1) names them, git-cat-file(1) brings them.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use super::program::{answer, failed, git, not_started, overhear};
use super::{DiskError, LARGEST_FILE, MOST_BYTES, Progress};
use crate::git::ObjectId;
use crate::git::raw::{DAMAGED, Fault, LEAVE_OUT, RawObjects};

/// Reads everything that these arguments of `git rev-list` lead to.
///
/// # Errors
///
/// When an object is missing, damaged or too large, or all of them are.
pub(super) fn read(
    path: &Path,
    tips: &[&str],
    tell: Option<&mut dyn FnMut(Progress)>,
) -> Result<RawObjects, DiskError> {
    let teller = tell.map(|tell| Teller { tell, of: count(path) });
    let mut list = git(path, &["rev-list", "--objects", "--no-object-names"]);
    list.args(tips).arg("--");
    let (lister, ids) = Running::start(path, list)?;
    let mut cat = git(path, &["cat-file", "--batch", "--buffer"]);
    cat.stdin(Stdio::from(ids));
    let (mut reader, objects) = Running::start(path, cat)?;
    let objects = BufReader::with_capacity(1 << 16, objects);
    let read = Batch { path, objects, bytes: 0, teller }.read_all();
    if read.is_err() {
        reader.stop();
    }
    let (list, cat) = (lister.end(), reader.end());
    let read = match read {
        Ok(_) if !list.well => Err(failed(path, &list.said)),
        Ok(_) if !cat.well => Err(failed(path, &cat.said)),
        Ok(objects) => Ok(objects),
        Err(Stop::Refused(error)) => Err(error),
        Err(Stop::Broken(what)) => Err(match [cat.said, list.said].concat() {
            said if said.is_empty() => DiskError::new(path, what),
            said => failed(path, &said).about(&what),
        }),
    };
    read.map_err(|error| error.or_remedy(DAMAGED))
}

/// A program whose output is read while it runs.
struct Running {
    child: Child,
    complaints: JoinHandle<Vec<u8>>,
}

impl Running {
    /// Starts a command, and lets go of it: whoever held on to the pipe between two programs would keep
    /// the first from ending when the second does.
    fn start(path: &Path, mut command: Command) -> Result<(Self, ChildStdout), DiskError> {
        let mut child = command.spawn().map_err(|error| not_started(path, &error))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let complaints = overhear(stderr.expect("git's commands are given pipes"));
        let running = Running { child, complaints };
        Ok((running, stdout.expect("git's commands are given pipes")))
    }

    fn stop(&mut self) {
        // One that has ended needs no stopping.
        let _ = self.child.kill();
    }

    fn end(mut self) -> End {
        let well = self.child.wait().is_ok_and(|status| status.success());
        End { well, said: self.complaints.join().unwrap_or_default() }
    }
}

/// How a program ended.
struct End {
    well: bool,
    /// What it complained of, which it may do and end well.
    said: Vec<u8>,
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
    teller: Option<Teller<'p>>,
}

/// Whom to tell how far it is, and how many objects there are.
struct Teller<'p> {
    tell: &'p mut dyn FnMut(Progress),
    of: Option<u64>,
}

impl<R: BufRead> Batch<'_, R> {
    fn read_all(mut self) -> Result<RawObjects, Stop> {
        const NOW_AND_THEN: u64 = 1000;
        let mut found = RawObjects::default();
        let mut number = 0;
        let mut header = String::new();
        loop {
            header.clear();
            if number % NOW_AND_THEN == 0
                && let Some(Teller { tell, of }) = &mut self.teller
            {
                tell(Progress { objects: number, of: *of });
            }
            number += 1;
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

/// How many objects there are, reachable or not (git-count-objects(1)).
fn count(path: &Path) -> Option<u64> {
    let said = answer(path, &["count-objects", "-v"]).ok()??;
    let number = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(": ")?.parse::<u64>().ok()
    };
    Some(number("count")? + number("in-pack")?)
}

/// Where a file is, and the latest commit that has to do with it.
fn name_of(path: &Path, id: ObjectId) -> Option<String> {
    let find = format!("--find-object={id}");
    let args = ["log", "--all", "-m", "-1", "--format=%h", "--name-only", &find, "--"];
    let said = answer(path, &args).ok()??;
    let (commit, file) = said.split_once("\n\n")?;
    Some(format!("{} in commit {commit}", file.lines().next()?))
}
