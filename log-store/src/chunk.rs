//! Events in memory: what was appended and is in no file yet.

use crate::event::{Event, EventId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Bytes of text at which a chunk is full; a longer message has a chunk of its own.
const FULL_TEXT: usize = 1 << 20;
/// Lines at which it is full: what empty messages cost is bounded by this.
const FULL_LINES: usize = 1 << 14;
/// Senders at which it is full, and bytes of their names.
const FULL_SENDERS: usize = 1 << 12;
const FULL_NAMES: usize = 256 << 10;
/// What a table of senders costs beside the names themselves, an entry: two vectors, the map's slot and its key.
const A_SENDER: usize = 160;
/// Bytes of a system's or program's name that are kept.
pub(crate) const LONGEST_NAME: usize = 255;

/// Events of one account, rising by id. The writer appends; readers look at what was published, each under the lock for as
/// long as it takes to search a megabyte.
#[derive(Debug)]
pub(crate) struct Chunk {
    first_id: u64,
    lines: RwLock<ChunkLines>,
}

/// What a chunk holds: one item a line in each list.
#[derive(Debug, Default)]
pub(crate) struct ChunkLines {
    pub(crate) ids: Vec<u64>,
    pub(crate) generated: Vec<i64>,
    pub(crate) senders: Vec<u32>,
    pub(crate) sources: Vec<Option<IpAddr>>,
    /// Where each message ends in `text`; a byte 0 stands there, and the next message behind it.
    pub(crate) ends: Vec<u32>,
    pub(crate) text: Vec<u8>,
    pub(crate) names: Vec<ChunkSender>,
    known: HashMap<Box<[u8]>, u32>,
    name_bytes: usize,
    key: Vec<u8>,
}

/// A sender of a chunk.
#[derive(Clone, Debug)]
pub(crate) struct ChunkSender {
    pub(crate) system: Box<[u8]>,
    pub(crate) program: Box<[u8]>,
    /// 255 if there is none.
    pub(crate) severity: u8,
    pub(crate) facility: u8,
}

impl Chunk {
    pub(crate) fn new(first: EventId) -> Self {
        Self { first_id: first.get(), lines: RwLock::default() }
    }

    pub(crate) const fn first_id(&self) -> u64 {
        self.first_id
    }

    /// The lines, for as long as the guard lives: hold it for the search of this chunk and no longer.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, ChunkLines> {
        // No append panics half way, so a poisoned lock guards nothing broken.
        self.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event if there is room: how many bytes the chunk has grown by. `None` means that it is full.
    pub(crate) fn append(&self, event: &Event<'_>) -> Option<usize> {
        self.lines.write().unwrap_or_else(PoisonError::into_inner).append(event)
    }
}

/// A line in all lists but the text.
const A_LINE: usize = 8 + 8 + 4 + size_of::<Option<IpAddr>>() + 4;
/// What a chunk begins with: a thousand accounts of a line a second have one each.
const FIRST_TEXT: usize = 2 << 10;
const FIRST_LINES: usize = 16;

impl ChunkLines {
    fn append(&mut self, event: &Event<'_>) -> Option<usize> {
        let text = event.message().len() + 1;
        if !self.ids.is_empty()
            && (self.text.len() + text > FULL_TEXT
                || self.ids.len() >= FULL_LINES
                || self.names.len() >= FULL_SENDERS
                || self.name_bytes >= FULL_NAMES)
        {
            return None;
        }
        let before = self.memory();
        let sender = self.sender(event);
        if self.ids.len() == self.ids.capacity() {
            // All lists grow together, and never beyond what makes the chunk full.
            let more = self.ids.len().clamp(FIRST_LINES, FULL_LINES - self.ids.len().min(FULL_LINES - 1));
            self.ids.reserve_exact(more);
            self.generated.reserve_exact(more);
            self.senders.reserve_exact(more);
            self.sources.reserve_exact(more);
            self.ends.reserve_exact(more);
        }
        if self.text.capacity() - self.text.len() < text {
            let room = FULL_TEXT.saturating_sub(self.text.len());
            self.text.reserve_exact(text.max(self.text.len().max(FIRST_TEXT).min(room)));
        }
        self.ids.push(event.id().get());
        self.generated.push(event.generated());
        self.senders.push(sender);
        self.sources.push(event.source_ip());
        self.text.extend_from_slice(event.message());
        self.ends.push(self.text.len() as u32);
        self.text.push(0);
        Some(self.memory().saturating_sub(before))
    }

    fn sender(&mut self, event: &Event<'_>) -> u32 {
        let system = &event.system()[..event.system().len().min(LONGEST_NAME)];
        let program = &event.program()[..event.program().len().min(LONGEST_NAME)];
        let severity = event.severity().unwrap_or(u8::MAX);
        let facility = event.facility().unwrap_or(u8::MAX);
        // Neighbours often have the same sender.
        if let Some(&last) = self.senders.last()
            && let Some(name) = self.names.get(last as usize)
            && (&*name.system, &*name.program, name.severity, name.facility) == (system, program, severity, facility)
        {
            return last;
        }
        self.key.clear();
        self.key.extend_from_slice(&[severity, facility, system.len() as u8]);
        self.key.extend_from_slice(system);
        self.key.extend_from_slice(program);
        if let Some(&number) = self.known.get(self.key.as_slice()) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(ChunkSender { system: system.into(), program: program.into(), severity, facility });
        self.known.insert(self.key.as_slice().into(), number);
        self.name_bytes += 2 * self.key.len() + A_SENDER;
        number
    }

    pub(crate) fn memory(&self) -> usize {
        self.text.capacity() + self.ids.capacity() * A_LINE + self.name_bytes
    }

    /// Bytes of its senders, about.
    pub(crate) const fn name_bytes(&self) -> usize {
        self.name_bytes
    }

    /// The lines with ids from `from` on and below `to`.
    pub(crate) fn within(&self, from: u64, to: u64) -> std::ops::Range<usize> {
        let start = self.ids.partition_point(|&id| id < from);
        start..self.ids.partition_point(|&id| id < to).max(start)
    }

    /// Where a message begins in the text.
    pub(crate) fn start(&self, line: usize) -> usize {
        match line.checked_sub(1) {
            None => 0,
            Some(before) => self.ends[before] as usize + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_when_it_is_full_and_never_takes_more_than_it_says() {
        let names: Vec<String> = (0..10_000).map(|n| format!("system-{n}")).collect();
        let long = vec![b'x'; 64 << 10];
        type Lines<'a> = Box<dyn Fn(usize) -> (&'a [u8], &'a [u8]) + 'a>;
        let kinds: [Lines<'_>; 4] = [
            Box::new(|_| (b"", b"a")),
            Box::new(|_| (&long, b"a")),
            Box::new(|n| (b"line", names[n % 10_000].as_bytes())),
            Box::new(|n| (&long[..n % 300], b"a")),
        ];
        for kind in kinds {
            let chunk = Chunk::new(EventId::new(0));
            let mut sum = 0;
            for n in 0..1_000_000 {
                let (message, system) = kind(n);
                let event = Event::new(EventId::new(n as u64), "a", message).with_system(system);
                match chunk.append(&event) {
                    Some(grown) => sum += grown,
                    None => break,
                }
            }
            let lines = chunk.read();
            assert_eq!(sum, lines.memory());
            assert!(sum <= 3 << 20, "{sum}");
            assert!(lines.ids.len() <= FULL_LINES && lines.text.len() <= FULL_TEXT);
            assert_eq!(lines.within(3, 5), 3..5.min(lines.ids.len()));
        }
    }
}
