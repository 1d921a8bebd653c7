//! Numbers and bytes as the parts of a segment hold them, and a cursor that reads them and trusts nothing.

/// Appends a number in groups of seven bits, lowest first, the top bit set on all but the last: 1 to 10 bytes.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number: small ones of either sign are short.
pub(super) fn put_zigzag(out: &mut Vec<u8>, number: i64) {
    put_varint(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Appends a length and the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads from the front of some bytes. `None` from any method means that they are not what was to be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are left: what a number read from them may claim at most, at a byte an item.
    pub(super) const fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for (at, &byte) in self.0.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit more; anything else is not a number of 64 bits.
            if at == 9 && byte > 1 {
                return None;
            }
            number |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(at + 1..)?;
                return Some(number);
            }
        }
        None
    }

    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn varint_u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    /// A number that may be `limit` at most.
    pub(super) fn varint_up_to(&mut self, limit: usize) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|&number| number <= limit)
    }

    pub(super) fn bytes(&mut self, limit: usize) -> Option<&'a [u8]> {
        let length = self.varint_up_to(limit)?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX - 1, u64::MAX];
        let mut out = Vec::new();
        for number in numbers {
            put_varint(&mut out, number);
            put_zigzag(&mut out, number as i64);
            put_zigzag(&mut out, (number as i64).wrapping_neg());
        }
        let mut cursor = Cursor::new(&out);
        for number in numbers {
            assert_eq!(cursor.varint(), Some(number));
            assert_eq!(cursor.zigzag(), Some(number as i64));
            assert_eq!(cursor.zigzag(), Some((number as i64).wrapping_neg()));
        }
        assert!(cursor.is_empty());
    }

    #[test]
    fn no_number_is_read_from_wrong_bytes() {
        for bytes in
            [&b""[..], &[0x80], &[0xff; 9], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert_eq!(Cursor::new(bytes).varint(), None, "{bytes:?}");
        }
        assert_eq!(Cursor::new(&[5, 1, 2]).bytes(9), None);
        assert_eq!(Cursor::new(&[2, 1, 2]).bytes(1), None);
    }
}
