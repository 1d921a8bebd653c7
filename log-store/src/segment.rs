//! Immutable files of lines, and what finds blocks in them without reading them.
//!
//! A segment is written once, beside, synced and renamed, and never changed. `FORMAT.md` says byte by byte what is in it. Lines
//! stand in blocks of one account each; a block is read whole. What tells which blocks a text may be in (`trigrams`,
//! `signatures`) is read by row. Each part has its own checksum, so that damage costs the part it is in.

mod bitmap;
mod bytes;
mod check;
mod columns;
mod damage;
mod dictionary;
mod file;
mod fill;
mod footer;
mod grams;
mod index;
mod merge;
mod note;
mod output;
mod signatures;
mod slots;
mod trigrams;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use bitmap::Bitmap;
pub(crate) use check::check;
pub(crate) use columns::{BlockLines, Columns};
pub use damage::{Damage, DamageKind};
pub(crate) use dictionary::{Sender, SenderName};
pub(crate) use file::Readable;
pub(crate) use fill::Fill;
pub(crate) use index::{AccountEntry, BlockEntry};
pub(crate) use merge::{Unmerged, merge};
pub(crate) use note::{AccountKnown, Known};
pub(crate) use output::{UNFINISHED, sync_folder};
pub(crate) use writer::{SegmentWriter, Whole};

use footer::Footer;
use log_query::fold_into;
use signatures::Signatures;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use trigrams::Trigrams;

/// Message text a block holds when it is full, a byte behind each message included. It may hold one message that is longer.
pub(crate) const BLOCK_TEXT: usize = 256 << 10;
/// A message beyond this has a block of its own.
pub(crate) const LONG_MESSAGE: usize = 64 << 10;
/// The longest message, and so the longest text of a block, but for a byte.
pub(crate) const LONGEST_MESSAGE: usize = 1 << 20;
/// Lines of a block at most.
pub(crate) const MAX_BLOCK_LINES: usize = u16::MAX as usize;
/// Blocks of a segment at most.
pub(crate) const MAX_BLOCKS: usize = 4_096;
const MAX_BLOCK_TEXT: usize = LONGEST_MESSAGE + 1;

/// A segment, opened: footer, dictionary and index are read and checked, and lie in memory. Blocks and rows are checked when
/// they are read. Clones share one.
#[derive(Clone, Debug)]
pub(crate) struct Segment(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    file: Readable,
    footer: Footer,
    senders: Vec<Sender>,
    blocks: Vec<BlockEntry>,
    trigrams: Trigrams,
    signatures: Signatures,
    names: OnceLock<Box<[u8]>>,
}

/// What reading blocks needs beside the segment; used again from block to block, about 160 kB and the longest packed block.
pub(crate) struct Scratch {
    decompressor: zstd::bulk::Decompressor<'static>,
    packed: Vec<u8>,
    columns: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { decompressor: zstd::bulk::Decompressor::new()?, packed: Vec::new(), columns: Vec::new() })
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// Adds a sender's names as they are searched: system, 0, program, colon, blank, 0.
pub(crate) fn push_name(system: &[u8], program: &[u8], names: &mut Vec<u8>) {
    fold_into(system, names);
    names.push(0);
    fold_into(program, names);
    names.extend_from_slice(b": \0");
}

/// `<first id>-<last id>.seg`, 16 hex digits each.
pub(crate) fn file_name(first_id: u64, last_id: u64) -> String {
    format!("{first_id:016x}-{last_id:016x}.seg")
}

/// The first and last id that a file's name says, if it is a segment's.
pub(crate) fn parse_file_name(name: &str) -> Option<(u64, u64)> {
    let (first, last) = name.strip_suffix(".seg")?.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (first, last) = (number(first)?, number(last)?);
    // One spelling only: no sign, no capitals, no missing zeros.
    (file_name(first, last) == name).then_some((first, last))
}

impl Segment {
    /// Opens a file of the disk and checks what is not a block or a row.
    pub(crate) fn open(path: &Path) -> Result<Self, Damage> {
        Self::read(path, Readable::open(path))
    }

    /// The same of a file that was opened. Its path is at least what stands in names of files that are elsewhere.
    pub(crate) fn read(path: &Path, file: std::io::Result<Readable>) -> Result<Self, Damage> {
        let bad = |kind, part| Damage::new(path, kind, part);
        let file = file.map_err(|error| Damage::read(path, &error, "the file"))?;
        let footer = Footer::read(path, &file)?;
        let named = path.file_name().and_then(|name| name.to_str()).and_then(parse_file_name);
        if named != Some((footer.first_id, footer.last_id)) {
            return Err(bad(DamageKind::Name, "the range of ids"));
        }
        let part = |range: &footer::Part, name| range.read(path, &file, name);
        let senders = dictionary::decode(&part(&footer.dictionary, "the dictionary")?, footer.accounts.len())
            .ok_or_else(|| bad(DamageKind::Content, "the dictionary"))?;
        let (start, end) = (footer::HEADER.len() as u64, footer.dictionary.offset);
        let blocks = index::decode_blocks(&part(&footer.index, "the index")?, &footer.accounts, &senders, start, end)
            .ok_or_else(|| bad(DamageKind::Content, "the index"))?;
        let trigrams = Trigrams::open(
            &part(&footer.trigram_directory, "the list of trigrams")?,
            footer.trigram_pages.clone(),
            &blocks,
        )
        .ok_or_else(|| bad(DamageKind::Content, "the list of trigrams"))?;
        let signatures = Signatures::open(footer.rows.clone(), footer.multiplier, &blocks)
            .ok_or_else(|| bad(DamageKind::Content, "the signatures' length"))?;
        let path = path.to_owned();
        let names = OnceLock::new();
        Ok(Self(Arc::new(Opened { path, file, footer, senders, blocks, trigrams, signatures, names })))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Makes sure that it can be read when its name comes to be another file's.
    pub(crate) fn hold(&self) -> Result<(), Damage> {
        self.0.file.hold().map_err(|error| Damage::read(self.path(), &error, "the file"))
    }

    /// The same segment, read from another place. For the one who has just opened it, and has no clone of it.
    fn moved(mut self, file: Readable) -> Self {
        if let Some(opened) = Arc::get_mut(&mut self.0) {
            opened.file = file;
        }
        self
    }

    /// Bytes of the file.
    pub(crate) fn file_len(&self) -> u64 {
        self.0.file.len()
    }

    /// The highest id of any account.
    pub(crate) fn last_id(&self) -> u64 {
        self.0.footer.last_id
    }

    pub(crate) fn blocks(&self) -> &[BlockEntry] {
        &self.0.blocks
    }

    pub(crate) fn accounts(&self) -> &[AccountEntry] {
        &self.0.footer.accounts
    }

    /// The dictionary: what the numbers in columns and block entries mean.
    pub(crate) fn senders(&self) -> &[Sender] {
        &self.0.senders
    }

    /// The names of all senders as they are searched, made when they are asked for first; see [`push_name`].
    pub(crate) fn names(&self) -> &[u8] {
        self.0.names.get_or_init(|| {
            let mut names = Vec::with_capacity(self.senders().iter().map(Sender::searched_len).sum());
            self.senders().iter().for_each(|sender| push_name(sender.system(), sender.program(), &mut names));
            names.into()
        })
    }

    /// How full its blocks are.
    pub(crate) fn fill(&self) -> Fill {
        Fill::of(self.blocks())
    }

    /// What the opened segment holds of memory, in bytes: some 200 a block, and its senders, minutes and accounts.
    pub(crate) fn memory(&self) -> usize {
        let opened = &*self.0;
        size_of::<Opened>()
            + opened.senders.iter().map(|sender| sender.memory() + sender.searched_len()).sum::<usize>()
            + opened.blocks.iter().map(BlockEntry::memory).sum::<usize>()
            + self.accounts().iter().map(AccountEntry::memory).sum::<usize>()
            + opened.trigrams.memory()
            + opened.signatures.memory()
    }

    /// Takes blocks out of the set whose messages cannot hold this text, folded as messages are. A text of less than three bytes
    /// takes none out. Where a row is damaged the set is larger than it could be, never smaller: an error here costs time, and
    /// no line.
    pub(crate) fn candidates(&self, needle: &[u8], within: &mut Bitmap) -> Result<(), Damage> {
        let opened = &*self.0;
        let rows = opened.signatures.candidates(needle, within, &opened.file, &opened.path);
        let table = opened.trigrams.candidates(needle, within, &opened.file, &opened.path);
        rows.and(table)
    }

    /// Reads a block's columns, in place of what `out` held.
    pub(crate) fn columns(&self, block: usize, scratch: &mut Scratch, out: &mut Columns) -> Result<(), Damage> {
        let entry = self.entry(block)?;
        let bad = |kind, part| Damage::new(self.path(), kind, part).in_block(block);
        let packed = 1 + entry.columns.packed as usize;
        self.packed(block, entry.offset, packed, entry.columns.crc, "the columns", &mut scratch.packed)?;
        let Some((&kind, frame)) = scratch.packed.split_first() else {
            return Err(bad(DamageKind::Length, "the columns"));
        };
        if kind != entry.kind {
            return Err(bad(DamageKind::Content, "the kind"));
        }
        unpack(&mut scratch.decompressor, frame, entry.columns.length as usize, &mut scratch.columns)
            .ok_or_else(|| bad(DamageKind::Content, "the columns"))?;
        columns::decode(&scratch.columns, entry.lines as usize, entry.text.length as usize, &entry.senders, out)
            .filter(|()| out.ids().first() == Some(&entry.first_id) && out.ids().last() == Some(&entry.last_id))
            .ok_or_else(|| bad(DamageKind::Content, "the columns"))
    }

    /// Reads a block's text, in place of what `out` held: its messages, each with a byte 0 behind it.
    pub(crate) fn text(&self, block: usize, scratch: &mut Scratch, out: &mut Vec<u8>) -> Result<(), Damage> {
        let entry = self.entry(block)?;
        let offset = entry.offset + 1 + u64::from(entry.columns.packed);
        let packed = entry.text.packed as usize;
        self.packed(block, offset, packed, entry.text.crc, "the text", &mut scratch.packed)?;
        unpack(&mut scratch.decompressor, &scratch.packed, entry.text.length as usize, out)
            .ok_or_else(|| Damage::new(self.path(), DamageKind::Content, "the text").in_block(block))
    }

    fn entry(&self, block: usize) -> Result<&BlockEntry, Damage> {
        let missing = || Damage::new(self.path(), DamageKind::Content, "a number of a block").in_block(block);
        let entry = self.blocks().get(block).ok_or_else(missing)?;
        if entry.kind != index::KIND_TEXT {
            return Err(Damage::new(self.path(), DamageKind::Unknown(entry.kind), "the kind").in_block(block));
        }
        Ok(entry)
    }

    fn packed(
        &self,
        block: usize,
        offset: u64,
        length: usize,
        crc: u32,
        part: &'static str,
        out: &mut Vec<u8>,
    ) -> Result<(), Damage> {
        let read = self.0.file.read_into(out, offset, length);
        read.map_err(|error| Damage::read(self.path(), &error, part).in_block(block))?;
        if crc32fast::hash(out) != crc {
            return Err(Damage::new(self.path(), DamageKind::Checksum, part).in_block(block));
        }
        Ok(())
    }
}

/// Decompresses to exactly `length` bytes, and takes no memory for more.
fn unpack(
    decompressor: &mut zstd::bulk::Decompressor<'_>,
    packed: &[u8],
    length: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    out.clear();
    out.reserve(length);
    // zstd fills what room there is; a longer text does not fit, and is refused, only where there is no more room than asked.
    let read = decompressor.decompress_to_buffer(packed, out).ok()?;
    (read == length && out.len() == length).then_some(())
}
