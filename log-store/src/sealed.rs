//! Segments on the disk as a store knows them, and the ones that are open.

use crate::folder::Named;
use crate::segment::{Damage, Fill, Segment};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A segment's file. It is opened when it is needed.
#[derive(Debug)]
pub(crate) struct Sealed {
    path: PathBuf,
    /// What the cache knows it by: a path may come to name another file.
    number: u64,
    file_len: u64,
    /// To be removed when nobody looks at it any more.
    doomed: AtomicBool,
    /// Memory that it takes when it is open.
    known: usize,
    fill: Fill,
    /// Kept open for those who still hold it, once its name may come to be another file's.
    pinned: OnceLock<Segment>,
}

/// What one account has in a segment.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) sealed: Arc<Sealed>,
    /// The ids of the account that count here: a file may hold more, if another one holds them, too.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) lines: u64,
    /// Bytes of its blocks, and its share of the rest.
    pub(crate) bytes: u64,
    /// The file could not be opened: nothing is known but its name.
    pub(crate) broken: bool,
}

impl Sealed {
    fn of(segment: &Segment) -> Self {
        Self::new(segment.path(), segment.file_len(), segment.memory(), segment.fill())
    }

    fn new(path: &Path, file_len: u64, known: usize, fill: Fill) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self {
            path: path.to_owned(),
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            file_len,
            doomed: AtomicBool::new(false),
            known,
            fill,
            pinned: OnceLock::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn known(&self) -> usize {
        self.known
    }

    pub(crate) const fn fill(&self) -> Fill {
        self.fill
    }

    /// Keeps the file open for whoever holds this.
    pub(crate) fn pin(&self, segment: &Segment) {
        // Pinned before, it is the same file.
        let _ = self.pinned.set(segment.clone());
    }

    pub(crate) const fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Has the file removed as soon as no view holds it: a view that began before goes on to see all that it saw.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        if *self.doomed.get_mut() {
            // What cannot be removed now is found again when the store is opened.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An account's name, and what it has in a segment.
pub(crate) type OfAccount = (Box<str>, Part);

/// The parts of a segment by account. The bytes of all parts together are those of the file.
pub(crate) fn parts(segment: &Segment) -> Vec<OfAccount> {
    let sealed = Arc::new(Sealed::of(segment));
    let packed: u64 = segment.blocks().iter().map(|block| block.packed_length()).sum();
    let (mut rest, accounts) = (segment.file_len(), segment.accounts());
    accounts
        .iter()
        .enumerate()
        .map(|(at, account)| {
            let own: u64 = segment.blocks()[account.blocks()].iter().map(|block| block.packed_length()).sum();
            // Index and dictionary are shared out as the blocks are; the last one takes what rounding leaves.
            let share = u128::from(segment.file_len()) * u128::from(own) / u128::from(packed.max(1));
            let bytes = if at + 1 == accounts.len() { rest } else { (share as u64).min(rest) };
            rest -= bytes;
            let part = Part {
                sealed: Arc::clone(&sealed),
                first: account.first_id(),
                last: account.last_id(),
                lines: account.lines(),
                bytes,
                broken: false,
            };
            (account.name().into(), part)
        })
        .collect()
}

/// Segments that are open, at most so many bytes of them: the one that was not used for longest is closed first.
#[derive(Debug)]
pub(crate) struct Cache {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    segments: HashMap<u64, (Segment, u64)>,
    bytes: usize,
    clock: u64,
}

/// Files that are open at most, whatever the bytes: systems let a process have 1,024.
const MOST_FILES: usize = 256;

impl Cache {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, open: Mutex::default() }
    }

    /// The segment, opened now if it is not open.
    pub(crate) fn open(&self, sealed: &Sealed) -> Result<Segment, Damage> {
        if let Some(segment) = sealed.pinned.get() {
            return Ok(segment.clone());
        }
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.clock += 1;
            let now = open.clock;
            if let Some((segment, used)) = open.segments.get_mut(&sealed.number) {
                *used = now;
                return Ok(segment.clone());
            }
        }
        // Not under the lock: others go on meanwhile, and if two open the same file, one of them is forgotten.
        let segment = Segment::open(&sealed.path)?;
        self.keep(sealed.number, &segment);
        Ok(segment)
    }

    /// Keeps a segment that is open anyway.
    pub(crate) fn keep(&self, number: u64, segment: &Segment) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clock += 1;
        let now = open.clock;
        let bytes = segment.memory();
        if bytes > self.most || open.segments.insert(number, (segment.clone(), now)).is_some() {
            return;
        }
        open.bytes += bytes;
        while open.bytes > self.most || open.segments.len() > MOST_FILES {
            let Some(oldest) = open.segments.iter().min_by_key(|(_, (_, used))| *used).map(|(&number, _)| number)
            else {
                break;
            };
            if let Some((segment, _)) = open.segments.remove(&oldest) {
                open.bytes = open.bytes.saturating_sub(segment.memory());
            }
        }
    }

    /// Closes a segment that is no more.
    pub(crate) fn forget(&self, sealed: &Sealed) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((segment, _)) = open.segments.remove(&sealed.number) {
            open.bytes = open.bytes.saturating_sub(segment.memory());
        }
    }
}

/// A file that cannot be opened: what its name says, and why.
pub(crate) type Broken = (Part, Damage);

/// What a file holds, by account; or, if it cannot be opened, what its name says.
pub(crate) fn read(named: &Named, cache: &Cache) -> Result<Vec<OfAccount>, Broken> {
    match Segment::open(&named.path) {
        Ok(segment) => {
            let parts = parts(&segment);
            if let Some((_, part)) = parts.first() {
                cache.keep(part.sealed.number(), &segment);
            }
            Ok(parts)
        }
        Err(damage) => {
            let bytes = named.path.metadata().map_or(0, |meta| meta.len());
            let sealed = Arc::new(Sealed::new(&named.path, bytes, 0, Fill::default()));
            let part = Part { sealed, first: named.first_id, last: named.last_id, lines: 0, bytes, broken: true };
            Err((part, damage))
        }
    }
}

/// Puts the parts of an account in order, and takes out those that others cover: a crash between the writing of a merged file
/// and the removal of what went into it leaves both. Answers what counts, and what is covered.
pub(crate) fn arrange(mut parts: Vec<Part>) -> (Vec<Part>, Vec<Part>) {
    // Of those that begin alike the longest first; what is broken last, for it covers nothing.
    parts.sort_by_key(|part| (part.first, Reverse(part.last), part.broken));
    let (mut kept, mut covered) = (Vec::with_capacity(parts.len()), Vec::new());
    let mut through: Option<u64> = None;
    for mut part in parts {
        match through {
            Some(through) if part.last <= through => covered.push(part),
            _ => {
                if !part.broken {
                    // Files of a store overlap only as a whole. Should one be half in another, no line counts twice.
                    part.first = part.first.max(through.map_or(0, |through| through + 1));
                    through = Some(part.last);
                }
                kept.push(part);
            }
        }
    }
    (kept, covered)
}
