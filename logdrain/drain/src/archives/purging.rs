//! Lines that are purged go out of archives, too: each hour that has some is written again beside, and takes its place.

use super::board::Board;
use super::books::Books;
use super::hour::Writing;
use super::shelf::{Opened, Shelf};
use crate::fail_point;
use crate::settings::purge::Purge;
use flate2::read::MultiGzDecoder;
use log_archive::{Period, Reader, Row, facility_number, severity_number};
use log_query::{Fields, Query};
use log_store::{EventId, Scope};
use std::io::{self, BufReader};
use std::ops::Range;

/// A row holds a message of a megabyte, and each byte of it may be escaped.
const ROW: usize = 4 << 20;

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
        let wanted = Wanted { account, scope: purge.scope(account), query: purge.parsed(), ids: purge.ids() };
        let _turn = self.turn();
        let shelf = self.shelf()?;
        let mut gone = 0;
        for hour in self.list(account)?.into_iter().map(|archive| archive.hour) {
            let is_in = EventId::at(hour.start()) < wanted.ids.end && EventId::at(hour.end()) > wanted.ids.start;
            if is_in && purge.is_all && EventId::at(hour.end()) <= wanted.ids.end {
                gone += purge_whole(&*shelf, account, hour)?;
            } else if is_in {
                match purge_hour(&*shelf, hour, &wanted) {
                    Ok(rows) => gone += rows,
                    Err(Failed::Damaged(why)) => {
                        let file = shelf.name(account, hour);
                        tracing::error!(account, file, why, "a damaged archive is not purged");
                    }
                    Err(Failed::Disk(error)) => return Err(error),
                }
            }
        }
        if purge.is_all {
            shelf.remove_rest(account, wanted.ids.end.unix_micros())?;
        }
        if gone > 0 {
            self.add_up(account)?;
            self.rewritten(account);
        }
        // What was looked through was there to the end.
        shelf.check()?;
        Ok(gone)
    }
}

/// An hour of an account that is destroyed. What is counted is what its books say: a damaged file goes, too.
fn purge_whole(shelf: &dyn Shelf, account: &str, hour: Period) -> io::Result<u64> {
    let books = books(shelf, account, hour)?;
    shelf.remove(account, &[hour])?;
    Ok(books.map_or(1, |books| books.lines.max(1)))
}

/// The books of an hour; those that cannot be made out are none.
fn books(shelf: &dyn Shelf, account: &str, hour: Period) -> io::Result<Option<Books>> {
    Ok(shelf.books(account, hour)?.and_then(|text| serde_json::from_slice(&text).ok()))
}

/// Why an hour is as it was.
enum Failed {
    /// It cannot be read to its end, and could not be the next time.
    Damaged(String),
    /// What may pass.
    Disk(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

fn purge_hour(shelf: &dyn Shelf, hour: Period, wanted: &Wanted<'_>) -> Result<u64, Failed> {
    let account = wanted.account;
    let mut found = 0;
    each(shelf.open(account, hour)?, |row| {
        found += u64::from(wanted.finds(row));
        Ok(())
    })?;
    if found == 0 {
        return Ok(0);
    }
    let mut writing = Writing::begin(shelf, account, hour)?;
    each(shelf.open(account, hour)?, |row| if wanted.finds(row) { Ok(()) } else { writing.write(row) })?;
    let (lines, bytes) = writing.size();
    let file = writing.finish()?;
    let books = books(shelf, account, hour)?;
    let books = books.unwrap_or_else(|| Books { hour: hour.to_string(), ..Books::default() });
    // Once, also when it is broken off between the two.
    let purged = if books.lines == lines { books.purged } else { books.purged + found };
    shelf.put(account, hour, file, &Books { lines, bytes, purged, ..books }.text()?, "purged books")?;
    fail_point("purged archive");
    Ok(found)
}

fn each(file: Opened, mut take: impl FnMut(&Row<'_>) -> io::Result<()>) -> Result<(), Failed> {
    let file = BufReader::new(MultiGzDecoder::new(BufReader::new(file)));
    let mut reader = Reader::new(file).with_max_row_len(ROW);
    loop {
        match reader.read().map_err(|error| Failed::Damaged(error.to_string()))? {
            Some(row) => take(&row)?,
            None => return Ok(()),
        }
    }
}
