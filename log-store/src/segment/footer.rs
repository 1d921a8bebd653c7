//! Where the parts of a segment begin and end.

use super::bytes::{Cursor, put_varint};
use super::damage::{Damage, DamageKind};
use super::file::Readable;
use super::index::{AccountEntry, decode_accounts};
use std::ops::Range;
use std::path::Path;

/// What a segment begins with: a name, and the version of the format.
pub(super) const HEADER: [u8; 8] = *b"LOGSEG\x00\x01";
/// What it ends with.
const END: [u8; 8] = *b"\x01\x00GESGOL";
/// Length and checksum of the footer, and the end.
const TAIL: usize = 4 + 4 + END.len();
/// Bytes of a footer at most: 4,096 accounts with names of 255 bytes, and numbers.
const LONGEST: usize = 2 << 20;
/// Grams of signatures have five bytes. Another length would need another reader.
const GRAM: u8 = 5;

/// A part with one checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Part {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) crc: u32,
}

impl Part {
    /// Reads and checks it. The footer was held against the file's length, so that it cannot ask for more than that.
    pub(super) fn read(&self, path: &Path, file: &Readable, name: &'static str) -> Result<Vec<u8>, Damage> {
        let mut bytes = Vec::new();
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        file.read_into(&mut bytes, self.offset, length).map_err(|error| Damage::read(path, &error, name))?;
        if crc32fast::hash(&bytes) != self.crc {
            return Err(Damage::new(path, DamageKind::Checksum, name));
        }
        Ok(bytes)
    }

    fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// What the end of a segment says of the rest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Footer {
    pub(super) first_id: u64,
    pub(super) last_id: u64,
    pub(super) dictionary: Part,
    pub(super) index: Part,
    pub(super) trigram_pages: Range<u64>,
    pub(super) trigram_directory: Part,
    pub(super) rows: Range<u64>,
    pub(super) multiplier: u64,
    pub(super) accounts: Vec<AccountEntry>,
}

impl Footer {
    /// Appends the footer, its length and checksum, and the end of the file.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.first_id.to_le_bytes());
        out.extend_from_slice(&self.last_id.to_le_bytes());
        out.extend_from_slice(&self.dictionary.offset.to_le_bytes());
        for part in [self.dictionary, self.index, self.trigram_directory] {
            out.extend_from_slice(&part.length.to_le_bytes());
            out.extend_from_slice(&part.crc.to_le_bytes());
        }
        out.extend_from_slice(&(self.trigram_pages.end - self.trigram_pages.start).to_le_bytes());
        out.extend_from_slice(&(self.rows.end - self.rows.start).to_le_bytes());
        out.push(GRAM);
        out.extend_from_slice(&self.multiplier.to_le_bytes());
        put_varint(out, self.accounts.len() as u64);
        for account in &self.accounts {
            account.encode(out);
        }
        let length = (out.len() - start) as u32;
        let mut crc = crc32fast::Hasher::new();
        crc.update(out.get(start..).unwrap_or_default());
        crc.update(&length.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&crc.finalize().to_le_bytes());
        out.extend_from_slice(&END);
    }

    /// Reads it from a file, and holds it against the file's length.
    pub(super) fn read(path: &Path, file: &Readable) -> Result<Self, Damage> {
        let bad = |kind, part| Damage::new(path, kind, part);
        let read =
            |out: &mut [u8], offset, part| file.read(out, offset).map_err(|error| Damage::read(path, &error, part));
        let mut header = [0; HEADER.len()];
        read(&mut header, 0, "the header")?;
        let [name @ .., version] = header;
        let [expected @ .., known] = HEADER;
        if name != expected {
            return Err(bad(DamageKind::Name, "the header"));
        }
        if version != known {
            return Err(bad(DamageKind::Unknown(version), "the version"));
        }
        let tail_at = file.len().checked_sub(TAIL as u64).filter(|&at| at >= HEADER.len() as u64);
        let tail_at = tail_at.ok_or_else(|| bad(DamageKind::Length, "the file"))?;
        let mut tail = [0; TAIL];
        read(&mut tail, tail_at, "the end")?;
        let mut cursor = Cursor::new(&tail);
        let (Some(length), Some(crc), Some(END)) = (cursor.u32(), cursor.u32(), cursor.array()) else {
            return Err(bad(DamageKind::Length, "the file"));
        };
        let at = tail_at.checked_sub(u64::from(length)).filter(|_| length as usize <= LONGEST);
        let at = at.ok_or_else(|| bad(DamageKind::Length, "the footer"))?;
        let mut bytes = Vec::new();
        file.read_into(&mut bytes, at, length as usize).map_err(|error| Damage::read(path, &error, "the footer"))?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes);
        hasher.update(&length.to_le_bytes());
        if hasher.finalize() != crc {
            return Err(bad(DamageKind::Checksum, "the footer"));
        }
        match bytes.get(8 * 3 + 3 * 12 + 2 * 8) {
            Some(&GRAM) => {}
            Some(&gram) => return Err(bad(DamageKind::Unknown(gram), "the length of grams")),
            None => return Err(bad(DamageKind::Content, "the footer")),
        }
        Self::decode(&bytes, at).ok_or_else(|| bad(DamageKind::Content, "the footer"))
    }

    /// The parts follow one another without a gap, from the blocks to the footer, which begins at `end`: so each byte of the
    /// file is under a checksum.
    fn decode(bytes: &[u8], end: u64) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (first_id, last_id, mut offset) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        let mut parts = [Part::default(); 3];
        for part in &mut parts {
            (part.length, part.crc) = (cursor.u64()?, cursor.u32()?);
        }
        let (trigram_pages, rows) = (cursor.u64()?, cursor.u64()?);
        let mut place = |length: u64| {
            let at = offset;
            offset = offset.checked_add(length).filter(|&offset| offset <= end)?;
            Some(at)
        };
        let [mut dictionary, mut index, mut trigram_directory] = parts;
        dictionary.offset = place(dictionary.length)?;
        index.offset = place(index.length)?;
        let trigram_pages = place(trigram_pages)?..place(0)?;
        trigram_directory.offset = place(trigram_directory.length)?;
        let rows = place(rows)?..place(0)?;
        let _gram = cursor.u8()?;
        let multiplier = cursor.u64()?;
        let accounts = decode_accounts(&mut cursor)?;
        let first = accounts.iter().map(|account| account.first_id).min()?;
        let last = accounts.iter().map(|account| account.last_id).max()?;
        // A file from which lines were purged keeps its name, and with it the range that it had.
        let fits = first_id <= first && last <= last_id && rows.end == end && cursor.is_empty();
        let footer =
            Self { first_id, last_id, dictionary, index, trigram_pages, trigram_directory, rows, multiplier, accounts };
        (fits && footer.dictionary.end() == footer.index.offset).then_some(footer)
    }
}
