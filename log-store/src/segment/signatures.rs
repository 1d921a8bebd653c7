//! Signatures: which grams of five bytes a block may hold.
//!
//! A gram is hashed to one of 2^17 slots; a block's signature has the bit of each slot that a gram of it hashes to. The bits are
//! stored by slot: a *row* has a bit for each block. So a text asks for one short row a gram, and one sloppy bit a gram is
//! enough, as a text has many grams: all of them must be there.
//!
//! A block of few grams gets a shorter signature: two halves are laid on each other as long as two bits in five at most are set.
//! Blocks with signatures of the same length form a *band*, and a band's rows have a bit for each of its blocks. So a segment of
//! a thousand small blocks has short rows in small numbers.

use super::bitmap::Bitmap;
use super::damage::{Damage, DamageKind};
use super::file::Readable;
use super::grams::{BlockGrams, slots_of};
use super::index::BlockEntry;
use super::output::Output;
use super::slots::{LEAST_LOG2, MOST_LOG2, MULTIPLIER};
use std::io;
use std::ops::Range;
use std::path::Path;

/// Rows are read a page at a time, so that a checksum costs four bytes in about this many.
const PAGE: usize = 512;
/// Rows that a text is asked of at most: of 4,096 blocks with a third of the bits set, none is left by chance after twelve.
const MOST_ROWS: usize = 16;
/// Rows that are turned at a time: a line of the cache of each block.
const TURNED_WORDS: usize = 8;

/// Blocks with signatures of one length, and where their rows are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Band {
    pub(super) log2: u32,
    /// By column.
    pub(super) blocks: Box<[u16]>,
    pub(super) offset: u64,
}

impl Band {
    /// Bits of a row: whole bytes, or 1, 2 or 4, so that a segment of one block spends no byte on a bit.
    pub(super) fn row_bits(&self) -> usize {
        match self.blocks.len() {
            blocks @ 0..=4 => blocks.next_power_of_two(),
            blocks => blocks.next_multiple_of(8),
        }
    }

    /// Rows of a page: a power of two, so that pages end with the band.
    pub(super) fn rows_a_page(&self) -> usize {
        let most = (PAGE * 8 / self.row_bits()).max(1).min(1 << self.log2);
        1 << most.ilog2()
    }

    /// A row of a page, 64 blocks a word.
    pub(super) fn row(&self, page: &[u8], row: usize, out: &mut Vec<u64>) {
        let start = row % self.rows_a_page() * self.row_bits();
        out.clear();
        if self.row_bits() < 8 {
            let byte = page.get(start / 8).map_or(0, |byte| byte >> (start % 8));
            out.push(u64::from(byte) & ((1 << self.row_bits()) - 1));
            return;
        }
        let bytes = page.get(start / 8..(start + self.row_bits()) / 8).unwrap_or_default();
        out.extend(bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, &from)| *to = from);
            u64::from_le_bytes(word)
        }));
    }

    /// Bytes of a page, with its checksum.
    pub(super) fn page(&self) -> usize {
        (self.rows_a_page() * self.row_bits()).div_ceil(8) + 4
    }

    fn length(&self) -> u64 {
        ((1 << self.log2) / self.rows_a_page() * self.page()) as u64
    }
}

/// The bands of a segment's blocks, shortest signatures first, from an offset of the file on; and where they end.
pub(super) fn bands(blocks: &[BlockEntry], mut offset: u64) -> (Vec<Band>, u64) {
    let mut bands = Vec::new();
    for log2 in LEAST_LOG2..=MOST_LOG2 {
        let columns = blocks.iter().enumerate().filter(|(_, block)| u32::from(block.rows_log2) == log2);
        let columns: Box<[u16]> = columns.map(|(at, _)| at as u16).collect();
        if !columns.is_empty() {
            let band = Band { log2, blocks: columns, offset };
            offset += band.length();
            bands.push(band);
        }
    }
    (bands, offset)
}

/// A page's checksum. The number of its first row is under it, so that one page is not taken for another.
fn checksum(log2: u32, first_row: usize, page: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(log2 << 24 | first_row as u32).to_le_bytes());
    crc.update(page);
    crc.finalize()
}

/// Reads a page of rows and checks it.
pub(super) fn read_page(
    band: &Band,
    page: usize,
    file: &Readable,
    path: &Path,
    out: &mut Vec<u8>,
) -> Result<(), Damage> {
    let offset = band.offset + (page * band.page()) as u64;
    file.read_into(out, offset, band.page()).map_err(|error| Damage::read(path, &error, "a row of signatures"))?;
    let damaged = || Damage::new(path, DamageKind::Checksum, "a row of signatures");
    let (rows, crc) = out.split_last_chunk::<4>().ok_or_else(damaged)?;
    if checksum(band.log2, page * band.rows_a_page(), rows) != u32::from_le_bytes(*crc) {
        return Err(damaged());
    }
    out.truncate(out.len() - 4);
    Ok(())
}

/// Writes rows, in order, as pages.
pub(super) struct RowWriter<'a> {
    band: &'a Band,
    output: &'a mut Output,
    page: Vec<u8>,
    next: usize,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(band: &'a Band, output: &'a mut Output) -> Self {
        Self { band, output, page: Vec::new(), next: 0 }
    }

    /// The next row: 64 blocks a word.
    pub(super) fn row(&mut self, words: &[u64]) -> io::Result<()> {
        let (rows, bits) = (self.band.rows_a_page(), self.band.row_bits());
        if bits < 8 {
            let shift = self.next * bits % 8;
            if shift == 0 {
                self.page.push(0);
            }
            if let (Some(byte), Some(&word)) = (self.page.last_mut(), words.first()) {
                *byte |= (word as u8) << shift;
            }
        } else {
            let start = self.page.len();
            words.iter().for_each(|word| self.page.extend_from_slice(&word.to_le_bytes()));
            self.page.truncate(start + bits / 8);
        }
        self.next += 1;
        if self.next.is_multiple_of(rows) {
            let crc = checksum(self.band.log2, self.next - rows, &self.page);
            self.page.extend_from_slice(&crc.to_le_bytes());
            self.output.write(&self.page)?;
            self.page.clear();
        }
        Ok(())
    }
}

/// Writes the rows of blocks whose signatures are in memory.
pub(super) fn write(blocks: &[BlockEntry], grams: &[BlockGrams], output: &mut Output) -> io::Result<()> {
    let (bands, _) = bands(blocks, output.offset());
    for band in &bands {
        let columns: Vec<&[u64]> =
            band.blocks.iter().filter_map(|&block| grams.get(usize::from(block))).map(|grams| &*grams.bits).collect();
        let words = columns.len().div_ceil(64);
        let mut writer = RowWriter::new(band, output);
        let mut rows = vec![0_u64; TURNED_WORDS * 64 * words];
        let mut squares = [[0_u64; 64]; TURNED_WORDS];
        for first in (0..(1_usize << band.log2) / 64).step_by(TURNED_WORDS) {
            let turned = TURNED_WORDS.min((1 << band.log2) / 64 - first);
            for (group, columns) in columns.chunks(64).enumerate() {
                squares.iter_mut().for_each(|square| square.fill(0));
                for (column, bits) in columns.iter().enumerate() {
                    for (square, &word) in squares.iter_mut().zip(bits.get(first..first + turned).unwrap_or_default()) {
                        square[column % 64] = word;
                    }
                }
                for (at, square) in squares.iter_mut().enumerate().take(turned) {
                    turn(square);
                    for (row, &word) in square.iter().enumerate() {
                        if let Some(to) = rows.get_mut((at * 64 + row) * words + group) {
                            *to = word;
                        }
                    }
                }
            }
            for row in rows.chunks_exact(words).take(turned * 64) {
                writer.row(row)?;
            }
        }
    }
    Ok(())
}

/// Turns a square of 64 words of 64 bits: bit *j* of word *i* becomes bit *i* of word *j*. Halves, quarters and so on down to
/// single bits change sides.
fn turn(square: &mut [u64; 64]) {
    let (mut width, mut mask) = (32, 0x0000_0000_ffff_ffff_u64);
    while width != 0 {
        let mut at = 0;
        while at < 64 {
            let (low, high) = (square[at % 64], square[(at + width) % 64]);
            let change = (low >> width ^ high) & mask;
            square[at % 64] = low ^ change << width;
            square[(at + width) % 64] = high ^ change;
            at = (at + width + 1) & !width;
        }
        width /= 2;
        mask ^= mask << width;
    }
}

/// The signatures of an opened segment.
#[derive(Debug)]
pub(super) struct Signatures {
    pub(super) bands: Vec<Band>,
}

impl Signatures {
    /// `None` if the rows are not as long as those of the blocks, or were made in another way.
    pub(super) fn open(rows: Range<u64>, multiplier: u64, blocks: &[BlockEntry]) -> Option<Self> {
        let (bands, end) = bands(blocks, rows.start);
        (end == rows.end && multiplier == MULTIPLIER).then_some(Self { bands })
    }

    pub(super) fn memory(&self) -> usize {
        self.bands.iter().map(|band| size_of::<Band>() + band.blocks.len() * 2).sum()
    }

    /// Takes blocks out whose signature lacks a gram of the needle. A row that is damaged takes none out.
    pub(super) fn candidates(
        &self,
        needle: &[u8],
        within: &mut Bitmap,
        file: &Readable,
        path: &Path,
    ) -> Result<(), Damage> {
        let slots: Vec<usize> = spread(slots_of(needle).len()).filter_map(|at| slots_of(needle).nth(at)).collect();
        let (mut result, mut page, mut row_words) = (Ok(()), Vec::new(), Vec::new());
        for band in self.bands.iter().filter(|_| !slots.is_empty()) {
            let mut live = vec![0_u64; band.blocks.len().div_ceil(64)];
            for (column, &block) in band.blocks.iter().enumerate() {
                if within.get(usize::from(block))
                    && let Some(word) = live.get_mut(column / 64)
                {
                    *word |= 1 << (column % 64);
                }
            }
            for &slot in &slots {
                if live.iter().all(|&word| word == 0) {
                    break;
                }
                let row = slot >> (MOST_LOG2 - band.log2);
                if let Err(damage) = read_page(band, row / band.rows_a_page(), file, path, &mut page) {
                    result = Err(damage);
                    continue;
                }
                band.row(&page, row, &mut row_words);
                live.iter_mut().zip(&row_words).for_each(|(live, row)| *live &= row);
            }
            for (column, &block) in band.blocks.iter().enumerate() {
                if live.get(column / 64).is_some_and(|word| word >> (column % 64) & 1 == 0) {
                    within.clear(usize::from(block));
                }
            }
        }
        result
    }
}

/// Which of so many grams are asked for, and in which order: those that share no byte first, as they say the most.
fn spread(grams: usize) -> impl Iterator<Item = usize> {
    let stride = grams.div_ceil(MOST_ROWS).max(5);
    [0, 2, 4, 1, 3].into_iter().flat_map(move |first| (first..grams).step_by(stride)).take(MOST_ROWS)
}

#[cfg(test)]
mod tests {
    use super::super::slots::{BITS_WORDS, shortened, slot};
    use super::*;

    #[test]
    fn a_square_turns() {
        let mut square = [0_u64; 64];
        for (at, word) in square.iter_mut().enumerate() {
            *word = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at as u64) << 7;
        }
        let before = square;
        turn(&mut square);
        for (row, word) in square.iter().enumerate() {
            let column = before.iter().map(|word| word >> row & 1);
            assert!(column.eq((0..64).map(|at| word >> at & 1)), "{row}");
        }
    }

    #[test]
    fn a_short_signature_has_each_slot_of_the_long_one() {
        for count in [0, 1, 50, 100, 400, 5_000, 40_000, 200_000] {
            let mut bits = vec![0_u64; BITS_WORDS];
            let slots: Vec<usize> = (0..count).map(|gram: u64| slot(gram * 7_919)).collect();
            slots.iter().for_each(|slot| bits[slot / 64] |= 1 << (slot % 64));
            let short = shortened(&bits);
            let log2 = (short.len() * 64).ilog2();
            assert!((LEAST_LOG2..=MOST_LOG2).contains(&log2));
            for slot in &slots {
                let slot = slot >> (MOST_LOG2 - log2);
                assert!(short[slot / 64] >> (slot % 64) & 1 == 1);
            }
            let set: u32 = short.iter().map(|word| word.count_ones()).sum();
            assert!(log2 == MOST_LOG2 || set as usize * 5 <= 2 << log2, "{count}: {set} of 2^{log2}");
        }
    }

    #[test]
    fn grams_are_asked_far_apart_first_and_in_bounds() {
        assert!(spread(7).eq([0, 5, 2, 4, 1, 6, 3]));
        for grams in 0..2_000 {
            let mut asked: Vec<usize> = spread(grams).collect();
            assert_eq!(asked.len(), grams.min(MOST_ROWS), "{grams}");
            asked.sort_unstable();
            asked.dedup();
            assert!(asked.len() == grams.min(MOST_ROWS) && asked.iter().all(|&at| at < grams));
        }
    }
}
