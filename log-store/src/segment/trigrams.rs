//! Which blocks hold a run of three bytes, exactly. Decides what is too short for signatures.
//!
//! Entries of rising trigrams stand in pages of about a kilobyte, each with a checksum; a list of the pages' first trigrams is
//! in memory. An entry names the blocks that hold its trigram, or those that do not, or has a bit for each: whatever is shortest.

use super::bitmap::Bitmap;
use super::bytes::{Cursor, put_varint};
use super::damage::{Damage, DamageKind};
use super::file::Readable;
use super::grams::{BlockGrams, ones, trigrams_of};
use super::index::BlockEntry;
use super::output::Output;
use std::io;
use std::ops::Range;
use std::path::Path;

/// A page is closed when it is this long.
const PAGE: usize = 1 << 10;
/// A page with one more entry of the longest kind.
const LONGEST_PAGE: usize = PAGE + 2 * (super::MAX_BLOCKS / 8) + 32;
/// Trigrams that are put together at a time, so that the table that does it stays small.
pub(super) const WINDOW: u32 = 1 << 12;
/// What is too long for this is left to signatures, which know more of it.
const LONGEST_NEEDLE: usize = 12;

const FORM_THOSE: u64 = 0;
const FORM_OTHERS: u64 = 1;
const FORM_BITS: u64 = 2;

/// Writes entries as pages, and then the list of pages.
pub(super) struct TableWriter<'a> {
    output: &'a mut Output,
    blocks: usize,
    directory: Vec<u8>,
    page: Vec<u8>,
    /// First trigram of the page before, and of this one; last trigram of this one.
    before: u32,
    first: u32,
    last: u32,
    those: Vec<u8>,
    others: Vec<u8>,
}

impl<'a> TableWriter<'a> {
    pub(super) fn new(blocks: usize, output: &'a mut Output) -> Self {
        let (directory, page, those, others) = Default::default();
        Self { output, blocks, directory, page, before: 0, first: 0, last: 0, those, others }
    }

    /// The next trigram, and the blocks that hold it.
    pub(super) fn entry(&mut self, trigram: u32, words: &[u64]) -> io::Result<()> {
        if self.page.is_empty() {
            (self.first, self.last) = (trigram, trigram);
        }
        put_varint(&mut self.page, u64::from(trigram - self.last));
        self.last = trigram;
        let row = self.blocks.div_ceil(8);
        let count: usize = words.iter().map(|word| word.count_ones() as usize).sum();
        let missing = self.blocks - count;
        let (form, count, list) = if count <= missing {
            (FORM_THOSE, count, list(words, self.blocks, 0, row, &mut self.those))
        } else {
            (FORM_OTHERS, missing, list(words, self.blocks, u64::MAX, row, &mut self.others))
        };
        if let Some(list) = list {
            put_varint(&mut self.page, (count as u64) << 2 | form);
            self.page.extend_from_slice(list);
        } else {
            put_varint(&mut self.page, FORM_BITS);
            let end = self.page.len() + row;
            words.iter().for_each(|word| self.page.extend_from_slice(&word.to_le_bytes()));
            self.page.truncate(end);
        }
        if self.page.len() >= PAGE { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> io::Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let crc = checksum(self.first, &self.page);
        self.page.extend_from_slice(&crc.to_le_bytes());
        put_varint(&mut self.directory, u64::from(self.first - self.before));
        put_varint(&mut self.directory, self.page.len() as u64);
        self.before = self.first;
        self.output.write(&self.page)?;
        self.page.clear();
        Ok(())
    }

    /// Writes the last page, and gives the list of pages as it stands in the file.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.close()?;
        Ok(self.directory)
    }
}

/// The blocks that are set, or those that are not, as gaps; `None` if that is longer than a bit for each.
fn list<'a>(words: &[u64], blocks: usize, flip: u64, most: usize, out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    out.clear();
    let mut next = 0;
    for (at, &word) in words.iter().enumerate() {
        for bit in ones(word ^ flip) {
            let block = at * 64 + bit;
            if block >= blocks {
                break;
            }
            put_varint(out, (block - next) as u64);
            next = block + 1;
            if out.len() > most {
                return None;
            }
        }
    }
    Some(out)
}

fn checksum(first: u32, page: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&first.to_le_bytes());
    crc.update(page);
    crc.finalize()
}

/// Writes the table of blocks whose trigrams are in memory; gives the list of its pages.
pub(super) fn write(grams: &[BlockGrams], output: &mut Output) -> io::Result<Vec<u8>> {
    let words = grams.len().div_ceil(64);
    let mut union = Union::new(words);
    // What of each block's was not put into the table yet.
    let mut left: Vec<&[u32]> = Vec::with_capacity(grams.len());
    for (block, grams) in grams.iter().enumerate() {
        left.push(grams.trigrams.as_deref().unwrap_or_default());
        if grams.trigrams.is_none() {
            union.dense(block);
        }
    }
    let mut writer = TableWriter::new(grams.len(), output);
    // A window with nothing in it costs nothing: the next one begins at the lowest trigram that is left.
    while let Some(&lowest) = left.iter().filter_map(|left| left.first()).min() {
        union.begin(lowest / WINDOW * WINDOW);
        for (block, left) in left.iter_mut().enumerate() {
            while let Some((&trigram, rest)) = left.split_first().filter(|(trigram, _)| union.holds(**trigram)) {
                union.set(trigram, block);
                *left = rest;
            }
        }
        union.end(|trigram, words| writer.entry(trigram, words))?;
    }
    writer.finish()
}

/// Blocks by trigram, for a window of trigrams.
pub(super) struct Union {
    words: usize,
    start: u32,
    table: Vec<u64>,
    some: Vec<u64>,
    dense: Vec<u64>,
}

impl Union {
    pub(super) fn new(words: usize) -> Self {
        let table = vec![0; WINDOW as usize * words];
        Self { words, start: 0, table, some: vec![0; WINDOW as usize / 64], dense: vec![0; words] }
    }

    /// A block that is said to hold every trigram.
    pub(super) fn dense(&mut self, block: usize) {
        if let Some(word) = self.dense.get_mut(block / 64) {
            *word |= 1 << (block % 64);
        }
    }

    pub(super) fn begin(&mut self, start: u32) {
        self.start = start;
    }

    pub(super) fn holds(&self, trigram: u32) -> bool {
        trigram.wrapping_sub(self.start) < WINDOW
    }

    #[inline]
    pub(super) fn set(&mut self, trigram: u32, block: usize) {
        let at = (trigram - self.start) as usize;
        if let Some(word) = self.table.get_mut(at * self.words + block / 64) {
            *word |= 1 << (block % 64);
        }
        if let Some(word) = self.some.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Gives what is in the window, and empties it.
    pub(super) fn end(&mut self, mut entry: impl FnMut(u32, &[u64]) -> io::Result<()>) -> io::Result<()> {
        for (high, some) in self.some.iter_mut().enumerate() {
            for low in ones(std::mem::take(some)) {
                let at = high * 64 + low;
                let Some(row) = self.table.get_mut(at * self.words..(at + 1) * self.words) else { continue };
                row.iter_mut().zip(&self.dense).for_each(|(word, dense)| *word |= dense);
                entry(self.start + at as u32, row)?;
                row.fill(0);
            }
        }
        Ok(())
    }
}

/// The table of an opened segment.
#[derive(Debug)]
pub(super) struct Trigrams {
    /// First trigrams, rising, and where the page begins.
    pages: Vec<(u32, u32)>,
    range: Range<u64>,
    dense: Bitmap,
}

impl Trigrams {
    pub(super) fn open(directory: &[u8], range: Range<u64>, blocks: &[BlockEntry]) -> Option<Self> {
        let mut dense = Bitmap::none(blocks.len());
        blocks.iter().enumerate().filter(|(_, block)| block.dense).for_each(|(at, _)| dense.set(at));
        let mut cursor = Cursor::new(directory);
        let mut pages = Vec::with_capacity(directory.len() / 3);
        let (mut first, mut offset) = (0_u32, 0_u32);
        while !cursor.is_empty() {
            let gap = cursor.varint_u32().filter(|&gap| gap > 0 || pages.is_empty())?;
            first = first.checked_add(gap).filter(|&first| first < 1 << 24)?;
            pages.push((first, offset));
            let length = cursor.varint_up_to(LONGEST_PAGE).filter(|&length| length > 4)?;
            offset = offset.checked_add(length as u32)?;
        }
        (u64::from(offset) == range.end - range.start).then_some(Self { pages, range, dense })
    }

    pub(super) fn memory(&self) -> usize {
        self.pages.capacity() * 8 + self.dense.len() / 8
    }

    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Reads a page and checks it.
    pub(super) fn read_page(
        &self,
        page: usize,
        file: &Readable,
        path: &Path,
        out: &mut Vec<u8>,
    ) -> Result<u32, Damage> {
        let damaged = |kind| Damage::new(path, kind, "a page of trigrams");
        let &(first, start) = self.pages.get(page).ok_or_else(|| damaged(DamageKind::Content))?;
        let end = self.pages.get(page + 1).map_or(self.range.end, |&(_, next)| self.range.start + u64::from(next));
        let offset = self.range.start + u64::from(start);
        let length = end.saturating_sub(offset) as usize;
        file.read_into(out, offset, length).map_err(|error| Damage::read(path, &error, "a page of trigrams"))?;
        let (entries, crc) = out.split_last_chunk::<4>().ok_or_else(|| damaged(DamageKind::Length))?;
        if checksum(first, entries) != u32::from_le_bytes(*crc) {
            return Err(damaged(DamageKind::Checksum));
        }
        out.truncate(out.len() - 4);
        Ok(first)
    }

    /// Takes blocks out that lack a trigram of the needle. A page that is damaged takes none out.
    pub(super) fn candidates(
        &self,
        needle: &[u8],
        within: &mut Bitmap,
        file: &Readable,
        path: &Path,
    ) -> Result<(), Damage> {
        if needle.len() > LONGEST_NEEDLE {
            return Ok(());
        }
        let (mut result, mut bytes, mut read) = (Ok(()), Vec::new(), None);
        for trigram in trigrams_of(needle) {
            if within.is_empty() {
                break;
            }
            let Some(page) = self.pages.partition_point(|&(first, _)| first <= trigram).checked_sub(1) else {
                within.and(&self.dense);
                continue;
            };
            if read != Some(page) {
                read = Some(page);
                if let Err(damage) = self.read_page(page, file, path, &mut bytes) {
                    (result, read) = (Err(damage), None);
                    continue;
                }
            }
            let first = self.pages.get(page).map_or(0, |&(first, _)| first);
            match find(&bytes, first, trigram, within.len()) {
                Some(mut blocks) => {
                    blocks.or(&self.dense);
                    within.and(&blocks);
                }
                None => result = Err(Damage::new(path, DamageKind::Content, "a page of trigrams")),
            }
        }
        result
    }
}

/// The blocks of a trigram in a page; none if it is not there. `None` if the page makes no sense.
fn find(page: &[u8], first: u32, trigram: u32, blocks: usize) -> Option<Bitmap> {
    let mut found = Bitmap::none(blocks);
    let mut entries = Entries::new(page, first, blocks);
    while let Some(at) = entries.next(|block| found.set(block), |at| at == trigram)? {
        if at >= trigram {
            break;
        }
    }
    Some(found)
}

/// The entries of a page, in order, from behind the trigram `last` on.
pub(super) struct Entries<'a> {
    cursor: Cursor<'a>,
    last: u32,
    blocks: usize,
}

impl<'a> Entries<'a> {
    pub(super) fn new(page: &'a [u8], first: u32, blocks: usize) -> Self {
        Self { cursor: Cursor::new(page), last: first, blocks }
    }

    /// Bytes that are left.
    pub(super) const fn left(&self) -> usize {
        self.cursor.left()
    }

    /// The next trigram, its blocks given to `set` if they are `wanted`. `None` if the page makes no sense, `Some(None)` behind
    /// the last.
    pub(super) fn next(&mut self, mut set: impl FnMut(usize), wanted: impl FnOnce(u32) -> bool) -> Option<Option<u32>> {
        if self.cursor.is_empty() {
            return Some(None);
        }
        let trigram = self.last.checked_add(self.cursor.varint_u32()?)?;
        self.last = trigram;
        let wanted = wanted(trigram);
        let head = self.cursor.varint()?;
        let count = usize::try_from(head >> 2).ok().filter(|&count| count <= self.blocks)?;
        match head & 3 {
            FORM_BITS => {
                let bits = self.cursor.take(self.blocks.div_ceil(8))?;
                if wanted {
                    let held =
                        bits.iter().enumerate().flat_map(|(at, &byte)| ones(byte.into()).map(move |bit| at * 8 + bit));
                    held.for_each(set);
                }
            }
            form @ (FORM_THOSE | FORM_OTHERS) => {
                let mut next = 0_usize;
                for _ in 0..count {
                    let block = next.checked_add(self.cursor.varint_up_to(self.blocks)?)?;
                    if block >= self.blocks {
                        return None;
                    }
                    if wanted && form == FORM_THOSE {
                        set(block);
                    } else if wanted {
                        (next..block).for_each(&mut set);
                    }
                    next = block + 1;
                }
                if wanted && form == FORM_OTHERS {
                    (next..self.blocks).for_each(set);
                }
            }
            _ => return None,
        }
        Some(Some(trigram))
    }
}
