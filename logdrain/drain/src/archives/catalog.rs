//! Archives of nodes that share no folder: files of a partition whose bytes lie in a bucket.
//!
//! ```text
//! archives/ACCOUNT/dt=YYYY-MM-DD/YYYY-MM-DD-HH.tsv.gz   an object, and what stands beside an archive as a note of it:
//!                                                       a line with its books, then one with its mark, if it was uploaded
//! store/p3/archiving/e17/                               where the owner at epoch 17 writes an hour before it goes there
//! ```
//!
//! Who owns the partition no more changes nothing: see [`tiered`](crate::tiered). An hour, its books and its mark come, stay and go
//! together, in one step.

use super::shelf::{Archive, Bytes, Opened, Shelf, Unfinished};
use crate::tiered::{File, Files, Listed};
use log_archive::Period;
use log_store::Damage;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

/// What all their names begin with.
const ROOT: &str = "archives/";
/// Below a partition's folder on the node's own disk.
const OWN: &str = "archiving";

#[derive(Debug)]
pub(super) struct Catalog {
    files: Files,
    own: PathBuf,
}

impl Catalog {
    /// Of the owner of a partition. Below `dir`, which is on the node's own disk and for the partition alone, he writes his hours;
    /// what was left there goes.
    pub(super) fn new(files: Files, dir: &Path) -> io::Result<Self> {
        sweep(dir)?;
        let own = dir.join(OWN).join(format!("e{}", files.epoch()));
        fs::create_dir_all(&own).map_err(|error| named(&own, &error))?;
        Ok(Self { files, own })
    }

    fn each(
        &self,
        account: &str,
        hours: (Period, Period),
        (most, notes): (usize, bool),
        take: &mut dyn FnMut(Archive, &[u8]),
    ) -> io::Result<()> {
        self.files.each(&names(account, hours), most, notes, &mut |file| {
            // Another name is somebody else's.
            if let Some(archive) = archive(account, &file) {
                take(archive, &file.about);
            }
        })
    }

    /// Calls `take` with the index of each archive that is there, and its note. They are in their order.
    fn notes(&self, account: &str, archives: &[Archive], take: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        let (Some(first), Some(last)) = (archives.first(), archives.last()) else { return Ok(()) };
        self.each(account, (first.hour, last.hour), (usize::MAX, true), &mut |archive, note| {
            if let Ok(index) = archives.binary_search_by_key(&archive.hour, |archive| archive.hour) {
                take(index, note);
            }
        })
    }
}

impl Shelf for Catalog {
    fn check(&self) -> io::Result<()> {
        self.files.check()
    }

    fn passes(&self, damage: &Damage) -> bool {
        damage.is_passing()
    }

    fn look(&self) -> io::Result<BTreeMap<Box<str>, i64>> {
        let (mut all, mut unclear) = (BTreeMap::new(), Vec::new());
        self.files.folders(ROOT, &mut |account, last| match hour_of(account, last) {
            Some(newest) => drop(all.insert(account.into(), newest.end())),
            None => unclear.push(account.to_owned()),
        })?;
        // Where the last name is somebody else's, all of them are looked at.
        for account in unclear {
            let mut done = 0;
            self.each(&account, ever(), (usize::MAX, false), &mut |archive, _| done = archive.hour.end())?;
            all.insert(account.into(), done);
        }
        Ok(all)
    }

    fn hours(&self, account: &str, time: &Range<i64>, most: usize) -> io::Result<Vec<Archive>> {
        let mut all = Vec::new();
        if time.is_empty() {
            return Ok(all);
        }
        let hours = (Period::hour_of(time.start), Period::hour_of(time.end.saturating_sub(1)));
        self.each(account, hours, (most, false), &mut |archive, _| all.push(archive))?;
        Ok(all)
    }

    fn held(&self, account: &str) -> io::Result<(u64, Option<Archive>)> {
        let oldest = self.hours(account, &(i64::MIN..i64::MAX), 1)?.first().copied();
        Ok((self.files.bytes_of(&names(account, ever()))?, oldest))
    }

    fn name(&self, account: &str, hour: Period) -> String {
        name(account, hour)
    }

    fn open(&self, account: &str, hour: Period) -> io::Result<Opened> {
        let file = self.files.open(&name(account, hour))?;
        let archive = Archive { hour, bytes: file.len(), written: nanos(file.written()) };
        Ok(Opened::new(archive, At { file, at: 0 }))
    }

    fn books(&self, account: &str, archives: &[Archive], take: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        self.notes(account, archives, &mut |index, note| take(index, lines(note).0))
    }

    fn marks(&self, account: &str, archives: &[Archive], take: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        self.notes(account, archives, &mut |index, note| {
            let (_, mark) = lines(note);
            if !mark.is_empty() {
                take(index, mark);
            }
        })
    }

    fn begin(&self, account: &str, hour: Period) -> io::Result<(Unfinished, fs::File)> {
        let path = self.own.join(format!("{account}.{}.unfinished", hour.file_name()));
        Unfinished::create(path.clone()).map_err(|error| named(&path, &error))
    }

    /// The time of it the catalog has alone.
    fn put(&self, account: &str, hour: Period, file: Unfinished, books: &[u8], _: &'static str) -> io::Result<Archive> {
        let (books, _) = lines(books);
        let bytes = fs::metadata(file.path())?.len();
        self.files.put(&name(account, hour), file.path(), &[books, b"\n"].concat())?;
        Ok(Archive { hour, bytes, written: 0 })
    }

    fn put_mark(&self, account: &str, archive: Archive, mark: &[u8]) -> io::Result<()> {
        let name = name(account, archive.hour);
        let (mut written, mut note) = (None, Vec::new());
        self.each(account, (archive.hour, archive.hour), (1, true), &mut |found, about| {
            // Of what was written again meanwhile it is no mark.
            if found == archive {
                let (books, _) = lines(about);
                written = Some(());
                note = [books, b"\n", mark, b"\n"].concat();
            }
        })?;
        let micros = i64::try_from(archive.written / 1_000).unwrap_or(i64::MAX);
        if written.is_some() && self.files.note(&name, micros, &note)? {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, format!("{name}: went, or was written again")))
    }

    fn remove(&self, account: &str, hours: &[Period]) -> io::Result<()> {
        let names: Vec<String> = hours.iter().map(|hour| name(account, *hour)).collect();
        self.files.remove(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Nothing stands beside an hour that is not there.
    fn remove_rest(&self, _: &str, _: i64) -> io::Result<()> {
        Ok(())
    }
}

/// Removes what was left on the node's own disk of hours that never were whole, below a partition's folder.
pub(super) fn sweep(dir: &Path) -> io::Result<()> {
    let own = dir.join(OWN);
    match fs::remove_dir_all(&own) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(&own, &error)),
        _ => Ok(()),
    }
}

/// The first hour that there may be, and the last.
fn ever() -> (Period, Period) {
    (Period::hour_of(i64::MIN), Period::hour_of(i64::MAX))
}

fn name(account: &str, hour: Period) -> String {
    format!("{ROOT}{account}/dt={}/{}", hour.day(), hour.file_name())
}

/// Those of an account from one hour to another one. They are in the order of their hours.
fn names(account: &str, (first, last): (Period, Period)) -> RangeInclusive<String> {
    name(account, first)..=name(account, last)
}

fn archive(account: &str, file: &Listed) -> Option<Archive> {
    let hour = hour_of(account, &file.name)?;
    Some(Archive { hour, bytes: file.len, written: nanos(file.written) })
}

/// The hour of a name that is one of an account's.
fn hour_of(account: &str, file: &str) -> Option<Period> {
    let hour = Period::of_file_name(file.rsplit('/').next()?).filter(|hour| !hour.is_day())?;
    (file == name(account, hour)).then_some(hour)
}

fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1_000)
}

/// The books and the mark in a note, without what ends them.
fn lines(note: &[u8]) -> (&[u8], &[u8]) {
    let mut lines = note.split(|byte| *byte == b'\n');
    (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// An archive that is open, and how far it was read. It holds no bytes of it.
struct At {
    file: File,
    at: u64,
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let (into, _) = into.split_at_mut(into.len().min(left));
        // Behind the end there is nothing to be asked for.
        if !into.is_empty() {
            self.file.read_exact_at(into, self.at)?;
        }
        self.at += into.len() as u64;
        Ok(into.len())
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl Bytes for At {
    /// Other errors are those of a bucket or a database that is away.
    fn passes(&self, error: io::ErrorKind) -> bool {
        !matches!(error, io::ErrorKind::NotFound | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
    }

    fn doubt(&self) -> bool {
        self.file.doubt(0..self.file.len());
        true
    }
}
