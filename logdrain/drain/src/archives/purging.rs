//! Lines that are purged go out of archives, too: each hour that has some is written again beside, and takes its place.

use super::board::Board;
use super::books::Books;
use super::hour::Writing;
use super::shelf::{Archive, Opened, Shelf};
use crate::fail_point;
use crate::settings::purge::Purge;
use flate2::read::MultiGzDecoder;
use log_archive::{Period, Reader, Row, facility_number, severity_number};
use log_query::{Fields, Query};
use log_store::{EventId, Scope};
use std::io::{self, BufReader, Read, Seek as _};
use std::ops::Range;

/// A row holds a message of a megabyte, and each byte of it may be escaped.
const ROW: usize = 4 << 20;

/// Packed bytes that are read at a time.
const PACKED: usize = 64 << 10;
/// Hours that go whole in one step.
const AT_A_TIME: usize = 256;

/// What is looked for.
struct Wanted<'a> {
    account: &'a str,
    scope: Scope,
    query: Query,
    ids: Range<EventId>,
}

impl Wanted<'_> {
    fn finds(&self, row: &Row<'_>) -> bool {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let mut fields = Fields::new(row.source_name(), row.program(), row.message());
        fields = severity_number(row.severity_name()).into_iter().fold(fields, Fields::with_severity);
        fields = facility_number(row.facility_name()).into_iter().fold(fields, Fields::with_facility);
        let address = text(row.source_ip()).and_then(|address| address.parse().ok());
        fields = address.into_iter().fold(fields, Fields::with_source_ip);
        self.ids.contains(&EventId::new(row.id()))
            && self.scope.allows(self.account, row.source_name())
            && self.query.matches(&fields)
    }
}

impl Board {
    /// Answers how many rows it were. Whoever writes an hour waits meanwhile, and is waited for: what is written later is
    /// written from lines of which these are gone.
    ///
    /// An hour that is damaged is left as it is, and named: nobody can tell what it holds, and the lines of all accounts would
    /// wait for it.
    pub(super) fn purge(&self, account: &str, purge: &Purge) -> io::Result<u64> {
        let _turn = self.turn();
        let gone = self.purge_all(account, purge);
        if gone.is_err() {
            // What nobody heard of may be done, and hours before it are.
            self.rewritten(account);
            let _ = self.add_up(account);
        } else if gone.as_ref().is_ok_and(|gone| *gone > 0) {
            self.rewritten(account);
            self.add_up(account)?;
        }
        gone
    }

    fn purge_all(&self, account: &str, purge: &Purge) -> io::Result<u64> {
        let wanted = Wanted { account, scope: purge.scope(account), query: purge.parsed(), ids: purge.ids() };
        let shelf = self.shelf()?;
        let mut hours = self.list(account)?;
        hours.retain(|Archive { hour, .. }| {
            EventId::at(hour.start()) < wanted.ids.end && EventId::at(hour.end()) > wanted.ids.start
        });
        let is_whole = |archive: &Archive| purge.is_all && EventId::at(archive.hour.end()) <= wanted.ids.end;
        let (whole, parts): (Vec<_>, Vec<_>) = hours.into_iter().partition(is_whole);
        let mut gone = 0;
        for hours in whole.chunks(AT_A_TIME) {
            gone += purge_whole(&*shelf, account, hours)?;
        }
        for archive in parts {
            match purge_hour(&*shelf, archive, &wanted) {
                Ok(rows) => gone += rows,
                Err(Failed::Damaged(why)) => {
                    let file = shelf.name(account, archive.hour);
                    tracing::error!(account, file, why, "a damaged archive is not purged");
                }
                Err(Failed::Passing(error)) => return Err(error),
            }
        }
        if purge.is_all {
            shelf.remove_rest(account, wanted.ids.end.unix_micros())?;
        }
        // What was looked through was there to the end.
        shelf.check()?;
        Ok(gone)
    }
}

/// Hours of an account that is destroyed. What is counted is what their books say: a damaged file goes, too.
fn purge_whole(shelf: &dyn Shelf, account: &str, archives: &[Archive]) -> io::Result<u64> {
    let mut lines = vec![1; archives.len()];
    shelf.books(account, archives, &mut |index, text| {
        if let (Some(lines), Some(books)) = (lines.get_mut(index), books_of(text)) {
            *lines = books.lines.max(1);
        }
    })?;
    let hours: Vec<Period> = archives.iter().map(|archive| archive.hour).collect();
    shelf.remove(account, &hours)?;
    Ok(lines.iter().sum())
}

/// Books that cannot be made out are none.
fn books_of(text: &[u8]) -> Option<Books> {
    serde_json::from_slice(text).ok()
}

/// Why an hour is as it was.
enum Failed {
    /// It cannot be read to its end, and could not be the next time.
    Damaged(String),
    /// It is tried again.
    Passing(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Passing(error)
    }
}

fn purge_hour(shelf: &dyn Shelf, archive: Archive, wanted: &Wanted<'_>) -> Result<u64, Failed> {
    let (account, hour) = (wanted.account, archive.hour);
    let mut found = 0;
    let count = |file: &mut Opened, found: &mut u64| {
        *found = 0;
        each(file, |row| {
            *found += u64::from(wanted.finds(row));
            Ok(())
        })
    };
    let mut file = shelf.open(account, hour)?;
    match count(&mut file, &mut found) {
        // What is damaged here may be whole where it comes from.
        Err(Failed::Damaged(_)) if file.doubt() => count(&mut file, &mut found)?,
        counted => counted?,
    }
    if found == 0 {
        return Ok(0);
    }
    let mut writing = Writing::begin(shelf, account, hour)?;
    each(&mut file, |row| if wanted.finds(row) { Ok(()) } else { writing.write(row) })?;
    let (lines, bytes) = writing.size();
    let written = writing.finish()?;
    let mut books = None;
    shelf.books(account, &[archive], &mut |_, text| books = books_of(text))?;
    let books = books.unwrap_or_else(|| Books { hour: hour.to_string(), ..Books::default() });
    // Once, also when it is broken off between the two.
    let purged = if books.lines == lines { books.purged } else { books.purged + found };
    shelf.put(account, hour, written, &Books { lines, bytes, purged, ..books }.text()?, "purged books")?;
    fail_point("purged archive");
    Ok(found)
}

/// Reads all rows of a file, from its beginning.
fn each(file: &mut Opened, mut take: impl FnMut(&Row<'_>) -> io::Result<()>) -> Result<(), Failed> {
    file.rewind()?;
    let mut watched = Watched { file, failed: None };
    let rows = BufReader::new(MultiGzDecoder::new(BufReader::with_capacity(PACKED, &mut watched)));
    let mut reader = Reader::new(rows).with_max_row_len(ROW);
    let why = loop {
        match reader.read() {
            Ok(Some(row)) => take(&row)?,
            Ok(None) => return Ok(()),
            Err(error) => break error.to_string(),
        }
    };
    drop(reader);
    // Only what the packed bytes say by themselves is damage for sure.
    match watched.failed {
        Some(error) if watched.file.passes(error.kind()) => Err(Failed::Passing(error)),
        _ => Err(Failed::Damaged(why)),
    }
}

/// A file, and what it said when it could not be read.
struct Watched<'a> {
    file: &'a mut Opened,
    failed: Option<io::Error>,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into).map_err(|error| {
            let told = io::Error::new(error.kind(), error.to_string());
            self.failed = Some(error);
            told
        })
    }
}
