//! What a store has to know of a segment, and the note of it that is kept beside a file that is not in a folder: with it the store is
//! opened without a file being read. `FORMAT.md` describes the note.

use super::bytes::{Cursor, put_bytes, put_varint};
use super::fill::Fill;
use super::{MAX_BLOCK_LINES, MAX_BLOCKS, Segment};
use std::collections::BTreeSet;

/// The version of notes. Another one is as good as none: what it would say is in the file.
const VERSION: u8 = 1;
/// Bytes of a note at most: those of a footer.
const LONGEST: usize = 2 << 20;
/// The longest name of an account.
const LONGEST_ACCOUNT: usize = 255;
/// Memory that an opened segment takes at most: beyond this a note is none.
const MOST_MEMORY: usize = 1 << 30;

/// What a store has to know of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    /// Bytes of the file.
    pub(crate) file_len: u64,
    /// Memory that it takes when it is open.
    pub(crate) memory: usize,
    pub(crate) fill: Fill,
    pub(crate) accounts: Vec<AccountKnown>,
}

/// What it has of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AccountKnown {
    pub(crate) name: Box<str>,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) lines: u64,
    /// Bytes of its blocks.
    pub(crate) packed: u64,
}

impl Known {
    pub(crate) fn of(segment: &Segment) -> Self {
        let accounts = segment.accounts().iter().map(|account| AccountKnown {
            name: account.name().into(),
            first: account.first_id(),
            last: account.last_id(),
            lines: account.lines(),
            packed: segment.blocks()[account.blocks()].iter().map(|block| block.packed_length()).sum(),
        });
        let accounts = accounts.collect();
        Self { file_len: segment.file_len(), memory: segment.memory(), fill: segment.fill(), accounts }
    }

    /// A checksum of what must be the same of the file. Memory and fill are how this version of the crate sees it.
    pub(crate) fn print(&self) -> u32 {
        let mut bytes = Vec::new();
        self.content(&mut bytes);
        crc32fast::hash(&bytes)
    }

    fn content(&self, out: &mut Vec<u8>) {
        put_varint(out, self.file_len);
        put_varint(out, self.accounts.len() as u64);
        for account in &self.accounts {
            put_bytes(out, account.name.as_bytes());
            put_varint(out, account.first);
            put_varint(out, account.last.wrapping_sub(account.first));
            put_varint(out, account.lines);
            put_varint(out, account.packed);
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.memory as u64);
        let (blocks, held) = self.fill.parts();
        put_varint(&mut out, blocks);
        put_varint(&mut out, held);
        self.content(&mut out);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// What a note says of a file of such a name and length. `None` if it is none, of another version, damaged, or not of this file.
    pub(crate) fn decode(note: &[u8], first_id: u64, last_id: u64, file_len: u64) -> Option<Self> {
        let (bytes, crc) = note.split_last_chunk::<4>().filter(|_| note.len() <= LONGEST)?;
        if crc32fast::hash(bytes) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut cursor = Cursor::new(bytes);
        if cursor.u8()? != VERSION {
            return None;
        }
        let memory = cursor.varint_up_to(MOST_MEMORY)?;
        let fill = Fill::from_parts(cursor.varint()?, cursor.varint()?)?;
        if cursor.varint()? != file_len {
            return None;
        }
        let count = cursor.varint_up_to(MAX_BLOCKS.min(cursor.left())).filter(|&count| count > 0)?;
        let mut accounts = Vec::with_capacity(count);
        let (mut names, mut packed) = (BTreeSet::new(), 0_u64);
        for _ in 0..count {
            let name = std::str::from_utf8(cursor.bytes(LONGEST_ACCOUNT)?).ok()?;
            let first = cursor.varint()?;
            let last = first.checked_add(cursor.varint()?)?;
            let lines = cursor.varint_up_to(MAX_BLOCKS * MAX_BLOCK_LINES)? as u64;
            let account = AccountKnown { name: name.into(), first, last, lines, packed: cursor.varint()? };
            packed = packed.checked_add(account.packed)?;
            // An id leaves one bit, so that there is one above each.
            let fits = first >= first_id && last <= last_id && i64::try_from(last).is_ok() && lines > 0;
            if !fits || !names.insert(name) {
                return None;
            }
            accounts.push(account);
        }
        (packed <= file_len && cursor.is_empty()).then_some(Self { file_len, memory, fill, accounts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let account = |name: &str, first, last| AccountKnown { name: name.into(), first, last, lines: 3, packed: 100 };
        let fill = Fill::from_parts(2, 700).unwrap();
        Known { file_len: 999, memory: 5_000, fill, accounts: vec![account("a", 5, 70), account("b", 6, 6)] }
    }

    #[test]
    fn what_is_noted_comes_back() {
        let note = known().encode();
        assert_eq!(Known::decode(&note, 5, 70, 999), Some(known()));
        assert_eq!(Known::decode(&note, 1, 99, 999), Some(known()), "a purged file keeps its name");
        for (first, last, length) in [(6, 70, 999), (5, 69, 999), (5, 70, 998)] {
            assert_eq!(Known::decode(&note, first, last, length), None);
        }
        let other = Known { memory: 6_000, ..known() };
        assert_eq!(other.print(), known().print());
        assert_ne!(Known { file_len: 1_000, ..known() }.print(), known().print());
    }

    #[test]
    fn a_note_that_is_cut_or_flipped_is_none() {
        let note = known().encode();
        for length in 0..note.len() {
            assert_eq!(Known::decode(&note[..length], 5, 70, 999), None, "{length}");
        }
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut flipped = note.clone();
                flipped[at] ^= 1 << bit;
                assert_eq!(Known::decode(&flipped, 5, 70, 999), None, "{at}");
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_none_though_its_checksum_fits() {
        let wrong: [fn(&mut Known); 10] = [
            |known| known.accounts.clear(),
            |known| known.accounts[0].lines = 0,
            |known| known.accounts[0].lines = u64::MAX,
            |known| known.accounts[0].packed = 1_000,
            |known| known.accounts[0].packed = u64::MAX,
            |known| known.accounts[1].name = "a".into(),
            |known| known.accounts[1].first = 4,
            |known| known.accounts[1].last = u64::MAX,
            |known| known.accounts[1].last = 5,
            |known| known.memory = usize::MAX,
        ];
        for (at, change) in wrong.into_iter().enumerate() {
            let mut known = known();
            change(&mut known);
            assert_eq!(Known::decode(&known.encode(), 5, 70, 999), None, "{at}");
        }
        let mut newer = known().encode();
        newer[0] = VERSION + 1;
        let end = newer.len() - 4;
        let crc = crc32fast::hash(&newer[..end]);
        newer[end..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Known::decode(&newer, 5, 70, 999), None);
    }
}
