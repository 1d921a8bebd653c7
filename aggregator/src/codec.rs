//! Bytes of snapshots and rows: how numbers and text are written, read back with every length checked, and summed.

mod short;

pub(crate) use short::{whole_short, whole_sum};

use metric_model::{TagSet, Timestamp};

/// Appends values. Whole numbers take as many bytes as they need (LEB128), doubles eight, text its length first.
#[derive(Default, Debug)]
pub(crate) struct Writer(Vec<u8>);

/// Takes values off the front; `None` when they are not there. It allocates nothing on the say-so of a length.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// Where they end, from the start of everything.
    end: usize,
}

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
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

    pub(crate) fn optional(&mut self, value: Option<i64>) {
        self.flag(value.is_some());
        if let Some(value) = value {
            self.signed(value);
        }
    }

    pub(crate) fn double(&mut self, value: f64) {
        self.raw(&value.to_bits().to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn time(&mut self, time: Timestamp) {
        self.signed(time.unix_micros());
    }

    pub(crate) fn tags(&mut self, tags: &TagSet) {
        self.count(tags.len());
        for (key, value) in tags.iter() {
            self.text(key);
            self.text(value);
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, end: at + bytes.len() }
    }

    /// Where it stands, from the start of everything.
    pub(crate) fn offset(&self) -> usize {
        self.end - self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[inline]
    pub(crate) fn raw(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.raw(N)?.try_into().ok()
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        // Most are small.
        match self.bytes {
            [byte @ ..0x80, rest @ ..] => {
                self.bytes = rest;
                Some(u64::from(*byte))
            }
            [low, high @ 1..0x80, rest @ ..] => {
                self.bytes = rest;
                Some(u64::from(low & 0x7F) | u64::from(*high) << 7)
            }
            _ => self.long_number(),
        }
    }

    /// Up to eight bytes at once, where there are so many. What is short is read where it is asked for.
    #[inline(never)]
    fn long_number(&mut self) -> Option<u64> {
        /// The bit of each byte that says that others follow.
        const MORE: u64 = 0x8080_8080_8080_8080;
        let Some(word) = self.bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return self.plain_number();
        };
        let ends = !word & MORE;
        if ends == 0 {
            return self.plain_number();
        }
        let bits = ends.trailing_zeros() + 1;
        let word = word & u64::MAX >> (u64::BITS - bits);
        // One number, one spelling: no zeros in front.
        if bits > 8 && word >> (bits - 8) == 0 {
            return None;
        }
        self.raw(bits as usize / 8)?;
        // Seven bits of each byte, then fourteen of each two, and so on.
        let word = word & !MORE;
        let word = word & 0x007F_007F_007F_007F | (word & 0x7F00_7F00_7F00_7F00) >> 1;
        let word = word & 0x0000_3FFF_0000_3FFF | (word & 0x3FFF_0000_3FFF_0000) >> 2;
        Some(word & 0x0000_0000_0FFF_FFFF | (word & 0x0FFF_FFFF_0000_0000) >> 4)
    }

    #[cold]
    fn plain_number(&mut self) -> Option<u64> {
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

    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn optional(&mut self) -> Option<Option<i64>> {
        if self.flag()? { self.signed().map(Some) } else { Some(None) }
    }

    /// A finite double.
    pub(crate) fn double(&mut self) -> Option<f64> {
        let value = f64::from_bits(u64::from_le_bytes(self.array()?));
        value.is_finite().then_some(value)
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
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_one_of_xz() {
        assert_eq!(checksum(b"123456789"), 0x995D_C9BB_DF19_39FA); // the catalogue's check value
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn one_number_has_one_spelling() {
        assert_eq!(Reader::new(&[0x80, 0], 0).number(), None);
        assert_eq!(Reader::new(&[0], 0).number(), Some(0));
        let too_much = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2];
        assert_eq!(Reader::new(&too_much, 0).number(), None);
    }

    proptest! {
        #[test]
        fn fast_is_plain(mut bytes in prop::collection::vec(any::<u8>(), 0..14), long in 0..11_usize) {
            for more in [0, long] {
                bytes.iter_mut().take(more).for_each(|byte| *byte |= 0x80);
                let (mut fast, mut plain) = (Reader::new(&bytes, 5), Reader::new(&bytes, 5));
                let read = fast.number();
                prop_assert_eq!(read, plain.plain_number());
                // Of what is none nothing more is read.
                prop_assert!(read.is_none() || fast.offset() == plain.offset() && fast.rest() == plain.rest());
            }
        }

        #[test]
        fn numbers_of_every_length_come_back(number: u64, shift in 0..64_u32, behind in prop::collection::vec(any::<u8>(), 0..9)) {
            let mut writer = Writer::default();
            writer.number(number >> shift);
            writer.raw(&behind);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes, 0);
            prop_assert_eq!(reader.number(), Some(number >> shift));
            prop_assert_eq!(reader.rest(), &behind[..]);
        }
    }

    #[test]
    fn a_length_is_not_believed() {
        let mut writer = Writer::default();
        writer.number(u64::MAX);
        let bytes = writer.into_bytes();
        assert_eq!(Reader::new(&bytes, 0).count(), None);
        assert_eq!(Reader::new(&bytes, 0).bytes(), None);
        assert_eq!(Reader::new(&[1, 0xFF], 0).text(), None);
        assert_eq!(Reader::new(&[2], 0).flag(), None);
        assert_eq!(Reader::new(&f64::NAN.to_bits().to_le_bytes(), 0).double(), None);
        assert_eq!(Reader::new(&[2, 1, b'a', 0, 1, b'a', 0], 0).tags(), None, "a key twice");
        assert_eq!(Reader::new(&[2, 1, b'b', 0, 1, b'a', 0], 0).tags(), None, "out of order");
    }

    proptest! {
        #[test]
        fn values_come_back(number: u64, signed: i64, text: String, optional: Option<i64>, flag: bool) {
            let mut writer = Writer::default();
            writer.number(number);
            writer.signed(signed);
            writer.text(&text);
            writer.optional(optional);
            writer.flag(flag);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes, 3);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.signed(), Some(signed));
            prop_assert_eq!(reader.text(), Some(text.as_str()));
            prop_assert_eq!(reader.optional(), Some(optional));
            prop_assert_eq!(reader.flag(), Some(flag));
            prop_assert!(reader.is_empty());
            prop_assert_eq!(reader.offset(), 3 + bytes.len());
        }
    }
}
