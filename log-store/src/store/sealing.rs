//! From the head into files.

use super::{Held, Store};
use crate::chunk::{Chunk, ChunkLines};
use crate::error::StoreError;
use crate::event::EventId;
use crate::folder::SHARED;
use crate::sealed::{Part, parts};
use crate::segment::{
    BLOCK_TEXT, BlockLines, LONG_MESSAGE, MAX_BLOCKS, Segment, SegmentWriter, SenderName, Whole, file_name,
};
use crate::state::AccountState;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Bytes of text below which an account shares its segment with others.
const SMALL: usize = 4 << 20;
/// Bytes of text of a segment, about: full chunks are taken until there are so many.
const SEGMENT_TEXT: usize = 64 << 20;
/// Bytes of the names of all its chunks: a bound on what its dictionary takes.
const SEGMENT_NAMES: usize = 16 << 20;
/// Most blocks that a chunk is cut into: two for each long message, and its text.
const CHUNK_BLOCKS: usize = 64;

/// Chunks that go into one segment: of each account the oldest so many.
struct Load {
    heads: Vec<(usize, Arc<AccountState>, usize)>,
    first_id: u64,
    last_id: u64,
}

impl Store {
    /// Seals what is due: an account with enough for a segment of its own, and everything of which the oldest event is older
    /// than the options allow. Writes one file at most, and says whether it did: call it again until it did not.
    ///
    /// # Errors
    /// `Io` if the file cannot be written. The events stay in the head, and the next call tries again.
    pub fn seal_due(&mut self, now_micros: i64) -> Result<bool, StoreError> {
        let full = self.largest().filter(|&at| self.heads[at].text >= self.options.seal_bytes());
        if let Some(at) = full {
            return self.seal(&[at]);
        }
        let age = i64::try_from(self.options.seal_age().as_micros()).unwrap_or(i64::MAX);
        self.seal_older(EventId::at(now_micros.saturating_sub(age)))
    }

    /// Seals an account, or accounts that share a file, with an event below this id. Writes one file at most, and says whether
    /// it did: call it again until it did not.
    ///
    /// # Errors
    /// As [`Store::seal_due`].
    pub fn seal_older(&mut self, than: EventId) -> Result<bool, StoreError> {
        let due = |at: &usize| self.heads[*at].first.is_some_and(|first| first < than.get());
        let Some(at) = (0..self.heads.len()).filter(due).max_by_key(|&at| self.heads[at].text) else {
            return Ok(false);
        };
        if self.heads[at].text >= SMALL {
            return self.seal(&[at]);
        }
        // All that is small goes along, due or not: otherwise each account would come due at its own time, with a file each.
        let small = self.small();
        self.seal(&small)
    }

    /// Seals everything: for embedders without a journal, and at the end.
    ///
    /// # Errors
    /// As [`Store::seal_due`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        while self.seal_older(EventId::MAX)? {}
        Ok(())
    }

    /// Makes room in the head: says whether something could be sealed.
    pub(super) fn seal_for_room(&mut self) -> Result<bool, StoreError> {
        let Some(at) = self.largest() else { return Ok(false) };
        if self.heads[at].text >= SMALL {
            return self.seal(&[at]);
        }
        let small = self.small();
        self.seal(&small)
    }

    fn largest(&self) -> Option<usize> {
        (0..self.heads.len()).filter(|&at| self.heads[at].events > 0).max_by_key(|&at| self.heads[at].text)
    }

    fn small(&self) -> Vec<usize> {
        // By name, so that equal events give equal files.
        let small = |at: &usize| self.heads[*at].events > 0 && self.heads[*at].text < SMALL;
        self.by_name.values().copied().filter(small).collect()
    }

    /// Writes one segment of what these accounts have, as far as it takes it. Readers go over to it account by account.
    fn seal(&mut self, heads: &[usize]) -> Result<bool, StoreError> {
        let load = self.load(heads);
        let name = file_name(load.first_id, load.last_id);
        // Two accounts may have used the same ids at different times. Nothing is written over: the first account goes alone,
        // and in its own folder no name is there twice, for ids that are sealed are passed over.
        let load = match load.heads.len() > 1 && self.is_taken(&self.place.path(SHARED, &name)) {
            true => self.load(&heads[..1]),
            false => load,
        };
        if load.heads.is_empty() {
            return Ok(false);
        }
        let account = match load.heads.as_slice() {
            [(at, ..)] => Some(Arc::clone(self.heads[*at].account.name())),
            _ => None,
        };
        let folder = account.as_deref().unwrap_or(SHARED);
        let writing = self.place.writing(folder)?;
        let whole = write(&writing, &load, |at| Arc::clone(self.heads[at].account.name()))
            .map_err(|error| StoreError::io(&writing, "write a segment", &error))?;
        let segment = self.keep(folder, whole, "write a segment")?;
        self.take_over(&load, &segment);
        Ok(true)
    }

    /// Which chunks fit into one segment.
    fn load(&self, heads: &[usize]) -> Load {
        let mut load = Load { heads: Vec::new(), first_id: u64::MAX, last_id: 0 };
        let (mut text, mut names, mut blocks) = (0, 0, 0);
        'heads: for &at in heads {
            let state = self.heads[at].account.state();
            let mut chunks = 0;
            for chunk in &state.chunks {
                let lines = chunk.read();
                let full = text + lines.text.len() > SEGMENT_TEXT + SEGMENT_TEXT / 64
                    || names + lines.name_bytes() > SEGMENT_NAMES
                    || blocks + CHUNK_BLOCKS > MAX_BLOCKS;
                if full && text > 0 {
                    if chunks > 0 {
                        drop(lines);
                        load.heads.push((at, state, chunks));
                    }
                    break 'heads;
                }
                text += lines.text.len();
                names += lines.name_bytes();
                // Most are cut into a block for each 256 KiB; what long messages add is counted as it is.
                blocks += blocks_of(&lines);
                chunks += 1;
                load.first_id = load.first_id.min(chunk.first_id());
                load.last_id = load.last_id.max(lines.ids.last().copied().unwrap_or(0));
            }
            if chunks > 0 {
                load.heads.push((at, state, chunks));
            }
        }
        load
    }

    /// Puts the file in the place of the chunks it was made of.
    fn take_over(&mut self, load: &Load, segment: &Segment) {
        let mut parts: std::collections::BTreeMap<Box<str>, Part> = parts(&self.place, segment).into_iter().collect();
        for (at, state, chunks) in &load.heads {
            let head = &mut self.heads[*at];
            let Some(part) = parts.remove(&**head.account.name()) else { continue };
            head.sealed_through = Some(part.last);
            let rest = state.chunks[*chunks..].to_vec();
            head.first = rest.first().map(|chunk| chunk.first_id());
            let (mut events, mut text, mut memory) = (0, 0, 0);
            for chunk in &rest {
                let lines = chunk.read();
                events += lines.ids.len() as u64;
                text += lines.text.len();
                memory += size_of::<Chunk>() + lines.memory();
            }
            self.head_memory = self.head_memory - head.memory + memory;
            (head.events, head.text, head.memory) = (events, text, memory);
            if rest.is_empty() {
                head.open = None;
            }
            let held = self.files.entry(part.sealed.number()).or_insert_with(|| {
                self.shared.cache.keep(part.sealed.number(), segment);
                Held::new(&part.sealed, segment)
            });
            held.accounts += 1;
            let mut all = state.parts.to_vec();
            all.push(part);
            head.account.swap(AccountState { parts: all.into(), chunks: rest, ..**state });
        }
    }
}

fn write(folder: &Path, load: &Load, name: impl Fn(usize) -> Arc<str>) -> io::Result<Whole> {
    let mut writer = SegmentWriter::create(folder)?;
    let mut lengths = Vec::new();
    for (at, state, chunks) in &load.heads {
        let account = name(*at);
        for chunk in &state.chunks[..*chunks] {
            let lines = chunk.read();
            push_chunk(&mut writer, &account, &lines, &mut lengths)?;
        }
    }
    writer.whole(None)
}

/// Writes a chunk, cut into blocks.
pub(super) fn push_chunk(
    writer: &mut SegmentWriter,
    account: &str,
    lines: &ChunkLines,
    lengths: &mut Vec<u32>,
) -> io::Result<()> {
    blocks(lines).try_for_each(|block| push(writer, account, lines, block, lengths))
}

fn push(
    writer: &mut SegmentWriter,
    account: &str,
    lines: &ChunkLines,
    block: Range<usize>,
    lengths: &mut Vec<u32>,
) -> io::Result<()> {
    lengths.clear();
    lengths.extend(block.clone().map(|line| lines.ends[line] - lines.start(line) as u32));
    let text = lines.start(block.start)..lines.ends[block.end - 1] as usize + 1;
    let columns = BlockLines {
        ids: &lines.ids[block.clone()],
        generated: &lines.generated[block.clone()],
        senders: &lines.senders[block.clone()],
        sources: &lines.sources[block],
        lengths,
        text: &lines.text[text],
    };
    writer.push_block(account, &columns, |sender| {
        lines.names.get(sender as usize).map(|name| SenderName {
            system: &name.system,
            program: &name.program,
            severity: name.severity,
            facility: name.facility,
        })
    })
}

fn blocks_of(lines: &ChunkLines) -> usize {
    lines.text.len().div_ceil(BLOCK_TEXT)
        + if lines.text.len() > LONG_MESSAGE { 2 * (lines.text.len() / LONG_MESSAGE) } else { 0 }
}

/// How a chunk is cut: blocks of about the same size, and a long message by itself, so that it is not read with others.
fn blocks(lines: &ChunkLines) -> impl Iterator<Item = Range<usize>> + '_ {
    let count = lines.text.len().div_ceil(BLOCK_TEXT).max(1);
    let target = lines.text.len().div_ceil(count);
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next;
        if first >= lines.ids.len() {
            return None;
        }
        let start = lines.start(first);
        let is_long = |line: usize| lines.ends[line] as usize - lines.start(line) > LONG_MESSAGE;
        next += 1;
        if !is_long(first) {
            while next < lines.ids.len()
                && lines.ends[next] as usize + 1 - start <= target.max(BLOCK_TEXT / 2) + 512
                && !is_long(next)
            {
                next += 1;
            }
        }
        Some(first..next)
    })
}
