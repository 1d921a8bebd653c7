//! A file that is open.

use super::cache::PIECE;
use super::catalog::{Found, Place};
use super::fetching::Wanted;
use super::registry::Opening;
use super::shared::Shared;
use hyper::body::Bytes;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// A file as it was when it was opened: as long as the partition is this node's it can be read to its end, whatever becomes of its
/// name. When another node takes the partition over, and removes the file, what is not in the cache here is
/// [`NotFound`](io::ErrorKind::NotFound). Whoever drops it waits for nothing.
#[derive(Clone)]
pub struct File(Arc<Opened>);

struct Opened {
    shared: Arc<Shared>,
    bytes: Source,
    len: u64,
    written: i64,
    tag: String,
}

/// Where its bytes are.
enum Source {
    Bucket { key: Arc<str>, whose: String },
    Memory(Vec<u8>),
}

impl File {
    pub(super) fn new(
        shared: &Arc<Shared>,
        opening: Opening<'_>,
        Found { place, len, written }: Found,
        whose: String,
    ) -> io::Result<Self> {
        let (bytes, tag) = match place {
            Place::Object(key) => {
                let tag = key.rsplit('/').next().unwrap_or(&key).to_owned();
                (Source::Bucket { key: opening.opened(&key), whose }, tag)
            }
            Place::Row(content) => {
                shared.hold(content.len())?;
                (Source::Memory(content), format!("{written:x}-{len:x}"))
            }
        };
        Ok(Self(Arc::new(Opened { shared: shared.clone(), bytes, len, written, tag })))
    }

    /// How many bytes it has.
    #[expect(clippy::len_without_is_empty, reason = "as of a file of the disk")]
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// When it was put, in microseconds since 1970, by the database's clock.
    pub fn written(&self) -> i64 {
        self.0.written
    }

    /// What tells it from whatever else has, had or will have its name: letters, digits and `-`, the same on every node.
    pub fn tag(&self) -> &str {
        &self.0.tag
    }

    /// Reads so many bytes from an offset.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when it has fewer; others when the bucket does not answer now.
    pub fn read_exact_at(&self, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
        self.check(out.len(), offset)?;
        while !out.is_empty() {
            let (number, at) = place_of(offset);
            let (now, rest) = out.split_at_mut(out.len().min(PIECE - at));
            self.read_piece(now, number, at)?;
            offset += now.len() as u64;
            out = rest;
        }
        Ok(())
    }

    fn check(&self, len: usize, offset: u64) -> io::Result<()> {
        if offset.checked_add(len as u64).is_some_and(|end| end <= self.0.len) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{len} bytes at {offset} are not in a file of {} bytes", self.0.len),
        ))
    }

    /// Bytes of one piece.
    fn read_piece(&self, out: &mut [u8], number: u32, at: usize) -> io::Result<()> {
        match &self.0.bytes {
            Source::Bucket { key, .. } if self.0.shared.cache.read(key, number, at, out) => Ok(()),
            Source::Bucket { .. } => copy(&self.fetch(number)?, at, out),
            Source::Memory(all) => {
                let from = number as usize * PIECE;
                copy(all.get(from..).unwrap_or_default(), at, out)
            }
        }
    }

    fn fetch(&self, number: u32) -> io::Result<Bytes> {
        let Opened { shared, bytes, len, .. } = &*self.0;
        match bytes {
            Source::Bucket { key, whose } => {
                shared.fetching.piece(&shared.cache, Wanted { key, len: *len, whose }, number)
            }
            Source::Memory(_) => Err(io::Error::other("it lies in no bucket")),
        }
    }

    /// Reads on from a place to another one; what is behind the end is not there.
    pub fn reader(&self, range: Range<u64>) -> Reading {
        Reading { at: range.start, end: range.end.min(self.0.len), file: self.clone() }
    }

    /// What was read there is not what was written: the next one who reads asks the bucket.
    pub fn doubt(&self, range: Range<u64>) {
        let Source::Bucket { key, .. } = &self.0.bytes else { return };
        let end = range.end.min(self.0.len);
        if range.start >= end {
            return;
        }
        for number in place_of(range.start).0..=place_of(end - 1).0 {
            self.0.shared.fetching.forget(key, Some(number));
            self.0.shared.cache.forget(key, number);
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("tag", &self.0.tag).field("len", &self.0.len).finish_non_exhaustive()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        match &self.bytes {
            Source::Bucket { key, .. } => self.shared.registry.close(key),
            Source::Memory(content) => self.shared.let_go(content.len()),
        }
    }
}

/// In which piece an offset is, and where in it.
fn place_of(offset: u64) -> (u32, usize) {
    let piece = PIECE as u64;
    (u32::try_from(offset / piece).unwrap_or(u32::MAX), usize::try_from(offset % piece).unwrap_or_default())
}

fn copy(piece: &[u8], at: usize, out: &mut [u8]) -> io::Result<()> {
    let wanted = piece.get(at..).and_then(|rest| rest.get(..out.len()));
    let wanted = wanted.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a piece of a file is too short"))?;
    out.copy_from_slice(wanted);
    Ok(())
}

/// Reads a file from a place to another one, piece by piece.
#[derive(Debug)]
pub struct Reading {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let (number, at) = place_of(self.at);
        let len = into.len().min(left).min(PIECE - at);
        let (into, _) = into.split_at_mut(len);
        if len > 0 {
            self.file.read_piece(into, number, at)?;
            self.at += len as u64;
        }
        Ok(len)
    }
}
