//! Pieces of objects on the node's own disk: as many bytes as it may take, those that nobody read for long go first.
//!
//! ```text
//! cache/ab/p3.e17.0000...ab.12.piece      piece 12 of that object: its head, and its bytes
//! head = "LDPIECE2" checksum:4 sums:16*4  of the name and the sums; a sum is of 64 KiB of the bytes each; all little-endian
//! ```
//!
//! An object never changes, so that its pieces outlive restarts. They are written beside and renamed, and not synced: after a power
//! cut one may be torn, and a disk may forget. So whatever is read is checked. Whatever goes wrong here, the bucket is asked.
//!
//! What is no piece is somebody else's, and is left alone.

use super::names::parts_of;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Of an object, the last one is shorter.
pub(super) const PIECE: usize = 1 << 20;
/// Each is known here, with so many bytes of memory.
const MOST_PIECES: usize = 100_000;
const KNOWN: usize = 256;

/// Another one, when pieces come to be of another length.
const MAGIC: &[u8; 8] = b"LDPIECE2";
/// Bytes of a piece that have a checksum of their own: who reads some of them reads these.
const PART: usize = 64 << 10;
const PARTS: usize = PIECE / PART;
const HEAD: usize = MAGIC.len() + 4 + 4 * PARTS;
/// What a file system gives at once.
const BLOCK: u64 = 4_096;
/// An object that is larger than this part of the cache does not go into it when it is put: all others would go.
const SHARE: u64 = 4;
/// Between two lines of the log that say what is wrong with the disk.
const SAY_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    most: u64,
    index: Mutex<Index>,
    said: Mutex<Option<Instant>>,
}

#[derive(Default, Debug)]
struct Index {
    /// What files take, and what is about to.
    used: u64,
    pieces: usize,
    objects: HashMap<Arc<str>, BTreeMap<u32, Piece>>,
    /// Those that are about to come: two who write one would write into each other's file.
    coming: HashSet<(String, u32)>,
    /// When each was asked for last.
    order: BTreeMap<u64, (Arc<str>, u32)>,
    number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    number: u64,
    size: u64,
}

/// The most memory it takes.
pub(super) const fn memory(most: u64) -> usize {
    let pieces = most / BLOCK;
    if pieces < MOST_PIECES as u64 { pieces as usize * KNOWN } else { MOST_PIECES * KNOWN }
}

impl Cache {
    /// The pieces that are below a folder, which is made. What is beyond the bound goes.
    ///
    /// # Errors
    /// When there is no such folder, and none can be made.
    pub(super) fn new(dir: &Path, most: u64) -> io::Result<Self> {
        fs::create_dir_all(dir).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", dir.display())))?;
        let cache = Self { dir: dir.to_owned(), most, index: Mutex::default(), said: Mutex::default() };
        let mut found = Vec::new();
        for folder in 0..=u8::MAX {
            // What cannot be read is not there.
            let Ok(entries) = fs::read_dir(dir.join(format!("{folder:02x}"))) else { continue };
            for entry in entries.filter_map(Result::ok) {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let Ok(meta) = entry.metadata() else { continue };
                if !meta.is_file() {
                    continue;
                }
                if name.strip_suffix(".unfinished").is_some_and(|name| piece_of(name).is_some()) {
                    let _ = fs::remove_file(entry.path());
                } else if let Some((key, number)) = piece_of(name) {
                    found.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), key, number, meta.len()));
                }
            }
        }
        found.sort_unstable();
        let mut index = cache.index();
        for (_, key, number, len) in found {
            let size = size_of(len);
            index.used += size;
            index.pieces += 1;
            index.add(&key.into(), number, size);
        }
        drop(index);
        drop(cache.room(0));
        Ok(cache)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, key: &str, number: u32) -> PathBuf {
        let folder = parts_of(key).and_then(|(.., unique)| unique.get(46..)).unwrap_or("00");
        self.dir.join(folder).join(format!("{}.{number}.piece", key.replace('/', ".")))
    }

    /// Reads bytes of a piece that is there.
    pub(super) fn read(&self, key: &str, number: u32, at: usize, out: &mut [u8]) -> bool {
        if !self.index().touch(key, number) {
            return false;
        }
        match self.read_file(key, number, at, out) {
            Ok(true) => true,
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                self.say(&error);
                false
            }
            _ => {
                self.forget(key, number);
                false
            }
        }
    }

    fn read_file(&self, key: &str, number: u32, at: usize, out: &mut [u8]) -> io::Result<bool> {
        let mut file = File::open(self.path(key, number))?;
        let len = file.metadata()?.len().checked_sub(HEAD as u64).and_then(|len| usize::try_from(len).ok());
        let mut head = [0; HEAD];
        file.read_exact(&mut head)?;
        let (Some(len), Some(sums)) = (len.filter(|len| *len <= PIECE), sums_of(key, number, &head)) else {
            return Ok(false);
        };
        let Some(end) = at.checked_add(out.len()).filter(|end| *end <= len) else { return Ok(false) };
        let first = at / PART;
        file.seek(SeekFrom::Start((HEAD + first * PART) as u64))?;
        let mut bytes = Vec::new();
        for (part, sum) in sums.iter().enumerate().take(end.div_ceil(PART)).skip(first) {
            let start = part * PART;
            bytes.resize(PART.min(len - start), 0);
            file.read_exact(&mut bytes)?;
            if crc32fast::hash(&bytes) != *sum {
                return Ok(false);
            }
            let (from, to) = (at.max(start), end.min(start + bytes.len()));
            if let (Some(into), Some(wanted)) = (out.get_mut(from - at..to - at), bytes.get(from - start..to - start)) {
                into.copy_from_slice(wanted);
            }
        }
        Ok(true)
    }

    /// Keeps a piece. When that cannot be, it is as if it had gone at once.
    pub(super) fn insert(&self, key: &str, number: u32, bytes: &[u8]) {
        let coming = (key.to_owned(), number);
        let mut index = self.index();
        if index.has(key, number) || !index.coming.insert(coming.clone()) {
            return;
        }
        drop(index);
        self.insert_alone(key, number, bytes);
        self.index().coming.remove(&coming);
    }

    fn insert_alone(&self, key: &str, number: u32, bytes: &[u8]) {
        let size = size_of((HEAD + bytes.len()) as u64);
        let Some(room) = self.room(size) else { return };
        let path = self.path(key, number);
        match self.write(&path, &[&head_of(key, number, bytes), bytes]) {
            Ok(()) => {
                let mut index = self.index();
                room.keep();
                let key = index.objects.get_key_value(key).map_or_else(|| key.into(), |(key, _)| key.clone());
                index.add(&key, number, size);
            }
            Err(error) => {
                let _ = fs::remove_file(unfinished(&path));
                self.say(&error);
            }
        }
    }

    fn write(&self, path: &Path, all: &[&[u8]]) -> io::Result<()> {
        let beside = unfinished(path);
        let mut file = match File::create(&beside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                File::create(&beside)?
            }
            made => made?,
        };
        all.iter().try_for_each(|bytes| file.write_all(bytes))?;
        drop(file);
        fs::rename(&beside, path)
    }

    /// Room for so many bytes: what nobody read for longest goes before, and until it is gone its room is not free.
    fn room(&self, size: u64) -> Option<Room<'_>> {
        if size > self.most {
            return None;
        }
        loop {
            let mut index = self.index();
            if index.used + size <= self.most && index.pieces < MOST_PIECES {
                index.used += size;
                index.pieces += 1;
                return Some(Room { of: self, size });
            }
            // All that is there is about to come.
            let (key, number, piece) = index.take_oldest()?;
            drop(index);
            if !self.unlink(&key, number, piece.size) {
                return None;
            }
        }
    }

    /// Removes the file of a piece that is no longer in the index. What cannot be removed takes its room still.
    fn unlink(&self, key: &str, number: u32, size: u64) -> bool {
        match fs::remove_file(self.path(key, number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.say(&error);
                false
            }
            _ => {
                let mut index = self.index();
                index.used = index.used.saturating_sub(size);
                index.pieces = index.pieces.saturating_sub(1);
                true
            }
        }
    }

    /// A piece is not what it should be.
    pub(super) fn forget(&self, key: &str, number: u32) {
        let taken = self.index().take(key, number);
        if let Some(piece) = taken {
            self.unlink(key, number, piece.size);
        }
    }

    /// Removes all pieces of an object.
    pub(super) fn remove(&self, key: &str) {
        let numbers: Vec<u32> = self.index().objects.get(key).into_iter().flat_map(BTreeMap::keys).copied().collect();
        numbers.into_iter().for_each(|number| self.forget(key, number));
    }

    /// Whether an object goes into it when it is put.
    pub(super) const fn takes(&self, len: u64) -> bool {
        len <= self.most / SHARE
    }

    /// The objects of which there are pieces.
    pub(super) fn keys(&self) -> Vec<Arc<str>> {
        self.index().objects.keys().cloned().collect()
    }

    fn say(&self, error: &io::Error) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            *said = Some(Instant::now());
            tracing::warn!("{}: {error}: what should be there is read from the bucket", self.dir.display());
        }
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.index().used
    }
}

impl Index {
    fn has(&self, key: &str, number: u32) -> bool {
        self.objects.get(key).is_some_and(|pieces| pieces.contains_key(&number))
    }

    fn add(&mut self, key: &Arc<str>, number: u32, size: u64) {
        self.number += 1;
        let piece = Piece { number: self.number, size };
        self.objects.entry(key.clone()).or_default().insert(number, piece);
        self.order.insert(self.number, (key.clone(), number));
    }

    /// It is asked for now. Answers whether it is there.
    fn touch(&mut self, key: &str, number: u32) -> bool {
        let Some(piece) = self.objects.get_mut(key).and_then(|pieces| pieces.get_mut(&number)) else { return false };
        let Some(place) = self.order.remove(&piece.number) else { return false };
        self.number += 1;
        piece.number = self.number;
        self.order.insert(self.number, place);
        true
    }

    fn take(&mut self, key: &str, number: u32) -> Option<Piece> {
        let pieces = self.objects.get_mut(key)?;
        let piece = pieces.remove(&number)?;
        if pieces.is_empty() {
            self.objects.remove(key);
        }
        self.order.remove(&piece.number);
        Some(piece)
    }

    fn take_oldest(&mut self) -> Option<(Arc<str>, u32, Piece)> {
        let (_, (key, number)) = self.order.first_key_value().map(|(at, place)| (*at, place.clone()))?;
        let piece = self.take(&key, number)?;
        Some((key, number, piece))
    }
}

/// Room for a piece that is about to be written.
struct Room<'a> {
    of: &'a Cache,
    size: u64,
}

impl Room<'_> {
    /// The piece is there.
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut index = self.of.index();
        index.used = index.used.saturating_sub(self.size);
        index.pieces = index.pieces.saturating_sub(1);
    }
}

fn head_of(key: &str, number: u32, bytes: &[u8]) -> [u8; HEAD] {
    let mut sums = [0; 4 * PARTS];
    for (sum, part) in sums.chunks_exact_mut(4).zip(bytes.chunks(PART)) {
        sum.copy_from_slice(&crc32fast::hash(part).to_le_bytes());
    }
    let mut head = [0; HEAD];
    let (magic, rest) = head.split_at_mut(MAGIC.len());
    let (checksum, rest) = rest.split_at_mut(4);
    magic.copy_from_slice(MAGIC);
    checksum.copy_from_slice(&of_name(key, number, &sums).to_le_bytes());
    rest.copy_from_slice(&sums);
    head
}

/// The sums in a head, if it is that of this piece.
fn sums_of(key: &str, number: u32, head: &[u8; HEAD]) -> Option<Vec<u32>> {
    let (checksum, sums) = head.strip_prefix(MAGIC)?.split_at_checked(4)?;
    if checksum != of_name(key, number, sums).to_le_bytes() {
        return None;
    }
    sums.chunks_exact(4).map(|sum| Some(u32::from_le_bytes(sum.try_into().ok()?))).collect()
}

fn of_name(key: &str, number: u32, sums: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    [key.as_bytes(), &number.to_le_bytes(), sums].iter().for_each(|part| sum.update(part));
    sum.finalize()
}

fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("piece.unfinished")
}

/// What a file takes of the disk.
const fn size_of(len: u64) -> u64 {
    len.div_ceil(BLOCK) * BLOCK
}

/// Of which piece a file is.
fn piece_of(name: &str) -> Option<(String, u32)> {
    let (key, number) = name.strip_suffix(".piece")?.rsplit_once('.')?;
    let key = key.replace('.', "/");
    parts_of(&key)?;
    Some((key, number.parse().ok()?))
}

#[cfg(test)]
mod tests;
