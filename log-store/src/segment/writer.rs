//! Writing a segment: without a name first, and under it when all of it is there.

use super::columns::{self, BlockLines};
use super::dictionary::{Dictionary, SenderName};
use super::file::Readable;
use super::footer::{Footer, HEADER};
use super::grams::{BlockGrams, Grams};
use super::index::{AccountEntry, BlockEntry, Frame, KIND_TEXT};
use super::note::Known;
use super::output::Output;
use super::signatures;
use super::slots::MULTIPLIER;
use super::trigrams;
use super::{MAX_BLOCK_LINES, MAX_BLOCK_TEXT, MAX_BLOCKS, Segment, file_name};
use crate::files::Files;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The level of zstd: higher ones take more time and give nothing on lines that are mostly random ids.
const LEVEL: i32 = 1;
/// Milliseconds of an id stand above these bits.
const BELOW_MILLIS: u32 = 20;
/// A segment that is being written, block by block. Dropped without [`SegmentWriter::whole`], it leaves nothing.
///
/// In memory are the index and the grams of its blocks, some 60 KiB a full block; the blocks themselves go to the file.
pub(crate) struct SegmentWriter {
    output: Output,
    dictionary: Dictionary,
    accounts: Vec<AccountEntry>,
    blocks: Vec<BlockEntry>,
    grams: Vec<BlockGrams>,
    gram_taker: Grams,
    compressor: zstd::bulk::Compressor<'static>,
    columns: Vec<u8>,
    packed: Vec<u8>,
    ranks: Ranks,
    /// A block that was refused or not written whole leaves what no reader could make sense of.
    failed: bool,
}

/// The caller's numbers of senders, and their rank in the block at hand.
#[derive(Debug, Default)]
struct Ranks {
    /// By the caller's number: the block that met it last, and its rank there.
    met: Vec<(u64, u16)>,
    /// By the caller's number: its number in the dictionary, when it was met last.
    numbers: Vec<u32>,
    block: u64,
    of_lines: Vec<u16>,
    distinct: Vec<u32>,
}

impl SegmentWriter {
    /// Begins a segment in a folder, which is there already.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let mut output = Output::create(folder)?;
        output.write(&HEADER)?;
        Ok(Self {
            output,
            dictionary: Dictionary::default(),
            accounts: Vec::new(),
            blocks: Vec::new(),
            grams: Vec::new(),
            gram_taker: Grams::new(),
            compressor: zstd::bulk::Compressor::new(LEVEL)?,
            columns: Vec::new(),
            packed: Vec::new(),
            ranks: Ranks::default(),
            failed: false,
        })
    }

    /// How many blocks were pushed; [`MAX_BLOCKS`] is all that fit.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Writes a block of lines of one account. All blocks of an account are pushed one after the other, their ids rising.
    /// `names` says who the numbers in `lines.senders` are; numbers are small, such as indexes into a list. After an error the
    /// segment cannot be finished.
    pub(crate) fn push_block<'n>(
        &mut self,
        account: &str,
        lines: &BlockLines<'_>,
        names: impl Fn(u32) -> Option<SenderName<'n>>,
    ) -> io::Result<()> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(invalid("a block before this one was refused"));
        }
        let mut block = entry_of(lines)?;
        block.account = count(&mut self.accounts, account, &block, self.blocks.len())?;
        block.offset = self.output.offset();
        self.ranks.count(lines.senders);
        let mut senders = Vec::with_capacity(self.ranks.distinct.len());
        for &sender in &self.ranks.distinct {
            let name = names(sender).ok_or_else(|| invalid("a line's sender is not known"))?;
            block.severities |= 1 << name.severity.min(8);
            // Mostly the sender that this number meant in the block before.
            let guess = self.ranks.numbers.get_mut(sender as usize);
            let number = self.dictionary.number(block.account, name, guess.as_deref().copied().unwrap_or(0));
            let number = number.ok_or_else(|| invalid("a name of a system or program is too long"))?;
            if let Some(guess) = guess {
                *guess = number;
            }
            senders.push(number);
        }
        self.columns.clear();
        columns::encode(lines, &self.ranks.of_lines, senders.len(), &mut self.columns);
        block.senders = senders.into();

        self.packed.clear();
        self.packed.push(block.kind);
        block.columns = pack(&mut self.compressor, &self.columns, &mut self.packed)?;
        // The kind stands under the checksum of the columns.
        block.columns.crc = crc32fast::hash(&self.packed);
        block.text = pack(&mut self.compressor, lines.text, &mut self.packed)?;
        self.output.write(&self.packed)?;
        let grams = self.gram_taker.take(lines);
        (block.rows_log2, block.dense) = (grams.rows_log2(), grams.trigrams.is_none());
        self.grams.push(grams);
        self.blocks.push(block);
        self.failed = false;
        Ok(())
    }

    /// Writes what finds the blocks, and gives it its name as a file of its folder.
    #[cfg(test)]
    pub(super) fn finish(self) -> io::Result<Segment> {
        self.whole(None)?.rename()
    }

    /// Writes what finds the blocks. With a range of ids it is to have the name of a file of that range.
    pub(crate) fn whole(self, range: Option<(u64, u64)>) -> io::Result<Whole> {
        if self.failed {
            return Err(invalid("a block was refused"));
        }
        let Self { output, dictionary, accounts, blocks, grams, .. } = self;
        let rows = |output: &mut Output| signatures::write(&blocks, &grams, output);
        close(output, &dictionary, accounts, &blocks, range, |output| trigrams::write(&grams, output), rows)
    }
}

/// A segment that is all written and has no name yet. Dropped, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Whole {
    output: Output,
    name: String,
}

impl Whole {
    /// The name that it is to have in its folder.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the file sure, gives it its name in the folder that it was written in, and opens it.
    pub(crate) fn rename(self) -> io::Result<Segment> {
        let path = self.output.rename(&self.name)?;
        Segment::open(&path).map_err(io::Error::other)
    }

    /// Puts it elsewhere. What is known of it is read here, so that nothing is fetched from there before somebody searches it.
    pub(crate) fn put(mut self, files: &Arc<dyn Files>, path: &Path, name: &str) -> io::Result<Segment> {
        let file = self.output.whole()?;
        let segment = Segment::read(path, Readable::open(file)).map_err(io::Error::other)?;
        let known = Known::of(&segment);
        // The file of the disk is closed before it may be taken away.
        let segment = segment.moved(Readable::later(files, name, known.file_len));
        files.put(name, file, &known.encode())?;
        Ok(segment)
    }
}

/// Writes all that stands behind the blocks. `table` gives the list of the pages that it wrote.
pub(super) fn close(
    mut output: Output,
    dictionary: &Dictionary,
    accounts: Vec<AccountEntry>,
    blocks: &[BlockEntry],
    range: Option<(u64, u64)>,
    table: impl FnOnce(&mut Output) -> io::Result<Vec<u8>>,
    rows: impl FnOnce(&mut Output) -> io::Result<()>,
) -> io::Result<Whole> {
    let (Some(first_id), Some(last_id)) =
        (accounts.iter().map(|account| account.first_id).min(), accounts.iter().map(|account| account.last_id).max())
    else {
        return Err(invalid("a segment of no lines"));
    };
    let (first_id, last_id) = range.unwrap_or((first_id, last_id));
    let mut bytes = Vec::new();
    dictionary.encode(&mut bytes);
    let dictionary = output.part(&bytes)?;
    bytes.clear();
    blocks.iter().for_each(|block| block.encode(&mut bytes));
    let index = output.part(&bytes)?;
    let start = output.offset();
    let directory = table(&mut output)?;
    let trigram_pages = start..output.offset();
    let trigram_directory = output.part(&directory)?;
    let start = output.offset();
    rows(&mut output)?;
    let rows = start..output.offset();
    let footer = Footer {
        first_id,
        last_id,
        dictionary,
        index,
        trigram_pages,
        trigram_directory,
        rows,
        multiplier: MULTIPLIER,
        accounts,
    };
    bytes.clear();
    footer.encode(&mut bytes);
    output.write(&bytes)?;
    Ok(Whole { output, name: file_name(first_id, last_id) })
}

/// Counts a block that is the `at`th of its segment to its account; gives the account's number.
pub(super) fn count(accounts: &mut Vec<AccountEntry>, name: &str, block: &BlockEntry, at: usize) -> io::Result<u32> {
    if at >= MAX_BLOCKS {
        return Err(invalid("a segment has 4,096 blocks at most"));
    }
    match accounts.last_mut() {
        Some(account) if *account.name == *name => {
            if block.first_id <= account.last_id {
                return Err(invalid("the ids of blocks do not rise"));
            }
            account.last_id = block.last_id;
            account.lines += u64::from(block.lines);
            account.blocks.end = at + 1;
        }
        _ => {
            if accounts.iter().any(|account| *account.name == *name) {
                return Err(invalid("the blocks of an account do not lie together"));
            }
            accounts.push(AccountEntry {
                name: name.into(),
                lines: block.lines.into(),
                first_id: block.first_id,
                last_id: block.last_id,
                blocks: at..at + 1,
            });
        }
    }
    Ok(accounts.len() as u32 - 1)
}

impl std::fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentWriter").field("output", &self.output).field("blocks", &self.blocks.len()).finish()
    }
}

impl Ranks {
    fn count(&mut self, senders: &[u32]) {
        self.block += 1;
        self.of_lines.clear();
        self.distinct.clear();
        for &sender in senders {
            let at = sender as usize;
            if at >= self.met.len() {
                self.met.resize(at + 1, (0, 0));
                self.numbers.resize(at + 1, 0);
            }
            let Some(met) = self.met.get_mut(at) else { continue };
            if met.0 != self.block {
                *met = (self.block, self.distinct.len() as u16);
                self.distinct.push(sender);
            }
            self.of_lines.push(met.1);
        }
    }
}

/// What can be said of a block from its lines; refuses lines that cannot be a block.
fn entry_of(lines: &BlockLines<'_>) -> io::Result<BlockEntry> {
    let count = lines.ids.len();
    let lengths = [lines.generated.len(), lines.senders.len(), lines.sources.len(), lines.lengths.len()];
    if lengths != [count; 4] || lines.text.len() > MAX_BLOCK_TEXT || count > MAX_BLOCK_LINES {
        return Err(invalid("a block's lists differ in length, or are too long"));
    }
    if lines.lengths.iter().map(|&length| length as usize + 1).sum::<usize>() != lines.text.len() {
        return Err(invalid("a block's text is not as long as its messages"));
    }
    let (Some(&first_id), Some(&last_id)) = (lines.ids.first(), lines.ids.last()) else {
        return Err(invalid("a block of no lines"));
    };
    if !lines.ids.is_sorted_by(|left, right| left < right) || i64::try_from(last_id).is_err() {
        return Err(invalid("the ids of a block do not rise, or leave 63 bits"));
    }
    let mut minutes: Vec<(u32, u32)> = Vec::new();
    for &id in lines.ids {
        let minute = ((id >> BELOW_MILLIS) / 60_000) as u32;
        match minutes.last_mut() {
            Some((last, count)) if *last == minute => *count += 1,
            _ => minutes.push((minute, 1)),
        }
    }
    Ok(BlockEntry {
        kind: KIND_TEXT,
        lines: count as u32,
        first_id,
        last_id,
        min_generated: lines.generated.iter().copied().min().unwrap_or(0),
        max_generated: lines.generated.iter().copied().max().unwrap_or(0),
        minutes: minutes.into(),
        ..BlockEntry::default()
    })
}

/// Appends the compressed form of some bytes.
fn pack(compressor: &mut zstd::bulk::Compressor<'_>, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<Frame> {
    let start = out.len();
    out.resize(start + zstd::zstd_safe::compress_bound(bytes.len()), 0);
    let packed = compressor.compress_to_buffer(bytes, out.get_mut(start..).unwrap_or_default())?;
    out.truncate(start + packed);
    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    Ok(Frame { packed: packed as u32, length: bytes.len() as u32, crc })
}

pub(super) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
