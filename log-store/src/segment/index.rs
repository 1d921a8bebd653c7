//! What is known of a block without reading it, and of an account.

use super::bytes::{Cursor, put_bytes, put_varint, put_zigzag};
use super::columns;
use super::dictionary::Sender;
use super::slots::{LEAST_LOG2, MOST_LOG2};
use super::{MAX_BLOCK_LINES, MAX_BLOCK_TEXT, MAX_BLOCKS};
use std::ops::Range;

/// Blocks of this kind hold text. Others are for later versions.
pub(super) const KIND_TEXT: u8 = 0;
/// The longest name of an account.
const LONGEST_ACCOUNT: usize = 255;
/// What the compressed form of a frame may be longer than its content.
const SLACK: usize = 1 << 10;

/// What is known of a block without reading it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct BlockEntry {
    pub(super) kind: u8,
    pub(super) account: u32,
    pub(super) lines: u32,
    pub(super) first_id: u64,
    pub(super) last_id: u64,
    pub(super) min_generated: i64,
    pub(super) max_generated: i64,
    pub(super) severities: u16,
    /// Its signature has two to this many bits.
    pub(super) rows_log2: u8,
    /// It holds so many trigrams that the table leaves it out: it may hold any.
    pub(super) dense: bool,
    pub(super) offset: u64,
    pub(super) columns: Frame,
    pub(super) text: Frame,
    pub(super) senders: Box<[u32]>,
    pub(super) minutes: Box<[(u32, u32)]>,
}

/// A compressed piece of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Frame {
    /// Bytes in the file.
    pub(super) packed: u32,
    /// Bytes when decompressed.
    pub(super) length: u32,
    /// Of the bytes in the file.
    pub(super) crc: u32,
}

impl Frame {
    fn encode(self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.packed));
        put_varint(out, u64::from(self.length));
        out.extend_from_slice(&self.crc.to_le_bytes());
    }

    fn decode(cursor: &mut Cursor<'_>, longest: usize) -> Option<Self> {
        let packed = cursor.varint_up_to(longest + longest / 128 + SLACK)? as u32;
        let length = cursor.varint_up_to(longest)? as u32;
        Some(Self { packed, length, crc: cursor.u32()? })
    }
}

impl BlockEntry {
    /// How many lines.
    pub(crate) const fn lines(&self) -> u32 {
        self.lines
    }

    pub(crate) const fn first_id(&self) -> u64 {
        self.first_id
    }

    pub(crate) const fn last_id(&self) -> u64 {
        self.last_id
    }

    /// The earliest time that a line says it was written, in microseconds since 1970.
    pub(crate) const fn min_generated(&self) -> i64 {
        self.min_generated
    }

    /// The latest such time.
    pub(crate) const fn max_generated(&self) -> i64 {
        self.max_generated
    }

    /// Bytes of the file that are the block.
    pub(crate) const fn packed_length(&self) -> u64 {
        1 + self.columns.packed as u64 + self.text.packed as u64
    }

    /// Who sent lines of it: indexes into the segment's dictionary, each once, in order of their first line.
    pub(crate) fn senders(&self) -> &[u32] {
        &self.senders
    }

    /// Lines a minute by the time of their ids: minutes since 1970, rising, and how many.
    pub(crate) fn minutes(&self) -> &[(u32, u32)] {
        &self.minutes
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.senders.len() * 4 + self.minutes.len() * 8
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.kind);
        put_varint(out, u64::from(self.account));
        put_varint(out, u64::from(self.lines));
        put_varint(out, self.first_id);
        put_varint(out, self.last_id.wrapping_sub(self.first_id));
        put_zigzag(out, self.min_generated);
        put_varint(out, self.max_generated.wrapping_sub(self.min_generated) as u64);
        out.extend_from_slice(&self.severities.to_le_bytes());
        out.push(self.rows_log2 | u8::from(self.dense) << 7);
        self.columns.encode(out);
        self.text.encode(out);
        put_varint(out, self.senders.len() as u64);
        for &sender in &self.senders {
            put_varint(out, u64::from(sender));
        }
        put_varint(out, self.minutes.len() as u64);
        let mut last = 0;
        for &(minute, lines) in &self.minutes {
            put_varint(out, u64::from(minute - last));
            put_varint(out, u64::from(lines));
            last = minute;
        }
    }

    fn decode(cursor: &mut Cursor<'_>, senders: &[Sender], offset: u64) -> Option<Self> {
        let kind = cursor.u8()?;
        let account = cursor.varint_u32()?;
        let lines = cursor.varint_up_to(MAX_BLOCK_LINES).filter(|&lines| lines > 0)?;
        let first_id = cursor.varint()?;
        let last_id = first_id.checked_add(cursor.varint()?).filter(|&id| i64::try_from(id).is_ok())?;
        let min_generated = cursor.zigzag()?;
        let max_generated = min_generated.checked_add_unsigned(cursor.varint()?)?;
        let severities = u16::from_le_bytes(cursor.array()?);
        let rows = cursor.u8()?;
        let (rows_log2, dense) = (rows & 0x7f, rows >> 7 == 1);
        if !(LEAST_LOG2..=MOST_LOG2).contains(&u32::from(rows_log2)) {
            return None;
        }
        let columns = Frame::decode(cursor, columns::longest(lines))?;
        let text = Frame::decode(cursor, MAX_BLOCK_TEXT)?;
        let count = cursor.varint_up_to(lines.min(cursor.left())).filter(|&count| count > 0)?;
        let mut numbers = Vec::with_capacity(count);
        for _ in 0..count {
            let sender = cursor.varint_u32()?;
            // A sender of another account in this block would be seen by the wrong people.
            senders.get(sender as usize).filter(|sender| sender.account() == account)?;
            numbers.push(sender);
        }
        let count = cursor.varint_up_to(lines.min(cursor.left())).filter(|&count| count > 0)?;
        let mut minutes = Vec::with_capacity(count);
        let (mut minute, mut sum) = (0_u32, 0_usize);
        for at in 0..count {
            minute = minute.checked_add(cursor.varint_u32().filter(|&gap| gap > 0 || at == 0)?)?;
            let lines = cursor.varint_u32()?;
            sum = sum.checked_add(lines as usize)?;
            minutes.push((minute, lines));
        }
        (sum == lines).then(|| Self {
            kind,
            account,
            lines: lines as u32,
            first_id,
            last_id,
            min_generated,
            max_generated,
            severities,
            rows_log2,
            dense,
            offset,
            columns,
            text,
            senders: numbers.into(),
            minutes: minutes.into(),
        })
    }
}

/// An account's part of a segment. Its blocks lie together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AccountEntry {
    pub(super) name: Box<str>,
    pub(super) lines: u64,
    pub(super) first_id: u64,
    pub(super) last_id: u64,
    pub(super) blocks: Range<usize>,
}

impl AccountEntry {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many lines of it.
    pub(crate) const fn lines(&self) -> u64 {
        self.lines
    }

    pub(crate) const fn first_id(&self) -> u64 {
        self.first_id
    }

    pub(crate) const fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Its blocks, rising by id.
    pub(crate) fn blocks(&self) -> Range<usize> {
        self.blocks.clone()
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.name.len()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.name.as_bytes());
        put_varint(out, self.lines);
        put_varint(out, self.first_id);
        put_varint(out, self.last_id.wrapping_sub(self.first_id));
        put_varint(out, self.blocks.len() as u64);
    }
}

/// Reads the accounts: how many, then each. Their blocks follow one another.
pub(super) fn decode_accounts(cursor: &mut Cursor<'_>) -> Option<Vec<AccountEntry>> {
    let count = cursor.varint_up_to(MAX_BLOCKS.min(cursor.left()))?;
    let mut accounts = Vec::with_capacity(count);
    let mut block = 0_usize;
    for _ in 0..count {
        let name = std::str::from_utf8(cursor.bytes(LONGEST_ACCOUNT)?).ok()?.into();
        let lines = cursor.varint()?;
        let first_id = cursor.varint()?;
        let last_id = first_id.checked_add(cursor.varint()?)?;
        let first = block;
        block += cursor.varint_up_to(MAX_BLOCKS)?;
        accounts.push(AccountEntry { name, lines, first_id, last_id, blocks: first..block });
    }
    (block <= MAX_BLOCKS).then_some(accounts)
}

/// Reads the entries of all blocks, and holds them against the accounts. The first block begins at `offset`, the last one ends
/// at `end`.
pub(super) fn decode_blocks(
    bytes: &[u8],
    accounts: &[AccountEntry],
    senders: &[Sender],
    mut offset: u64,
    end: u64,
) -> Option<Vec<BlockEntry>> {
    let mut cursor = Cursor::new(bytes);
    let mut blocks = Vec::with_capacity(accounts.last().map_or(0, |account| account.blocks.end).min(bytes.len()));
    for (number, account) in accounts.iter().enumerate() {
        let (mut lines, mut last) = (0_u64, None);
        for _ in account.blocks() {
            let block = BlockEntry::decode(&mut cursor, senders, offset)?;
            if block.account as usize != number || last.is_some_and(|last| last >= block.first_id) {
                return None;
            }
            if last.is_none() && block.first_id != account.first_id {
                return None;
            }
            last = Some(block.last_id);
            lines += u64::from(block.lines);
            offset = offset.checked_add(block.packed_length())?;
            blocks.push(block);
        }
        if last != Some(account.last_id) || lines != account.lines {
            return None;
        }
    }
    (offset == end && cursor.is_empty()).then_some(blocks)
}
