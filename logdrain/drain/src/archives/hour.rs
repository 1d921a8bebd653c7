//! One hour of an account, from what is kept to its file.

use super::books::{Books, Counted};
use super::packer::Packer;
use super::shelf::{Archive, Shelf, Unfinished};
use crate::fail_point;
use log_archive::{Period, Row, facility_name, severity_name};
use log_store::{DamageKind, Event, EventId, Order, Page, Query, Reached, Reader, Scope};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

/// Systems whose number is remembered.
const SYSTEMS: usize = 4_096;

/// What is asked for.
pub(super) struct Hour<'a> {
    pub(super) reader: &'a Reader,
    pub(super) account: &'a str,
    pub(super) hour: Period,
    /// The number of a system.
    pub(super) system: &'a dyn Fn(&str, &[u8]) -> Option<u64>,
    /// What was counted in the hour.
    pub(super) counted: Option<Counted>,
    /// Files of kept lines that cannot be opened.
    pub(super) damaged_files: u64,
    /// What cannot be read now may be readable later: is that waited for?
    pub(super) waits: bool,
    /// Asked before each block of lines.
    pub(super) go_on: &'a mut dyn FnMut() -> bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The file is there.
    Written {
        archive: Archive,
        lines: u64,
        /// Lines that are known to be missing.
        missing: Option<u64>,
    },
    /// No line is of that hour: there is no file.
    Empty,
    /// Asked to stop, nothing is left of it.
    Stopped,
    /// Something could not be read, and may be later.
    Unread(String),
}

/// Writes the archive of an hour, and its books.
pub(super) fn write(shelf: &dyn Shelf, asked: Hour<'_>) -> io::Result<Outcome> {
    let Hour { reader, account, hour, system, counted, damaged_files, waits, go_on } = asked;
    // One view for all of it: what is let go meanwhile is there still.
    let view = reader.view(&Scope::account(account).with_hidden());
    let mut page = Page::new().with_before(EventId::at(hour.end())).with_order(Order::Oldest);
    if let Some(before) = EventId::at(hour.start()).get().checked_sub(1) {
        page = page.with_after(EventId::new(before));
    }
    let (query, mut archive, mut damaged) = (Query::default(), None, 0);
    let mut texts = Texts::new(system);
    let (mut is_stopped, mut written) = (false, Ok(()));
    loop {
        let mut may_go_on = || {
            is_stopped = !go_on();
            !is_stopped
        };
        let examined = view.each(&query, &page, &mut may_go_on, &mut |event| {
            written = match &mut archive {
                Some(writing) => Writing::write(writing, &texts.row(event)),
                None => Writing::begin(shelf, account, hour)
                    .and_then(|writing| archive.insert(writing).write(&texts.row(event))),
            };
            written.is_ok()
        });
        written?;
        written = Ok(());
        if is_stopped {
            return Ok(Outcome::Stopped);
        }
        if waits && texts.is_unnumbered {
            return Ok(Outcome::Unread("the number of a system is not to be had".to_owned()));
        }
        for damage in examined.damage() {
            if waits && matches!(damage.kind(), DamageKind::Read(_)) || shelf.passes(damage) {
                return Ok(Outcome::Unread(damage.to_string()));
            }
            damaged += 1;
        }
        if examined.reached() == Reached::End {
            break;
        }
        // Files were put in others' places meanwhile: on behind what was seen.
        page = page.with_after(EventId::new(examined.before().get().saturating_sub(1)));
    }
    let Some(writing) = archive else { return Ok(Outcome::Empty) };
    let (lines, bytes) = writing.size();
    let file = writing.finish()?;
    let books =
        Books { hour: hour.to_string(), lines, bytes, damaged_blocks: damaged, damaged_files, purged: 0, counted };
    let archive = shelf.put(account, hour, file, &books.text()?, "books")?;
    fail_point("archive");
    Ok(Outcome::Written { archive, lines, missing: books.missing() })
}

/// An archive on its way to the disk.
pub(super) struct Writing {
    rows: log_archive::Writer<Packer>,
    file: Unfinished,
}

impl Writing {
    pub(super) fn begin(shelf: &dyn Shelf, account: &str, hour: Period) -> io::Result<Self> {
        let (unfinished, file) = shelf.begin(account, hour)?;
        Ok(Self { rows: log_archive::Writer::new(Packer::new(file)?), file: unfinished })
    }

    pub(super) fn write(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.rows.write(row)
    }

    /// Rows, and their bytes before they were packed.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.rows.rows(), self.rows.bytes())
    }

    /// All of it is on the disk, and in its place it is not.
    pub(super) fn finish(self) -> io::Result<Unfinished> {
        self.rows.into_inner().finish()?;
        Ok(self.file)
    }
}

/// What a row has besides an event: the number of its system, its address as text.
struct Texts<'a> {
    number: &'a dyn Fn(&str, &[u8]) -> Option<u64>,
    systems: BTreeMap<Box<[u8]>, u64>,
    /// The number of one was not to be had.
    is_unnumbered: bool,
    /// The address that was shown last, and its text.
    shown: Option<IpAddr>,
    address: String,
}

impl<'a> Texts<'a> {
    fn new(number: &'a dyn Fn(&str, &[u8]) -> Option<u64>) -> Self {
        Self { number, systems: BTreeMap::new(), is_unnumbered: false, shown: None, address: String::new() }
    }

    fn row<'r>(&'r mut self, event: &Event<'r>) -> Row<'r> {
        if self.shown != event.source_ip() {
            self.shown = event.source_ip();
            self.address = self.shown.map(|address| address.to_string()).unwrap_or_default();
        }
        Row::new(event.id().get(), event.id().unix_micros(), event.message())
            // What its sender's clock was ahead of UTC is not kept.
            .with_generated_at(event.generated(), 0)
            .with_source_id(self.system(event))
            .with_source_name(event.system())
            .with_source_ip(self.address.as_bytes())
            .with_facility_name(event.facility().and_then(facility_name).unwrap_or_default().as_bytes())
            .with_severity_name(event.severity().and_then(severity_name).unwrap_or_default().as_bytes())
            .with_program(event.program())
    }

    fn system(&mut self, event: &Event<'_>) -> u64 {
        if let Some(number) = self.systems.get(event.system()) {
            return *number;
        }
        // It is told in a column that nobody needs to find a line: without it there is an archive all the same.
        let number = (self.number)(event.account(), event.system());
        self.is_unnumbered |= number.is_none();
        let number = number.unwrap_or(0);
        if self.systems.len() >= SYSTEMS {
            self.systems.clear();
        }
        self.systems.insert(event.system().into(), number);
        number
    }
}
