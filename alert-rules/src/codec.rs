//! Bytes of a state: how numbers and text are written, read back with every length checked, and summed.
//!
//! ```text
//! state = magic version:u8 length content checksum:u64         ; length of the content in LEB128; CRC-64/XZ, little-endian
//! ```

use crate::error::{StateError, StateErrorKind};
use metric_model::{TagSet, Timestamp};

/// The version of all states but those of [totals](crate::Condition::together).
pub(crate) const VERSION: u8 = 1;
const CHECKSUM: usize = size_of::<u64>();

/// Appends values. Whole numbers take as many bytes as they need (LEB128), doubles eight, text its length first.
#[derive(Default, Debug)]
pub(crate) struct Writer(Vec<u8>);

/// Takes values off the front; `None` when they are not there. It allocates nothing on the say-so of a length.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Writer {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.byte(u8::from(value));
    }

    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    pub(crate) fn count(&mut self, value: usize) {
        self.number(value as u64);
    }

    /// A signed number, in zigzag order so that small ones of both signs are short.
    pub(crate) fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63) as u64);
    }

    pub(crate) fn double(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn time(&mut self, time: Timestamp) {
        self.signed(time.unix_micros());
    }

    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn stretch(&mut self, (from, until): (Timestamp, Timestamp)) {
        self.time(from);
        self.time(until);
    }

    pub(crate) fn tags(&mut self, tags: &TagSet) {
        self.count(tags.len());
        for (key, value) in tags.iter() {
            self.text(key);
            self.text(value);
        }
    }

    /// All of it, with what tells that it is whole.
    pub(crate) fn sealed(self, magic: &[u8], version: u8) -> Vec<u8> {
        let mut out = Self(Vec::with_capacity(magic.len() + 1 + 10 + self.0.len() + CHECKSUM));
        out.0.extend_from_slice(magic);
        out.byte(version);
        out.bytes(&self.0);
        let sum = checksum(&out.0);
        out.0.extend_from_slice(&sum.to_le_bytes());
        out.0
    }
}

impl<'a> Reader<'a> {
    /// What stands between the header and a checksum that matches, and its version: `newest` or one before.
    pub(crate) fn open(magic: &[u8], newest: u8, state: &'a [u8]) -> Result<(u8, Self), StateError> {
        let wrong = |kind, offset| Err(StateError::new(kind, offset));
        let known = state.iter().zip(magic).take_while(|(byte, wanted)| byte == wanted).count();
        let mut reader = Self { bytes: state.get(known..).unwrap_or_default(), at: known };
        if known < magic.len() {
            let kind = if known == state.len() { StateErrorKind::Truncated } else { StateErrorKind::NotAState };
            return wrong(kind, known);
        }
        let version = match reader.byte() {
            None => return wrong(StateErrorKind::Truncated, reader.at),
            Some(version) if (VERSION..=newest).contains(&version) => version,
            Some(_) => return wrong(StateErrorKind::Version, known),
        };
        let Some(length) = reader.number().and_then(|length| usize::try_from(length).ok()) else {
            return wrong(StateErrorKind::Truncated, reader.at);
        };
        let start = reader.at;
        let Some(content) = reader.raw(length) else { return wrong(StateErrorKind::Truncated, state.len()) };
        let sum_at = reader.at;
        let Some(sum) = reader.raw(CHECKSUM) else { return wrong(StateErrorKind::Truncated, state.len()) };
        if !reader.bytes.is_empty() {
            return wrong(StateErrorKind::Trailing, reader.at);
        }
        if checksum(state.get(..sum_at).unwrap_or_default()).to_le_bytes() != sum {
            return wrong(StateErrorKind::Checksum, sum_at);
        }
        Ok((version, Self { bytes: content, at: start }))
    }

    /// Where it stands, as an error: what was read there makes no sense.
    pub(crate) fn senseless(&self) -> StateError {
        StateError::new(StateErrorKind::Content, self.at)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn raw(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        self.at += count;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.raw(1)?.first().copied()
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                // One number, one spelling: no zeros in front.
                return (byte != 0 || shift == 0).then_some(value);
            }
        }
        None
    }

    /// A number of things to follow, each of at least one byte.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.bytes.len()).then_some(count)
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn double(&mut self) -> Option<f64> {
        Some(f64::from_bits(u64::from_le_bytes(self.raw(8)?.try_into().ok()?)))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.count()?;
        self.raw(count)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        core::str::from_utf8(self.bytes()?).ok()
    }

    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        self.signed().map(Timestamp::from_unix_micros)
    }

    /// The outer `None` is for what cannot be read.
    pub(crate) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    pub(crate) fn stretch(&mut self) -> Option<(Timestamp, Timestamp)> {
        let (from, until) = (self.time()?, self.time()?);
        (from <= until).then_some((from, until))
    }

    /// Tags in their order, as they are written: so that putting them together is linear, whoever wrote them.
    pub(crate) fn tags(&mut self) -> Option<TagSet> {
        let mut tags = TagSet::new();
        let mut before = None;
        for _ in 0..self.count()? {
            let (key, value) = (self.text()?, self.text()?);
            if before.is_some_and(|before| before >= key) || !tags.insert(key, value) {
                return None;
            }
            before = Some(key);
        }
        Some(tags)
    }
}

/// CRC-64/XZ: every damage of up to eight bytes in a row is found, and other damage but for one in 2^64.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    const TABLE: [u64; 256] = {
        const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42; // ECMA-182, lowest bit first
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut sum = byte as u64;
            let mut bit = 0;
            while bit < 8 {
                sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
                bit += 1;
            }
            table[byte] = sum;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum: u64, byte| TABLE[usize::from(sum as u8 ^ byte)] ^ sum >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_xz() {
        assert_eq!(checksum(b"123456789"), 0x995D_C9BB_DF19_39FA); // the catalogue's check value
    }

    #[test]
    fn a_length_is_not_believed() {
        let reader = |bytes| Reader { bytes, at: 0 };
        assert_eq!(reader(&[0xFF, 0xFF, 0x03][..]).count(), None);
        assert_eq!(reader(&[0x80, 0]).number(), None, "one number, one spelling");
        assert_eq!(reader(&[1, 0xFF]).text(), None);
        assert_eq!(reader(&[2]).flag(), None);
        assert_eq!(reader(&[2, 1, b'b', 0, 1, b'a', 0]).tags(), None, "out of order");
    }
}
