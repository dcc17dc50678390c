//! A pack taken apart: objects as they are, and objects as deltas of others, which may lie anywhere in
//! the pack or, in a thin one, in the repository that it is meant for.

use std::collections::{BTreeMap, BTreeSet};

use miniz_oxide::inflate::core::DecompressorOxide;
use sha1::{Digest, Sha1};

use super::inflate::inflate;
use super::{PackError, delta};
use crate::git::disk::{LARGEST_FILE, MOST_BYTES};
use crate::git::raw::RawObjects;
use crate::git::{ObjectId, ObjectKind, Repository};

/// The largest object, in bytes.
pub(super) const LARGEST: u64 = LARGEST_FILE;

/// How many bytes all objects of a pack may have together, and the deltas they are made of.
#[derive(Clone, Copy)]
pub(in crate::git) struct Limits {
    most: u64,
}

impl Limits {
    /// What comes over the wire: 512 MiB.
    #[cfg(any(feature = "git-wire", test))]
    pub(in crate::git) const WIRE: Limits = Limits { most: 512 << 20 };

    /// What lies on the disk: as much as of a repository there.
    pub(in crate::git) const DISK: Limits = Limits { most: MOST_BYTES };
}

/// How many deltas may stand on one another: as many as Git makes at most.
pub(super) const DEEPEST_CHAIN: usize = 4095;

/// The checksum at the end.
const SUM: usize = 20;

/// Takes a pack apart. Bases that are not in it are looked for in the repository.
///
/// # Errors
///
/// When it is damaged, too large, or lacks something.
pub(super) fn read(
    pack: &[u8],
    repository: &Repository,
    limits: Limits,
) -> Result<RawObjects, PackError> {
    let mut unpacked = Unpacked::default();
    for (entry, offset) in entries(pack, limits)? {
        unpacked.put(entry, offset);
    }
    unpacked.resolve()?;
    unpacked.resolve_thin(repository)?;
    unpacked.check_complete()?;
    Ok(unpacked.objects)
}

/// An object of a pack, before deltas are undone.
enum Entry {
    Whole(ObjectKind, Vec<u8>),
    /// A delta of the object at an offset.
    OfOffset(usize, Vec<u8>),
    /// A delta of an object by its id.
    OfId(ObjectId, Vec<u8>),
}

/// The objects of a pack, with the offset of each.
fn entries(pack: &[u8], limits: Limits) -> Result<Vec<(Entry, usize)>, PackError> {
    let count = count(pack)?;
    let body = pack.len().checked_sub(SUM).ok_or(PackError::CutOff(pack.len()))?;
    let mut reader = Reader { pack: &pack[..body], at: 12, limits, inflated: 0 };
    let mut state = Box::<DecompressorOxide>::default();
    let mut entries = Vec::new();
    for _ in 0..count {
        let offset = reader.at;
        entries.push((reader.entry(&mut state)?, offset));
    }
    match () {
        () if reader.at < body => Err(PackError::Garbage(reader.at)),
        () if Sha1::digest(&pack[..body])[..] != pack[body..] => Err(PackError::Checksum),
        () => Ok(entries),
    }
}

/// The number of objects, from the header.
fn count(pack: &[u8]) -> Result<u32, PackError> {
    match pack.first_chunk::<12>() {
        Some([b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, count @ ..]) => {
            Ok(u32::from_be_bytes(*count))
        }
        None if b"PACK".starts_with(&pack[..pack.len().min(4)]) => {
            Err(PackError::CutOff(pack.len()))
        }
        _ => Err(PackError::NoPack),
    }
}

struct Reader<'p> {
    pack: &'p [u8],
    at: usize,
    limits: Limits,
    inflated: u64,
}

impl Reader<'_> {
    fn entry(&mut self, state: &mut DecompressorOxide) -> Result<Entry, PackError> {
        let offset = self.at;
        let (kind, size) = self.header()?;
        self.weigh(offset, size)?;
        Ok(match kind {
            1 => Entry::Whole(ObjectKind::Commit, self.content(state, offset, size)?),
            2 => Entry::Whole(ObjectKind::Tree, self.content(state, offset, size)?),
            3 => Entry::Whole(ObjectKind::Blob, self.content(state, offset, size)?),
            4 => Entry::Whole(ObjectKind::Tag, self.content(state, offset, size)?),
            6 => {
                let back = self.distance()?;
                let base = usize::try_from(back).ok().and_then(|back| offset.checked_sub(back));
                let base = base.ok_or(PackError::BaseOffset(offset))?;
                Entry::OfOffset(base, self.delta(state, offset, size)?)
            }
            7 => Entry::OfId(self.id()?, self.delta(state, offset, size)?),
            kind => return Err(PackError::Kind { offset, kind }),
        })
    }

    /// Type and size: three bits and four, then seven a byte.
    fn header(&mut self) -> Result<(u8, u64), PackError> {
        let offset = self.at;
        let mut byte = self.byte()?;
        let (kind, mut size, mut shift) = (byte >> 4 & 7, u64::from(byte & 0xf), 4);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            if shift > 57 {
                return Err(PackError::TooLarge { offset, size: u64::MAX });
            }
            size |= u64::from(byte & 0x7f) << shift;
            shift += 7;
        }
        Ok((kind, size))
    }

    /// How far before this object its base begins. Every byte but the last counts one more, so that no
    /// number is written in two ways.
    fn distance(&mut self) -> Result<u64, PackError> {
        let offset = self.at;
        let mut byte = self.byte()?;
        let mut value = u64::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            value = (value + 1).checked_mul(0x80).ok_or(PackError::BaseOffset(offset))?;
            value |= u64::from(byte & 0x7f);
        }
        Ok(value)
    }

    fn id(&mut self) -> Result<ObjectId, PackError> {
        let bytes = self.pack[self.at..].first_chunk().ok_or(PackError::CutOff(self.at))?;
        self.at += bytes.len();
        Ok(ObjectId::from_bytes(*bytes))
    }

    fn byte(&mut self) -> Result<u8, PackError> {
        let byte = self.pack.get(self.at).copied().ok_or(PackError::CutOff(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    fn content(
        &mut self,
        state: &mut DecompressorOxide,
        offset: usize,
        size: u64,
    ) -> Result<Vec<u8>, PackError> {
        let inflated = inflate(state, &self.pack[self.at..], size);
        let (content, read) = inflated.ok_or(PackError::Inflate { offset, size })?;
        self.at += read;
        Ok(content)
    }

    /// A delta, whose object is weighed before it is made.
    fn delta(
        &mut self,
        state: &mut DecompressorOxide,
        offset: usize,
        size: u64,
    ) -> Result<Vec<u8>, PackError> {
        let delta = self.content(state, offset, size)?;
        let makes = delta::size(&delta).ok_or(PackError::Delta(offset))?;
        self.weigh(offset, makes)?;
        Ok(delta)
    }

    fn weigh(&mut self, offset: usize, size: u64) -> Result<(), PackError> {
        self.inflated = self.inflated.saturating_add(size);
        let most = self.limits.most;
        match () {
            () if size > LARGEST => Err(PackError::TooLarge { offset, size }),
            () if self.inflated > most => Err(PackError::TooMuch { offset, most }),
            () => Ok(()),
        }
    }
}

/// Objects, and the deltas that wait for one.
#[derive(Default)]
struct Unpacked {
    objects: RawObjects,
    of_offset: BTreeMap<usize, Vec<Waiting>>,
    of_id: BTreeMap<ObjectId, Vec<Waiting>>,
    /// Those whose deltas can be undone now.
    open: Vec<Made>,
}

/// A delta, and where it lies.
struct Waiting {
    offset: usize,
    delta: Vec<u8>,
}

/// An object that is known.
struct Made {
    /// Where it lies; nowhere, when it is of the repository.
    offset: Option<usize>,
    id: ObjectId,
    kind: ObjectKind,
    content: Vec<u8>,
    /// On how many deltas it stands.
    depth: usize,
}

impl Unpacked {
    fn put(&mut self, entry: Entry, offset: usize) {
        match entry {
            Entry::Whole(kind, content) => self.make(Some(offset), kind, content, 0),
            Entry::OfOffset(base, delta) => {
                self.of_offset.entry(base).or_default().push(Waiting { offset, delta });
            }
            Entry::OfId(base, delta) => {
                self.of_id.entry(base).or_default().push(Waiting { offset, delta });
            }
        }
    }

    fn make(&mut self, offset: Option<usize>, kind: ObjectKind, content: Vec<u8>, depth: usize) {
        let id = ObjectId::of(kind.name(), &content);
        self.open.push(Made { offset, id, kind, content, depth });
    }

    /// Undoes the deltas of what is known, and those of what comes of it.
    fn resolve(&mut self) -> Result<(), PackError> {
        while let Some(made) = self.open.pop() {
            let by_offset = made.offset.and_then(|offset| self.of_offset.remove(&offset));
            let by_id = self.of_id.remove(&made.id);
            for waiting in by_offset.into_iter().chain(by_id).flatten() {
                self.undo(&made, &waiting)?;
            }
            if made.offset.is_some() {
                self.objects.put(made.id, made.kind, made.content);
            }
        }
        Ok(())
    }

    fn undo(&mut self, base: &Made, waiting: &Waiting) -> Result<(), PackError> {
        let offset = waiting.offset;
        if base.depth >= DEEPEST_CHAIN {
            return Err(PackError::Chain(offset));
        }
        let content = delta::apply(&base.content, &waiting.delta);
        let content = content.ok_or(PackError::Delta(offset))?;
        self.make(Some(offset), base.kind, content, base.depth + 1);
        Ok(())
    }

    /// Undoes the deltas of what the repository has.
    fn resolve_thin(&mut self, repository: &Repository) -> Result<(), PackError> {
        if self.of_id.is_empty() {
            return Ok(());
        }
        let wanted: BTreeSet<ObjectId> = self.of_id.keys().copied().collect();
        for (id, object) in repository.objects.find_all(&wanted) {
            let foreign = repository.objects.foreign(id).map(<[u8]>::to_vec);
            let content = foreign.unwrap_or_else(|| object.encode());
            self.make(None, object.kind(), content, 0);
        }
        self.resolve()
    }

    fn check_complete(&self) -> Result<(), PackError> {
        let missing = self.of_id.iter().find_map(|(id, waiting)| Some((id, waiting.first()?)));
        if let Some((base, waiting)) = missing {
            return Err(PackError::NoBase { offset: waiting.offset, base: *base });
        }
        let astray = self.of_offset.values().find_map(|waiting| waiting.first());
        astray.map_or(Ok(()), |waiting| Err(PackError::BaseOffset(waiting.offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::write::{entry_header, store};
    use super::*;
    use crate::git::{Signature, Tree};
    use crate::time::Timestamp;

    const BLOB: u8 = 3;
    const OF_OFFSET: u8 = 6;
    const OF_ID: u8 = 7;

    /// An object as it lies in a pack: its type, what a delta is of, the content.
    type Packed<'a> = (u8, &'a [u8], &'a [u8]);

    fn pack(objects: &[Packed<'_>]) -> Vec<u8> {
        let mut pack = b"PACK\0\0\0\x02".to_vec();
        pack.extend((objects.len() as u32).to_be_bytes());
        for (kind, base, content) in objects {
            pack.extend(entry_header(*kind, content.len()));
            pack.extend_from_slice(base);
            store(&mut pack, content);
        }
        let sum = Sha1::digest(&pack);
        pack.extend_from_slice(&sum);
        pack
    }

    fn blobs(pack: &[u8], repository: &Repository) -> Result<Vec<String>, PackError> {
        let found = read(pack, repository, Limits::WIRE)?.blobs;
        let mut texts: Vec<String> =
            found.values().map(|blob| blob.as_text().unwrap_or_default().to_owned()).collect();
        texts.sort();
        Ok(texts)
    }

    /// A delta that keeps so much of a base and puts a text behind it.
    fn appending(base: u8, text: &[u8]) -> Vec<u8> {
        let (length, whole) = (text.len() as u8, base + text.len() as u8);
        [&[base, whole, 0x90, base, length], text].concat()
    }

    #[test]
    fn deltas_are_undone_wherever_their_bases_lie() {
        let base = ObjectId::of("blob", b"hello");
        let (one, two) = (appending(5, b" you"), appending(9, b" all"));
        let before = 1 + 2 + 5 + 5 + 4; // Header, zlib's own, one stored block.
        let nowhere = Repository::new();
        let expected = ["hello", "hello you", "hello you all"];
        let by_id = ObjectId::of("blob", b"hello you");
        let check = |objects: &[Packed<'_>]| {
            assert_eq!(blobs(&pack(objects), &nowhere).unwrap(), expected);
        };
        check(&[
            (BLOB, b"", b"hello"),
            (OF_OFFSET, &[before], &one),
            (OF_ID, by_id.as_bytes(), &two),
        ]);
        check(&[
            (OF_ID, by_id.as_bytes(), &two),
            (OF_ID, base.as_bytes(), &one),
            (BLOB, b"", b"hello"),
        ]);
    }

    #[test]
    fn a_thin_pack_leans_on_the_repository() {
        let mut repository = Repository::new();
        let tree = Tree::from_files([("a/b", "hello")]).unwrap();
        let ada = Signature::new("Ada", "a@b", Timestamp::from_secs(1));
        let delta = appending(5, b"!");
        let base = ObjectId::of("blob", b"hello");
        let thin = pack(&[(OF_ID, base.as_bytes(), &delta)]);
        let missing = Err(PackError::NoBase { offset: 12, base });
        assert_eq!(blobs(&thin, &repository), missing);
        repository.commit(tree, "Start", ada.clone(), ada);
        assert_eq!(blobs(&thin, &repository).unwrap(), ["hello!"]);
    }

    #[test]
    fn a_delta_that_says_too_much_is_a_bomb() {
        // A terabyte, of one byte copied again and again.
        let huge = [&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20][..], &[0x90, 1]].concat();
        let base = ObjectId::of("blob", b"x");
        let bomb = pack(&[(BLOB, b"", b"x"), (OF_ID, base.as_bytes(), &huge)]);
        let refused = blobs(&bomb, &Repository::new()).unwrap_err();
        assert!(matches!(refused, PackError::TooLarge { size: 0x100_0000_0000, .. }), "{refused}");
    }

    #[test]
    fn many_deltas_that_come_to_too_much_are_a_bomb() {
        let content = vec![b'x'; 0xff_ffff];
        let base = ObjectId::of("blob", &content);
        // Four times sixteen megabytes less a byte, each time another byte behind.
        let size = [0xfd, 0xff, 0xff, 0x1f];
        let copy = [0xf0, 0xff, 0xff, 0xff];
        let delta = |last: u8| {
            [&[0xff, 0xff, 0xff, 0x07][..], &size, &copy, &copy, &copy, &copy, &[1, last]].concat()
        };
        let deltas: Vec<Vec<u8>> = (0..12).map(delta).collect();
        let of = deltas.iter().map(|delta| (OF_ID, &base.as_bytes()[..], &delta[..]));
        let objects: Vec<Packed<'_>> =
            std::iter::once((BLOB, &b""[..], &content[..])).chain(of).collect();
        let refused = blobs(&pack(&objects), &Repository::new()).unwrap_err();
        assert!(matches!(refused, PackError::TooMuch { .. }), "{refused}");
    }

    #[test]
    fn a_pack_that_is_cut_off_or_damaged_is_refused() {
        let base = ObjectId::of("blob", b"hello");
        let delta = appending(5, b" you");
        let good = pack(&[(BLOB, b"", b"hello"), (OF_ID, base.as_bytes(), &delta)]);
        let nowhere = Repository::new();
        assert!(blobs(&good, &nowhere).is_ok());
        for end in 0..good.len() {
            assert!(blobs(&good[..end], &nowhere).is_err(), "cut off at {end}");
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut damaged = good.clone();
                damaged[at] ^= 1 << bit;
                // Version 3 is read as version 2 is; the checksum tells them apart.
                assert!(blobs(&damaged, &nowhere).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!(blobs(&[&good[..], b"x"].concat(), &nowhere).is_err());
    }

    #[test]
    fn deltas_of_each_other_lead_nowhere() {
        let (one, two) = ([1; 20], [2; 20]);
        let delta = appending(5, b"!");
        let circle = pack(&[(OF_ID, &one, &delta), (OF_ID, &two, &delta)]);
        let refused = blobs(&circle, &Repository::new()).unwrap_err();
        assert!(matches!(refused, PackError::NoBase { .. }), "{refused}");
        let astray = pack(&[(OF_OFFSET, &[5], &delta)]);
        assert_eq!(blobs(&astray, &Repository::new()), Err(PackError::BaseOffset(12)));
    }
}
