//! One segment of the blocks of several, or of some of them.
//!
//! Blocks are copied as they are, packed and with their checksums, damaged ones too: what is damaged stays named. Grams are not
//! taken again: entries of the tables are put together, and rows are cut from those of the parts. Where a row or a page of a
//! part is damaged, its blocks may hold anything, so that no line is lost.

use super::Segment;
use super::damage::Damage;
use super::dictionary::Dictionary;
use super::footer::HEADER;
use super::index::{AccountEntry, BlockEntry};
use super::output::Output;
use super::signatures::{Band, RowWriter, bands, read_page};
use super::trigrams::{Entries, TableWriter, Union, WINDOW};
use super::writer::{Whole, close, count, invalid};
use std::io;
use std::path::Path;

/// One part, and where its blocks go.
struct Part<'a> {
    segment: &'a Segment,
    /// By its block: the block it becomes.
    to: Vec<Option<u16>>,
    /// All pages of its table can be read.
    table: bool,
}

/// Why parts were not merged.
#[derive(Debug)]
pub(crate) enum Unmerged {
    /// A file cannot be written, or a file of the disk not be read.
    Io(io::Error),
    /// A file that is elsewhere cannot be read.
    Damage(Damage),
}

impl From<io::Error> for Unmerged {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes the blocks that are to be kept, of all the parts, as one segment in a folder; `None` if there are none. They are 4,096
/// at most; no two blocks of an account overlap in their ids. The parts stay: their files are the caller's to remove, unless the
/// new one takes a part's name, and so replaces it.
pub(crate) fn merge(
    parts: &[Segment],
    keep: impl Fn(&Segment, usize) -> bool,
    folder: &Path,
) -> Result<Option<Whole>, Unmerged> {
    let mut kept: Vec<(&str, u64, usize, usize)> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        for account in part.accounts() {
            for block in account.blocks().filter(|&block| keep(part, block)) {
                let first_id = part.blocks().get(block).map_or(0, BlockEntry::first_id);
                kept.push((account.name(), first_id, number, block));
            }
        }
    }
    if kept.is_empty() {
        return Ok(None);
    }
    kept.sort_unstable();
    let mut merged: Vec<Part<'_>> = Vec::with_capacity(parts.len());
    for segment in parts {
        merged.push(Part { segment, to: vec![None; segment.blocks().len()], table: table_is_whole(segment)? });
    }
    let mut output = Output::create(folder)?;
    output.write(&HEADER)?;
    let mut dictionary = Dictionary::default();
    let (mut accounts, mut blocks): (Vec<AccountEntry>, Vec<BlockEntry>) = Default::default();
    let mut bytes = Vec::new();
    for &(account, _, number, old) in &kept {
        let Some((part, entry)) = merged.get_mut(number).and_then(|part| {
            let entry = part.segment.blocks().get(old)?.clone();
            Some((part, entry))
        }) else {
            continue;
        };
        let mut block = entry;
        let read = part.segment.0.file.read_into(&mut bytes, block.offset, block.packed_length() as usize);
        read.map_err(|error| match part.segment.0.file.is_elsewhere() {
            true => Unmerged::Damage(Damage::read(part.segment.path(), &error, "a block").in_block(old)),
            false => Unmerged::Io(error),
        })?;
        block.account = count(&mut accounts, account, &block, blocks.len())?;
        block.offset = output.offset();
        block.dense |= !part.table;
        for sender in &mut block.senders {
            let name = part.segment.senders().get(*sender as usize).map(|sender| sender.name());
            let number = name.and_then(|name| dictionary.number(block.account, name, *sender));
            *sender = number.ok_or_else(|| invalid("a sender of a part is not known"))?;
        }
        output.write(&bytes)?;
        if let Some(to) = part.to.get_mut(old) {
            *to = Some(blocks.len() as u16);
        }
        blocks.push(block);
    }
    let table = |output: &mut Output| trigrams(&merged, &blocks, output);
    let whole = close(output, &dictionary, accounts, &blocks, None, table, |output| rows(&merged, &blocks, output))?;
    Ok(Some(whole))
}

fn table_is_whole(segment: &Segment) -> Result<bool, Unmerged> {
    let mut bytes = Vec::new();
    for page in 0..segment.0.trigrams.pages() {
        let first = match segment.0.trigrams.read_page(page, &segment.0.file, segment.path(), &mut bytes) {
            Ok(first) => first,
            Err(damage) if passes(segment, &damage) => return Err(Unmerged::Damage(damage)),
            Err(_) => return Ok(false),
        };
        let mut entries = Entries::new(&bytes, first, segment.blocks().len());
        loop {
            match entries.next(|_| {}, |_| true) {
                Some(Some(_)) => {}
                Some(None) => break,
                None => return Ok(false),
            }
        }
    }
    Ok(true)
}

/// What cannot be read now, but may be the next time, is not to be written down as damaged for ever.
fn passes(segment: &Segment, damage: &Damage) -> bool {
    segment.0.file.is_elsewhere() && damage.is_passing()
}

/// A table of the parts' entries, window by window.
fn trigrams(parts: &[Part<'_>], blocks: &[BlockEntry], output: &mut Output) -> io::Result<Vec<u8>> {
    let mut union = Union::new(blocks.len().div_ceil(64));
    blocks.iter().enumerate().filter(|(_, block)| block.dense).for_each(|(at, _)| union.dense(at));
    let mut readers: Vec<Reader<'_>> = parts.iter().filter(|part| part.table).map(Reader::new).collect();
    let mut writer = TableWriter::new(blocks.len(), output);
    loop {
        let mut lowest = None;
        for reader in &mut readers {
            let next = reader.peek()?;
            lowest = [lowest, next].into_iter().flatten().min();
        }
        let Some(lowest) = lowest else { break };
        union.begin(lowest / WINDOW * WINDOW);
        for reader in &mut readers {
            while let Some(trigram) = reader.peek()?.filter(|&trigram| union.holds(trigram)) {
                reader.take(|block| union.set(trigram, block))?;
            }
        }
        union.end(|trigram, words| writer.entry(trigram, words))?;
    }
    writer.finish()
}

/// The entries of a part's table, in order.
struct Reader<'a> {
    part: &'a Part<'a>,
    page: usize,
    bytes: Vec<u8>,
    /// First trigram of the page, and how much of it was read: the trigram before, and bytes.
    at: Option<(u32, usize)>,
}

impl<'a> Reader<'a> {
    const fn new(part: &'a Part<'a>) -> Self {
        Self { part, page: 0, bytes: Vec::new(), at: None }
    }

    fn entries(&self, last: u32, used: usize) -> Entries<'_> {
        Entries::new(self.bytes.get(used..).unwrap_or_default(), last, self.part.segment.blocks().len())
    }

    /// The next trigram.
    fn peek(&mut self) -> io::Result<Option<u32>> {
        loop {
            if let Some((last, used)) = self.at {
                let next = self.entries(last, used).next(|_| {}, |_| false).ok_or_else(changed)?;
                if next.is_some() {
                    return Ok(next);
                }
                self.at = None;
            }
            let table = &self.part.segment.0.trigrams;
            if self.page >= table.pages() {
                return Ok(None);
            }
            let segment = self.part.segment;
            let first = table.read_page(self.page, &segment.0.file, segment.path(), &mut self.bytes);
            self.at = Some((first.map_err(io::Error::other)?, 0));
            self.page += 1;
        }
    }

    /// Takes the next entry; gives the blocks that its blocks become.
    fn take(&mut self, mut set: impl FnMut(usize)) -> io::Result<()> {
        let Some((last, used)) = self.at else { return Ok(()) };
        let mut entries = self.entries(last, used);
        let to = |block: usize| self.part.to.get(block).copied().flatten();
        let each = |block| to(block).into_iter().for_each(|block| set(usize::from(block)));
        let trigram = entries.next(each, |_| true).flatten().ok_or_else(changed)?;
        self.at = Some((trigram, self.bytes.len() - entries.left()));
        Ok(())
    }
}

/// The table was read and made sense when the merge began.
fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a part changed while it was read")
}

/// Columns of a part's band that lie side by side in the new band, too.
struct Run {
    from: usize,
    to: usize,
    length: usize,
}

/// A band of a part, whose rows go into a new one.
struct Source<'a> {
    part: &'a Part<'a>,
    band: &'a Band,
    runs: Vec<Run>,
    page: Vec<u8>,
    /// The page could be read.
    good: bool,
}

/// The rows of the new bands, cut from those of the parts.
fn rows(parts: &[Part<'_>], blocks: &[BlockEntry], output: &mut Output) -> io::Result<()> {
    let (bands, _) = bands(blocks, output.offset());
    for band in &bands {
        let mut sources = Vec::new();
        for part in parts {
            for old in part.segment.0.signatures.bands.iter().filter(|old| old.log2 == band.log2) {
                let runs = runs(part, old, band);
                sources.push(Source { part, band: old, runs, page: Vec::new(), good: false });
            }
        }
        let mut writer = RowWriter::new(band, output);
        let (mut row, mut old_row) = (vec![0; band.blocks.len().div_ceil(64)], Vec::new());
        for number in 0..1_usize << band.log2 {
            row.fill(0);
            for Source { part, band: old, runs, page, good } in &mut sources {
                if runs.is_empty() {
                    continue;
                }
                if number % old.rows_a_page() == 0 {
                    let (file, path) = (&part.segment.0.file, part.segment.path());
                    *good = match read_page(old, number / old.rows_a_page(), file, path, page) {
                        Ok(()) => true,
                        Err(damage) if passes(part.segment, &damage) => return Err(io::Error::other(damage)),
                        Err(_) => false,
                    };
                }
                old.row(page, number, &mut old_row);
                if !*good {
                    // What is not known may be there.
                    old_row.clear();
                    old_row.resize(old.blocks.len().div_ceil(64), u64::MAX);
                }
                runs.iter().for_each(|run| copy_bits(&old_row, &mut row, run));
            }
            writer.row(&row)?;
        }
    }
    Ok(())
}

/// Where the columns of a part's band go.
fn runs(part: &Part<'_>, old: &Band, new: &Band) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (from, &block) in old.blocks.iter().enumerate() {
        let Some(to) = part.to.get(usize::from(block)).copied().flatten() else { continue };
        // The columns of a band rise by block.
        let Ok(to) = new.blocks.binary_search(&to) else { continue };
        match runs.last_mut() {
            Some(run) if run.from + run.length == from && run.to + run.length == to => run.length += 1,
            _ => runs.push(Run { from, to, length: 1 }),
        }
    }
    runs
}

/// Sets the bits of a run that are set in `from`; those of `to` are still zero.
fn copy_bits(from: &[u64], to: &mut [u64], run: &Run) {
    let mut done = 0;
    while done < run.length {
        let (source, target) = (run.from + done, run.to + done);
        let count = (64 - target % 64).min(run.length - done);
        let low = from.get(source / 64).map_or(0, |word| word >> (source % 64));
        let high = from.get(source / 64 + 1).filter(|_| source % 64 != 0).map_or(0, |word| word << (64 - source % 64));
        let bits = (low | high) & (u64::MAX >> (64 - count));
        if let Some(word) = to.get_mut(target / 64) {
            *word |= bits << (target % 64);
        }
        done += count;
    }
}
