//! Eight bytes at a time: fields are a dozen bytes, too short for a call of memchr to pay, too long for one by one.

use byte_words::{Two, below, every, find, number_of_digits};

/// The first byte up to SP from `at` on, or the end of the text.
#[inline]
pub(crate) fn word_end(text: &[u8], at: usize) -> usize {
    find(text, at, |bytes| below(bytes, b' ' + 1))
}

/// The first byte up to DQUOTE from `at` on, or the end of the text.
#[inline]
pub(crate) fn vchars_end(text: &[u8], at: usize) -> usize {
    find(text, at, |bytes| below(bytes, b'"' + 1))
}

/// Whether all bytes are above DQUOTE.
#[inline]
pub(crate) const fn is_vchars(bytes: &[u8; 8]) -> bool {
    below(u64::from_le_bytes(*bytes), b'"' + 1) == 0
}

/// The first DQUOTE or backslash from `at` on, or the end of the text.
///
/// Sixteen bytes at once, as long as that many are left.
#[inline]
pub(crate) fn text_end(text: &[u8], at: usize) -> usize {
    let marks = |bytes: u64| below(bytes ^ every(b'"'), 1) | below(bytes ^ every(b'\\'), 1);
    let searcher = Two::new(b'"', b'\\');
    let (chunks, _) = text.get(at..).unwrap_or_default().as_chunks::<16>();
    for (nth, bytes) in chunks.iter().enumerate() {
        if let Some(found) = searcher.find(bytes) {
            return at + 16 * nth + found;
        }
    }
    find(text, at + 16 * chunks.len(), marks)
}

/// `*8DIGIT` at the end of a word: their number, and how many there are. Of none, the number is any.
///
/// Digits less `0` are below 10. What stands before them is made zeros. No branch depends on how many there are.
#[inline]
pub(crate) const fn last_digits(bytes: u64) -> (u32, usize) {
    let ones = bytes ^ every(b'0');
    let bits = marks(ones, 0x76).leading_zeros() & !7;
    let before = 64_u32.wrapping_sub(bits);
    let ones = ones.wrapping_shr(before).wrapping_shl(before);
    (number_of_digits(ones), (bits / 8) as usize)
}

/// How many bytes at the end of a word are above DQUOTE and no `=`.
#[inline]
pub(crate) const fn last_bare(bytes: u64) -> usize {
    let others = !marks(bytes, 0x7f - b'"') | !marks(bytes ^ every(b'='), 0x7f);
    ((others & every(0x80)).leading_zeros() / 8) as usize
}

/// Marks (0x80) the bytes that are 0x80 - `gap` and above, all of them and no others.
const fn marks(bytes: u64, gap: u8) -> u64 {
    (((bytes & every(0x7f)) + every(gap)) | bytes) & every(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_one_by_one() {
        for text in ["", "0", "7", "07", "12", "123", "9999", "30001", "123456", "9876543", "99999999", "00000010"] {
            for before in ["=", " ", "\0", "/", ":", "m", "\u{7f}"] {
                let line = format!("{}{before}{text}", "9".repeat(8));
                let bytes = u64::from_le_bytes(*line.as_bytes().last_chunk().unwrap());
                let (number, count) = last_digits(bytes);
                assert_eq!(count, text.len(), "{line:?}");
                assert!(count == 0 || text.parse() == Ok(number), "{line:?}");
            }
        }
        for byte in 0..=255_u8 {
            let (_, count) = last_digits(u64::from_le_bytes([b'1', b'2', b'3', b'4', byte, b'5', b'6', b'7']));
            assert_eq!(count, if byte.is_ascii_digit() { 8 } else { 3 }, "{byte:#x}");
        }
    }

    #[test]
    fn bare_bytes_at_the_end() {
        for byte in 0..=255_u8 {
            for index in 0..8 {
                let mut bytes = *b"=web\x801.1";
                bytes[0] = b'x';
                bytes[index] = byte;
                let expected = if byte <= b'"' || byte == b'=' { 7 - index } else { 8 };
                assert_eq!(last_bare(u64::from_le_bytes(bytes)), expected, "{byte:#x} at {index}");
            }
        }
    }

    #[test]
    fn ends_are_the_first_byte_of_a_class() {
        for byte in 0..=255_u8 {
            for (index, len) in
                [(0, 1), (3, 4), (7, 9), (8, 20), (19, 20), (20, 70), (63, 70), (64, 70), (69, 70), (140, 150)]
            {
                let mut text = vec![b'x'; len];
                text[index] = byte;
                let end = |is: bool| if is { index } else { len };
                assert_eq!(word_end(&text, 0), end(byte <= b' '), "{byte:#x} at {index}");
                assert_eq!(vchars_end(&text, 0), end(byte <= b'"'), "{byte:#x} at {index}");
                assert_eq!(text_end(&text, 0), end(byte == b'"' || byte == b'\\'), "{byte:#x} at {index}");
            }
        }
        assert_eq!((word_end(b"", 0), text_end(b"", 0), word_end(b"ab \x21\x21", 0)), (0, 0, 2));
        assert_eq!((vchars_end(b"ab\"\x23\x23", 0), text_end(b"\\\"", 0), text_end(b"\\\"", 1)), (2, 0, 1));
        assert_eq!((word_end(b" a", 1), word_end(b" a", 2), word_end(b" a", 3)), (2, 2, 2));
    }
}
