//! What is done with the lines: those that are found, and those around them.

use crate::search::event::Event;
use crate::search::print::Printer;
use logdrain_terms::failure::{Failure, say};
use std::collections::VecDeque;
use std::io::{IsTerminal as _, Stdout, Write as _};

/// Lines that wait (those in front of the next that is found, and the last ones) take no more than this.
const HELD: usize = 64 << 20;
/// Written at once when it has come to this.
const CHUNK: usize = 64 << 10;

/// Prints lines with those around them, all or the last ones.
#[derive(Debug)]
pub(crate) struct Output {
    out: Stdout,
    /// What is not written yet.
    text: Vec<u8>,
    printer: Printer,
    /// Whether each pause writes what there is: somebody is waiting.
    is_watched: bool,
    before: usize,
    after: usize,
    /// How many of the next lines stand behind one that was found.
    to_follow: usize,
    /// The last lines that were not found.
    front: Held,
    /// Whether a line was left out since the last that was printed.
    is_gap: bool,
    /// How many were found.
    found: u64,
    /// The last lines, while there may be more; `None` when each goes out at once.
    last: Option<Last>,
}

/// The last of the lines that are found, with those around them.
#[derive(Debug)]
struct Last {
    lines: usize,
    held: Held,
}

/// Written lines in their order, each with the number of the line found that it belongs to.
#[derive(Debug, Default)]
struct Held {
    lines: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
    /// Whether lines had to go for want of room.
    overflowed: bool,
}

impl Held {
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    fn push(&mut self, number: u64, line: Vec<u8>) {
        self.bytes += line.capacity();
        self.lines.push_back((number, line));
        while self.bytes > HELD && self.lines.len() > 1 {
            self.drop_first();
            self.overflowed = true;
        }
    }

    fn drop_first(&mut self) {
        if let Some(mut line) = self.take_first() {
            line.clear();
            // A huge one is not kept for small ones.
            if self.spare.len() < 16 && line.capacity() <= CHUNK {
                self.spare.push(line);
            }
        }
    }

    fn take_first(&mut self) -> Option<Vec<u8>> {
        let (_, line) = self.lines.pop_front()?;
        self.bytes -= line.capacity();
        Some(line)
    }
}

impl Output {
    pub(crate) fn new(printer: Printer, (before, after): (usize, usize), last: Option<usize>, is_live: bool) -> Self {
        let out = std::io::stdout();
        Self {
            is_watched: is_live || out.is_terminal(),
            out,
            text: Vec::new(),
            printer,
            before,
            after,
            to_follow: 0,
            front: Held::default(),
            is_gap: false,
            found: 0,
            last: last.map(|lines| Last { lines, held: Held::default() }),
        }
    }

    pub(crate) fn found(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        self.found += 1;
        self.to_follow = self.after;
        let has_around = self.before > 0 || self.after > 0;
        if has_around && self.is_gap && self.found > 1 && self.printer.marks_gaps() {
            self.emit(b"--\n")?;
        }
        self.is_gap = false;
        while let Some(line) = self.front.take_first() {
            self.emit(&line)?;
            self.front.spare.push(line);
            self.front.spare.truncate(1);
        }
        self.write(event, true)
    }

    pub(crate) fn other(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        if self.to_follow > 0 {
            self.to_follow -= 1;
            return self.write(event, false);
        }
        if self.before == 0 {
            self.is_gap = true;
            return Ok(());
        }
        if self.front.lines.len() >= self.before {
            self.front.drop_first();
            self.is_gap = true;
        }
        let mut line = self.front.buffer();
        line.clear();
        self.printer.write(&mut line, event, false)?;
        self.front.push(0, line);
        self.is_gap |= self.front.overflowed;
        Ok(())
    }

    /// Lines that were not handed over stand between the last and the next.
    pub(crate) fn gap(&mut self) {
        self.is_gap = true;
        self.to_follow = 0;
    }

    fn write(&mut self, event: &Event<'_>, is_found: bool) -> Result<(), Failure> {
        if self.last.is_some() {
            let mut line = Vec::new();
            self.printer.write(&mut line, event, is_found)?;
            return self.emit(&line);
        }
        self.printer.write(&mut self.text, event, is_found)?;
        self.flush_chunk()
    }

    fn emit(&mut self, line: &[u8]) -> Result<(), Failure> {
        let Some(Last { lines, held }) = &mut self.last else {
            self.text.extend_from_slice(line);
            return self.flush_chunk();
        };
        let mut copy = held.buffer();
        copy.clear();
        copy.extend_from_slice(line);
        held.push(self.found, copy);
        // All that belongs to a line found goes with it.
        let first = self.found.saturating_sub(*lines as u64) + 1;
        while held.lines.front().is_some_and(|(number, _)| *number < first) {
            held.drop_first();
        }
        Ok(())
    }

    fn flush_chunk(&mut self) -> Result<(), Failure> {
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.write_all(&self.text)?;
        self.text.clear();
        self.text.shrink_to(4 * CHUNK);
        Ok(self.out.flush()?)
    }

    /// What can be read at once has been.
    pub(crate) fn pause(&mut self) -> Result<(), Failure> {
        if self.is_watched && !self.text.is_empty() { self.flush() } else { Ok(()) }
    }

    /// No more lines come, or none for now: those that are there were the last.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if let Some(Last { mut held, .. }) = self.last.take() {
            if held.overflowed {
                say(format_args!("logdrain: of the last lines only those of {} MB are printed", HELD >> 20));
            }
            // A mark between two groups does not begin the first.
            if held.lines.front().is_some_and(|(_, line)| line == b"--\n") {
                held.drop_first();
            }
            while let Some(line) = held.take_first() {
                self.text.extend_from_slice(&line);
                self.flush_chunk()?;
            }
        }
        self.flush()
    }

    pub(crate) const fn count(&self) -> u64 {
        self.found
    }
}
