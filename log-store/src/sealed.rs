//! Segments on the disk as a store knows them, and the ones that are open.

use crate::folder::Named;
use crate::place::Place;
use crate::segment::{AccountKnown, Damage, DamageKind, Fill, Known, Segment};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A segment's file. It is opened when it is needed.
#[derive(Debug)]
pub(crate) struct Sealed {
    place: Place,
    path: PathBuf,
    /// What the cache knows it by: a path may come to name another file.
    number: u64,
    file_len: u64,
    fate: Arc<Fate>,
    /// What the file must be, if that was told and not read.
    print: Option<u32>,
    /// Memory that it takes when it is open.
    known: usize,
    fill: Fill,
    /// Kept open for those who still hold it, once its name may come to be another file's.
    pinned: OnceLock<Segment>,
}

/// What becomes of a file when nobody looks at it any more. It is locked by whoever removes it then, and by the writer that is about
/// to give its name to another file.
#[derive(Debug, Default)]
pub(crate) struct Fate(Mutex<Doom>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Doom {
    #[default]
    Stays,
    Goes,
    /// Its name is another file's, or nobody's.
    Gone,
}

impl Fate {
    fn doom(&self) -> MutexGuard<'_, Doom> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is removed by this name any more. Whether it was to be.
    pub(crate) fn is_gone(&self) -> bool {
        mem::replace(&mut *self.doom(), Doom::Gone) == Doom::Goes
    }
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
    /// The file holds lines of the account that do not count: another one has them, too.
    pub(crate) is_cut: bool,
}

impl Sealed {
    fn new(place: &Place, path: &Path, file_len: u64, known: usize, fill: Fill) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self {
            place: place.clone(),
            path: path.to_owned(),
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            file_len,
            fate: Arc::default(),
            print: None,
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
    pub(crate) fn pin(&self, segment: &Segment) -> Result<(), Damage> {
        segment.hold()?;
        // Pinned before, it is the same file.
        let _ = self.pinned.set(segment.clone());
        Ok(())
    }

    pub(crate) const fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Has the file removed as soon as no view holds it: a view that began before goes on to see all that it saw.
    pub(crate) fn doom(&self) {
        let mut doom = self.fate.doom();
        if *doom == Doom::Stays {
            *doom = Doom::Goes;
        }
    }

    pub(crate) const fn fate(&self) -> &Arc<Fate> {
        &self.fate
    }

    fn open(&self) -> Result<Segment, Damage> {
        let segment = self.place.open(&self.path)?;
        if self.print.is_some_and(|print| print != Known::of(&segment).print()) {
            return Err(Damage::new(&self.path, DamageKind::Content, "the note of it"));
        }
        Ok(segment)
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let mut doom = self.fate.doom();
        if *doom == Doom::Goes {
            self.place.let_go(&self.path);
            *doom = Doom::Gone;
        }
    }
}

/// An account's name, and what it has in a segment.
pub(crate) type OfAccount = (Box<str>, Part);

/// The parts of a segment by account. The bytes of all parts together are those of the file.
pub(crate) fn parts(place: &Place, segment: &Segment) -> Vec<OfAccount> {
    let known = Known::of(segment);
    parts_of(Sealed::new(place, segment.path(), known.file_len, known.memory, known.fill), known)
}

fn parts_of(sealed: Sealed, known: Known) -> Vec<OfAccount> {
    let sealed = Arc::new(sealed);
    let packed: u64 = known.accounts.iter().map(|account| account.packed).sum();
    let (mut rest, count) = (known.file_len, known.accounts.len());
    let of_account = |(at, account): (usize, AccountKnown)| {
        // Index and dictionary are shared out as the blocks are; the last one takes what rounding leaves.
        let share = u128::from(known.file_len) * u128::from(account.packed) / u128::from(packed.max(1));
        let bytes = if at + 1 == count { rest } else { (share as u64).min(rest) };
        rest -= bytes;
        let (first, last, lines) = (account.first, account.last, account.lines);
        (account.name, Part { sealed: Arc::clone(&sealed), first, last, lines, bytes, broken: false, is_cut: false })
    };
    known.accounts.into_iter().enumerate().map(of_account).collect()
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
        let segment = sealed.open()?;
        // Pinned meanwhile, its name may have become another file's before it was opened here.
        if let Some(segment) = sealed.pinned.get() {
            return Ok(segment.clone());
        }
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

/// What a file holds, by account, if a note of it tells that.
pub(crate) fn told(named: &Named, length: u64, note: &[u8], place: &Place) -> Option<Vec<OfAccount>> {
    let known = Known::decode(note, named.first_id, named.last_id, length)?;
    let mut sealed = Sealed::new(place, &named.path, length, known.memory, known.fill);
    sealed.print = Some(known.print());
    Some(parts_of(sealed, known))
}

/// What a file holds, by account; or, if it cannot be opened, what its name says.
pub(crate) fn read(named: &Named, length: Option<u64>, place: &Place, cache: &Cache) -> Result<Vec<OfAccount>, Broken> {
    match place.open(&named.path) {
        Ok(segment) => {
            let parts = parts(place, &segment);
            if let Some((_, part)) = parts.first() {
                cache.keep(part.sealed.number(), &segment);
            }
            Ok(parts)
        }
        Err(damage) => {
            let bytes = length.or_else(|| Some(named.path.metadata().ok()?.len())).unwrap_or(0);
            let sealed = Arc::new(Sealed::new(place, &named.path, bytes, 0, Fill::default()));
            let part = Part {
                sealed,
                first: named.first_id,
                last: named.last_id,
                lines: 0,
                bytes,
                broken: true,
                is_cut: false,
            };
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
                    let first = part.first.max(through.map_or(0, |through| through + 1));
                    (part.first, part.is_cut) = (first, first > part.first);
                    through = Some(part.last);
                }
                kept.push(part);
            }
        }
    }
    (kept, covered)
}
